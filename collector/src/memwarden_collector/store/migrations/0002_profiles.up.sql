-- Allocation profiles on a dictionary of stacks: a stack that was seen once costs four bytes from then on.

create table function (
  function_id integer generated always as identity primary key,
  fp bytea not null unique,
  file text not null,
  name text not null
);

create table frame (
  frame_id integer generated always as identity primary key,
  function_id integer not null references function,
  line integer not null,
  unique (function_id, line)
);

create table stack (
  stack_id integer generated always as identity primary key,
  fp bytea not null unique,
  -- frame ids, innermost first
  frames integer[] not null
);

-- One row for a process and moment; element i of each array belongs to (stack i, age bucket i).
create table profile (
  profile_id bigint generated always as identity primary key,
  ts timestamptz not null,
  resource_id bigint not null,
  live_bytes_total bigint not null,
  samples_total bigint not null,
  cells integer not null,
  stacks integer[] not null,
  ages smallint[] not null,
  live_bytes bigint[] not null,
  blocks bigint[] not null,
  samples bigint[] not null
);
create index profile_resource on profile (resource_id, ts);
