-- What was judged. `verdict` is the history, a row when something changed or time passed; the last verdict of each
-- scope is kept whole beside it.

create table verdict (
  verdict_id bigint generated always as identity primary key,
  scope_id integer not null references scope,
  at timestamptz not null,
  kind text not null,
  confidence double precision not null,
  at_risk boolean not null,
  reason text not null,
  headline text not null,
  cause text not null,
  fingerprint text,
  since timestamptz,
  growth_bytes_per_second double precision,
  anon_bytes double precision
);
create index verdict_scope on verdict (scope_id, at);

create table verdict_last (
  scope_id integer primary key references scope,
  at timestamptz not null,
  kind text not null,
  -- memwarden_api.report.Verdict without its history
  document jsonb not null
);
create index verdict_last_kind on verdict_last (kind, scope_id);
