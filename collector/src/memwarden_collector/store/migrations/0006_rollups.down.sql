drop table rollup_level, rollup_waiting, rollup_feed;
drop table roll_mem_1m;
drop table roll_sample_1m;
drop table roll_mem_10m;
drop table roll_sample_10m;
drop table roll_mem_1h;
drop table roll_sample_1h;
drop table roll_mem_1d;
drop table roll_sample_1d;
