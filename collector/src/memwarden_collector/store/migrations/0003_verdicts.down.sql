drop table verdict_last, verdict;
