-- Samples, profiles and the ledger by time, so that what is old goes by dropping a table and not row by row.
--
-- What was the table becomes its default partition: nothing is copied, and whatever time a row is of, there is a place
-- for it. The upkeep makes the partitions of days and moves into them what the default one holds.

create table retention (
  table_name text primary key,
  -- Rows older than this are gone.
  dropped_before timestamptz not null
);

alter table mem_sample rename to mem_sample_default;
alter index mem_sample_resource rename to mem_sample_default_key;
create table mem_sample (like mem_sample_default including defaults) partition by range (ts);
alter table mem_sample attach partition mem_sample_default default;
create index mem_sample_resource on mem_sample (resource_id, ts);

alter table sample rename to sample_default;
alter index sample_series rename to sample_default_key;
create table sample (like sample_default including defaults) partition by range (ts);
alter table sample attach partition sample_default default;
create index sample_series on sample (series_id, ts);

alter table distribution rename to distribution_default;
alter index distribution_series rename to distribution_default_key;
create table distribution (like distribution_default including defaults) partition by range (ts);
alter table distribution attach partition distribution_default default;
create index distribution_series on distribution (series_id, ts);

-- Partitions can't have identity columns before PostgreSQL 17: a sequence does the same.
alter table profile rename to profile_default;
alter table profile_default drop constraint profile_pkey;
alter index profile_resource rename to profile_default_key;
alter table profile_default alter profile_id drop identity;
create sequence profile_id;
select setval('profile_id', coalesce(max(profile_id), 0) + 1, false) from profile_default;
alter table profile_default alter profile_id set default nextval('profile_id');
create table profile (like profile_default including defaults) partition by range (ts);
alter sequence profile_id owned by profile.profile_id;
alter table profile attach partition profile_default default;
create index profile_resource on profile (resource_id, ts);
create index profile_number on profile (profile_id);

-- The time of a key is its own where it has one (UUIDv7), so that a batch that comes again meets itself.
alter table ingest_batch rename to ingest_batch_default;
alter table ingest_batch_default rename column received to at;
alter table ingest_batch_default drop constraint ingest_batch_pkey;
create table ingest_batch (like ingest_batch_default including defaults) partition by range (at);
alter table ingest_batch attach partition ingest_batch_default default;
alter table ingest_batch add primary key (batch_id, signal, at);
