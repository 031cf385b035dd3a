-- Rollups: of each minute, ten minutes, hour and day what its samples were, so that a long time is read fast and outlives
-- the samples. They merge: a longer one is made from the shorter ones. `min` is the floor: the lowest value is what the
-- judge calls so.

-- How far each level has come. `closed`: buckets that end by then are made.
create table rollup_level (
  level smallint primary key,
  closed timestamptz not null
);

-- What waits for each level: a scope, and since when its buckets are to be made, for the first time or again because
-- something came late.
create table rollup_waiting (
  level smallint not null,
  scope_id integer not null references scope,
  since timestamptz not null,
  primary key (level, scope_id)
);
-- The changes (ingest_change) of transactions before this one are in rollup_waiting.
create table rollup_feed (
  xact xid8 not null
);
insert into rollup_level select level, '-infinity' from generate_series(1, 4) level;
insert into rollup_waiting select 1, scope_id, seen_first from scope;
insert into rollup_feed select pg_snapshot_xmin(pg_current_snapshot());

-- Wide, as mem_sample: element i of each array is the column i of memwarden_collector.store.rollups.COLUMNS.
create table roll_mem_1m (
  bucket timestamptz not null,
  resource_id bigint not null,
  n integer[] not null,
  min double precision[] not null,
  max double precision[] not null,
  sum double precision[] not null,
  last double precision[] not null
) partition by range (bucket);
create table roll_sample_1m (
  bucket timestamptz not null,
  series_id bigint not null,
  n integer not null,
  min double precision not null,
  max double precision not null,
  sum double precision not null,
  last double precision not null
) partition by range (bucket);
create unique index roll_mem_1m_key on roll_mem_1m (resource_id, bucket);
create unique index roll_sample_1m_key on roll_sample_1m (series_id, bucket);

create table roll_mem_10m (
  bucket timestamptz not null,
  resource_id bigint not null,
  n integer[] not null,
  min double precision[] not null,
  max double precision[] not null,
  sum double precision[] not null,
  last double precision[] not null
) partition by range (bucket);
create table roll_sample_10m (
  bucket timestamptz not null,
  series_id bigint not null,
  n integer not null,
  min double precision not null,
  max double precision not null,
  sum double precision not null,
  last double precision not null
) partition by range (bucket);
create unique index roll_mem_10m_key on roll_mem_10m (resource_id, bucket);
create unique index roll_sample_10m_key on roll_sample_10m (series_id, bucket);

create table roll_mem_1h (
  bucket timestamptz not null,
  resource_id bigint not null,
  n integer[] not null,
  min double precision[] not null,
  max double precision[] not null,
  sum double precision[] not null,
  last double precision[] not null
) partition by range (bucket);
create table roll_sample_1h (
  bucket timestamptz not null,
  series_id bigint not null,
  n integer not null,
  min double precision not null,
  max double precision not null,
  sum double precision not null,
  last double precision not null
) partition by range (bucket);
create unique index roll_mem_1h_key on roll_mem_1h (resource_id, bucket);
create unique index roll_sample_1h_key on roll_sample_1h (series_id, bucket);

create table roll_mem_1d (
  bucket timestamptz not null,
  resource_id bigint not null,
  n integer[] not null,
  min double precision[] not null,
  max double precision[] not null,
  sum double precision[] not null,
  last double precision[] not null
) partition by range (bucket);
create table roll_sample_1d (
  bucket timestamptz not null,
  series_id bigint not null,
  n integer not null,
  min double precision not null,
  max double precision not null,
  sum double precision not null,
  last double precision not null
) partition by range (bucket);
create unique index roll_mem_1d_key on roll_mem_1d (resource_id, bucket);
create unique index roll_sample_1d_key on roll_sample_1d (series_id, bucket);
