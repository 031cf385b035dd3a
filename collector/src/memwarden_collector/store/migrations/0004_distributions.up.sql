-- Histograms, exponential histograms and summaries: one row a point. Columns that a kind has not are null.

-- Bounds repeat in every point of a series: they are kept once. Of a summary they are its quantiles.
create table distribution_bounds (
  bounds_id integer generated always as identity primary key,
  fp bytea not null unique,
  bounds double precision[] not null
);

create table distribution (
  ts timestamptz not null,
  series_id bigint not null,
  count bigint not null,
  sum double precision,
  min double precision,
  max double precision,
  bounds_id integer not null,
  buckets bigint[],
  negative_buckets bigint[],
  scale integer,
  positive_offset integer,
  negative_offset integer,
  zero_count bigint,
  zero_threshold double precision,
  quantiles double precision[]
);
create index distribution_series on distribution (series_id, ts);
