-- What was decided about pods that leak, as the controller told it.
create table decision (
  number bigint generated always as identity primary key,
  decision_id text not null unique,
  namespace text not null,
  profile text not null,
  kind text not null,
  name text not null,
  pod text not null,
  action text not null,
  result text not null,
  reason text not null,
  message text not null,
  -- The HeapSnapshot that was taken before, and where its recording is; "" where there is none.
  snapshot text not null,
  recording text not null,
  at timestamptz not null
);
create index decision_workload on decision (namespace, kind, name, at desc, number desc);
create index decision_at on decision (at, number);
