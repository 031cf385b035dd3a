-- Evidence of one pod's memory, taken because somebody asked for it or before its pod is sent away.
create table evidence (
  evidence_id uuid primary key,
  number bigint generated always as identity unique,
  namespace text not null,
  pod text not null,
  pod_uid text not null,
  container text not null,
  -- "" where nothing was heard of the container.
  scope text not null,
  kinds text[] not null,
  state text not null,
  reason text not null,
  message text not null,
  -- What is being waited for: kind → {"command": id, "before": Unix seconds of the newest data of that kind before}.
  waits jsonb not null,
  wait_seconds double precision not null,
  keep_seconds double precision not null,
  -- The recording of the scope, as `memwarden report` reads it.
  content bytea,
  sha256 bytea not null default '',
  size bigint not null default 0,
  made_at timestamptz not null default now(),
  done_at timestamptz,
  expires_at timestamptz not null
);
-- It is packed already.
alter table evidence alter column content set storage external;
create index evidence_pod on evidence (pod_uid, made_at);
create index evidence_namespace on evidence (namespace, number);
create index evidence_expires on evidence (expires_at);
