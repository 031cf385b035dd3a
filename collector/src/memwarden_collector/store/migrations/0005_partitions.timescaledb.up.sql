-- As 0005_partitions.up.sql, with hypertables for what is measured. The ledger is small, and its partitions are
-- PostgreSQL's own here, too.

create table retention (
  table_name text primary key,
  dropped_before timestamptz not null
);

select set_config('search_path', 'memwarden, ' || quote_ident(nspname), true)
  from pg_extension join pg_namespace on pg_namespace.oid = extnamespace where extname = 'timescaledb';

alter table mem_sample rename to mem_sample_before;
drop index mem_sample_resource;
create table mem_sample (like mem_sample_before including defaults);
select create_hypertable('mem_sample', 'ts', chunk_time_interval => interval '12 hours', create_default_indexes => false);
insert into mem_sample select * from mem_sample_before;
drop table mem_sample_before;
create index mem_sample_resource on mem_sample (resource_id, ts);

alter table sample rename to sample_before;
drop index sample_series;
create table sample (like sample_before including defaults);
select create_hypertable('sample', 'ts', chunk_time_interval => interval '6 hours', create_default_indexes => false);
insert into sample select * from sample_before;
drop table sample_before;
create index sample_series on sample (series_id, ts);

alter table distribution rename to distribution_before;
drop index distribution_series;
create table distribution (like distribution_before including defaults);
select create_hypertable('distribution', 'ts', chunk_time_interval => interval '12 hours', create_default_indexes => false);
insert into distribution select * from distribution_before;
drop table distribution_before;
create index distribution_series on distribution (series_id, ts);

alter table profile rename to profile_before;
drop index profile_resource;
create table profile (like profile_before including defaults);
create sequence profile_id owned by profile.profile_id;
alter table profile alter profile_id set default nextval('profile_id');
select create_hypertable('profile', 'ts', chunk_time_interval => interval '1 day', create_default_indexes => false);
insert into profile select * from profile_before;
select setval('profile_id', coalesce(max(profile_id), 0) + 1, false) from profile_before;
drop table profile_before;
create index profile_resource on profile (resource_id, ts);
create index profile_number on profile (profile_id);

alter table ingest_batch rename to ingest_batch_default;
alter table ingest_batch_default rename column received to at;
alter table ingest_batch_default drop constraint ingest_batch_pkey;
create table ingest_batch (like ingest_batch_default including defaults) partition by range (at);
alter table ingest_batch attach partition ingest_batch_default default;
alter table ingest_batch add primary key (batch_id, signal, at);
