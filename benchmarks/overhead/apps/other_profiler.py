"""Starts the profiler that OVERHEAD_PROFILER names in this process, as its own documentation does it."""

import os

_kept = []  # a tracker ends when nobody holds it


def start() -> None:
    name = os.environ.get("OVERHEAD_PROFILER", "")
    if name == "tracemalloc":
        import tracemalloc

        tracemalloc.start()
    elif name in ("memray", "memray python"):
        import memray

        file = f"{os.environ['OVERHEAD_FOLDER']}/memray.{os.getpid()}"
        tracker = memray.Tracker(file, trace_python_allocators=name == "memray python")
        tracker.__enter__()
        _kept.append(tracker)
    elif name == "ddtrace":
        from ddtrace.profiling.collector.memalloc import MemoryCollector

        collector = MemoryCollector(heap_sample_size=int(os.environ["OVERHEAD_AVERAGE"]))
        collector.start()
        _kept.append(collector)
