drop table distribution;
drop table distribution_bounds;
delete from series where kind in ('histogram', 'exponential_histogram', 'summary');
