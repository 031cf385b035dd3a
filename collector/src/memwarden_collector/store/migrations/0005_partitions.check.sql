-- The same number before and after, or the migration is undone: how many rows, and a sum over all that is in them.
select 'mem_sample', count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) from mem_sample t
union all select 'sample', count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) from sample t
union all select 'distribution', count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) from distribution t
union all select 'profile', count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) from profile t
union all select 'ingest_batch', count(*), coalesce(sum(hashtextextended((batch_id, signal)::text, 0)::numeric), 0)
  from (select distinct batch_id, signal from ingest_batch) t
order by 1
