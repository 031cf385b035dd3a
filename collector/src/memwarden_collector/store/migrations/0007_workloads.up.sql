-- What the verdicts of containers mean together: workloads, whose containers they are, their leaks.

-- Whose pod it is, as the controller says. Containers of a pod without a row go by what their own resource says.
create table pod_owner (
  pod_uid text primary key,
  namespace text not null,
  pod text not null,
  -- Of the top owner.
  kind text not null,
  name text not null,
  version text not null default '',
  -- Container → image.
  images jsonb not null default '{}',
  profile text not null default '',
  updated_at timestamptz not null default now()
);
create index pod_owner_updated on pod_owner (updated_at);

create table workload (
  workload_id integer generated always as identity primary key,
  -- NAMESPACE/KIND/OWNER/CONTAINER, or the scope of a run.
  name text not null unique,
  namespace text not null,
  kind text not null,
  owner text not null,
  container text not null,
  first_seen timestamptz not null
);

-- A container of a workload in one of its lives, and what of its last judgement the workload's verdict is made of.
create table workload_scope (
  scope_id integer primary key references scope,
  workload_id integer not null references workload,
  pod text not null,
  pod_uid text not null,
  version text not null,
  -- The newest sample that was looked at, by the screen or by the judge.
  at timestamptz not null,
  -- The newest sample of the last judgement; null: none yet.
  judged_at timestamptz,
  ended boolean not null default false,
  kind text not null,
  anon_bytes double precision,
  limit_bytes double precision,
  digest jsonb not null
) with (fillfactor = 80);
create index workload_scope_workload on workload_scope (workload_id);
create index workload_scope_pod on workload_scope (pod_uid) where pod_uid <> '';

-- The last number given to a change. Who gives the next one holds this row until its transaction is over, so changes are
-- seen in the order of their numbers and a reader that goes on behind the last one misses none.
create table workload_change (
  last bigint not null
);
insert into workload_change values (0);

-- The last verdict of each workload.
create table workload_last (
  workload_id integer primary key references workload,
  change bigint not null,
  at timestamptz not null,
  kind text not null,
  severity smallint not null,
  confidence double precision not null,
  growth_bytes_per_second double precision,
  usage_ratio double precision,
  -- Seconds: P10, P50, P90.
  forecast double precision[],
  leak_active boolean not null,
  -- Containers that live.
  living integer not null,
  scopes integer not null,
  -- memwarden_api.workloads.Workload
  document jsonb not null
);
create unique index workload_last_change on workload_last (change);
create index workload_last_worst on workload_last (leak_active desc, severity desc, workload_id);

-- Its history, a row when something changed or an hour passed.
create table workload_verdict (
  workload_id integer not null references workload,
  at timestamptz not null,
  kind text not null,
  confidence double precision not null,
  at_risk boolean not null,
  growth_bytes_per_second double precision,
  usage_ratio double precision,
  version text not null,
  headline text not null
);
create index workload_verdict_workload on workload_verdict (workload_id, at);
create index workload_verdict_at on workload_verdict (at);

create table leak (
  leak_id bigint generated always as identity primary key,
  workload_id integer not null references workload,
  fingerprint text not null,
  state text not null,
  returns integer not null,
  first_seen timestamptz not null,
  last_seen timestamptz not null,
  -- When it came into its state.
  changed_at timestamptz not null,
  closed_at timestamptz,
  first_version text not null,
  last_version text not null,
  growth_bytes_per_second double precision,
  headline text not null,
  -- memwarden_api.report.Frame
  site jsonb,
  unique (workload_id, fingerprint)
);
create index leak_state on leak (state, changed_at);

create table leak_change (
  leak_id bigint not null references leak on delete cascade,
  at timestamptz not null,
  state text not null,
  version text not null,
  reason text not null
);
create index leak_change_leak on leak_change (leak_id, at);
