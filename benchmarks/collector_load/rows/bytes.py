"""Bytes that a value takes in the store, with its index."""

from collections.abc import Iterator

from collector_load import running, senders
from collector_load.figure import Figure, Scale, load_average
from collector_load.senders import Plan

ROW = "bytes"
_SIZE = """
select sum(pg_total_relation_size(c.oid)) from pg_class c join pg_inherits i on i.inhrelid = c.oid
where i.inhparent = %s::regclass
"""


def measure(scale: Scale) -> Iterator[Figure]:
    with running.collector() as ours:
        requests = scale.count(12_000, 1000)
        senders.send(Plan(ours.url, senders=100, connections=32, seconds=300, requests=requests, churn=10**9))
        wide_rows, values = ours.rows(
            "select count(*), sum(num_nonnulls(anon_bytes, limit_bytes, available_bytes, cpu_seconds, process_count,"
            " rss_bytes, thread_count, fd_count, heap_live_bytes, heap_allocated_bytes, heap_samples,"
            " heap_sampling_bytes, probe_cpu_seconds, probe_silence_seconds)) from mem_sample"
        )[0]
        narrow = ours.rows("select count(*) from sample")[0][0]
        wide_bytes, narrow_bytes = (
            float(ours.rows(_SIZE, table)[0][0]) for table in ("mem_sample", "sample")
        )
        load = load_average()
        yield Figure(
            ROW,
            "a wide value",
            wide_bytes / float(values),
            "bytes",
            13.0,
            True,
            "a narrow value",
            narrow_bytes / float(narrow),
            f"{wide_rows} rows of {float(values) / float(wide_rows):.1f} values; heap and index of all partitions",
            load,
        )
