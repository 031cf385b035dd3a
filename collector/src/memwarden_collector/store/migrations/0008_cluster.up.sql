-- What the controller says of the cluster, commands for sidecars, snapshots, and what sidecars tell beside numbers.

-- Versions of workloads.
create table rollout (
  rollout_id bigint generated always as identity primary key,
  namespace text not null,
  kind text not null,
  name text not null,
  version text not null,
  revision bigint,
  images jsonb not null,
  started_at timestamptz not null,
  finished_at timestamptz,
  updated_at timestamptz not null default now(),
  unique (namespace, kind, name, version)
);

-- How containers ended: one row for each container and its count of restarts. OOMKilled is among the reasons.
create table restart (
  restart_id bigint generated always as identity primary key,
  pod_uid text not null,
  container text not null,
  restart_count integer not null,
  namespace text not null,
  pod text not null,
  reason text not null,
  exit_code integer,
  started_at timestamptz,
  finished_at timestamptz not null,
  updated_at timestamptz not null default now(),
  unique (pod_uid, container, restart_count)
);
create index restart_pod on restart (namespace, pod, container, finished_at);

-- What each MemoryProfile reaches.
create table coverage (
  coverage_id bigint generated always as identity primary key,
  namespace text not null,
  profile text not null,
  matched integer not null,
  injected integer not null,
  skipped jsonb not null,
  at timestamptz not null,
  updated_at timestamptz not null default now(),
  unique (namespace, profile)
);

-- What sidecars shall do. One that was delivered and not answered is delivered again until it expires.
create table command (
  command_id uuid primary key,
  pod_uid text not null,
  container text not null,
  pid integer,
  kind text not null,
  sampling_bytes integer,
  expires_in_seconds double precision not null,
  made_at timestamptz not null default now(),
  expires_at timestamptz not null,
  delivered_at timestamptz,
  done boolean,
  message text,
  result_at timestamptz
);
create index command_open on command (pod_uid, made_at) where done is null;
create index command_due on command (expires_at) where done is null;
create index command_made on command (made_at);

-- Files of bytes that sidecars upload: the bytes are in the folder of snapshots, named by the id.
create table snapshot (
  snapshot_id uuid primary key,
  scope text not null,
  kind text not null,
  size bigint not null,
  chunks integer not null,
  sha256 bytea not null,
  folder text not null,
  state text not null,
  message text not null default '',
  made_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index snapshot_scope on snapshot (scope, snapshot_id);

-- What sidecars tell that is no number: an out-of-memory kill seen by one, and the like.
create table event (
  event_id bigint generated always as identity primary key,
  ts timestamptz not null,
  resource_id bigint not null,
  name text not null,
  body text not null,
  attrs jsonb not null
);
create index event_resource on event (resource_id, ts);
create index event_time on event (ts);
