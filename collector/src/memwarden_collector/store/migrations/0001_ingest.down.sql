drop table ingest_change, ingest_batch, sample, mem_sample, series, resource, scope;
