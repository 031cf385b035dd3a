-- What the doors write: scopes, resources, series, samples, the ledger of batches.

-- What gets one verdict.
create table scope (
  scope_id integer generated always as identity primary key,
  name text not null unique,
  kind text not null,
  command text not null default '',
  host text not null default '',
  interval_seconds double precision,
  limit_bytes double precision,
  limit_source text,
  seen_first timestamptz not null,
  seen_last timestamptz not null
);

-- Who was measured: the scope as a whole (pid is null) or one of its processes, or a foreign resource.
create table resource (
  resource_id bigint generated always as identity primary key,
  scope_id integer not null references scope,
  fp bytea not null unique,
  pid integer,
  created double precision,
  attrs jsonb not null,
  attrs_at timestamptz not null,
  seen_first timestamptz not null,
  seen_last timestamptz not null
);
create index resource_scope on resource (scope_id);

create table series (
  series_id bigint generated always as identity primary key,
  resource_id bigint not null references resource,
  fp bytea not null unique,
  metric text not null,
  unit text not null,
  kind text not null,
  temporality text not null,
  monotonic boolean not null,
  attribute text not null,
  attrs jsonb not null
);
create index series_resource on series (resource_id);

-- Wide: one row for a resource and moment, the scalars that memwarden_collector.columns knows.
create table mem_sample (
  ts timestamptz not null,
  resource_id bigint not null,
  anon_bytes double precision,
  limit_bytes double precision,
  available_bytes double precision,
  cpu_seconds double precision,
  process_count double precision,
  rss_bytes double precision,
  thread_count double precision,
  fd_count double precision,
  heap_live_bytes double precision,
  heap_allocated_bytes double precision,
  heap_samples double precision,
  heap_sampling_bytes double precision,
  probe_cpu_seconds double precision,
  probe_silence_seconds double precision,
  limit_source text
);
create index mem_sample_resource on mem_sample (resource_id, ts);

-- Narrow: every other number.
create table sample (
  ts timestamptz not null,
  series_id bigint not null,
  value double precision not null
);
create index sample_series on sample (series_id, ts);

-- A batch whose key is here was stored: it is acknowledged, and not stored again.
create table ingest_batch (
  batch_id bytea not null,
  signal smallint not null,
  received timestamptz not null default now(),
  primary key (batch_id, signal)
);

-- Which scope got data from when on, by transaction: readers that keep the past in memory load what is new, late
-- data too, whoever wrote it. Rows with xact >= the xmin of a reader's last snapshot are what it may not have seen.
create table ingest_change (
  xact xid8 not null default pg_current_xact_id(),
  scope_id integer not null,
  since timestamptz not null,
  at timestamptz not null default now()
);
create index ingest_change_scope on ingest_change (scope_id, xact);
create index ingest_change_xact on ingest_change (xact);
