-- Alerts as Alertmanager posted them: one row for each time that one fired.
create table alert (
  alert_id bigint generated always as identity primary key,
  -- Alertmanager's name for the alert's labels.
  fingerprint text not null,
  starts_at timestamptz not null,
  -- Null while it fires.
  ends_at timestamptz,
  -- Namespace of what is watched, "" where the alert names none.
  namespace text not null,
  name text not null,
  labels jsonb not null,
  annotations jsonb not null,
  -- Who was told of it, as far as it was posted here for them.
  receivers text[] not null,
  first_posted_at timestamptz not null default now(),
  last_posted_at timestamptz not null default now(),
  unique (fingerprint, starts_at)
);
create index alert_namespace on alert (namespace, alert_id);
create index alert_last_posted on alert (last_posted_at);
