drop table rollout;
drop table restart;
drop table coverage;
drop table command;
drop table snapshot;
drop table event;
