-- Nothing that was there is touched.
select 'scope', count(*), coalesce(sum(scope_id), 0) from scope
union all select 'resource', count(*), coalesce(sum(resource_id), 0) from resource
order by 1
