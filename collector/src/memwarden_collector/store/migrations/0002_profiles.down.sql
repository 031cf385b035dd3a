drop table profile, stack, frame, function;
