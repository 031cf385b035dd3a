alter table mem_sample rename to mem_sample_before;
create table mem_sample (like mem_sample_before including defaults);
insert into mem_sample select * from mem_sample_before;
drop table mem_sample_before;
create index mem_sample_resource on mem_sample (resource_id, ts);

alter table sample rename to sample_before;
create table sample (like sample_before including defaults);
insert into sample select * from sample_before;
drop table sample_before;
create index sample_series on sample (series_id, ts);

alter table distribution rename to distribution_before;
create table distribution (like distribution_before including defaults);
insert into distribution select * from distribution_before;
drop table distribution_before;
create index distribution_series on distribution (series_id, ts);

alter table profile rename to profile_before;
create table profile (like profile_before);
insert into profile select * from profile_before;
drop table profile_before;
alter table profile alter profile_id add generated always as identity;
select setval(pg_get_serial_sequence('profile', 'profile_id'), coalesce(max(profile_id), 0) + 1, false) from profile;
alter table profile add primary key (profile_id);
create index profile_resource on profile (resource_id, ts);

-- Keys with a time of their own may be there once a time: the first is enough to know a batch by.
alter table ingest_batch rename to ingest_batch_before;
create table ingest_batch (
  batch_id bytea not null,
  signal smallint not null,
  received timestamptz not null default now()
);
insert into ingest_batch select batch_id, signal, min(at) from ingest_batch_before group by batch_id, signal;
drop table ingest_batch_before;
alter table ingest_batch add primary key (batch_id, signal);

drop table retention;
