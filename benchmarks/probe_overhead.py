"""What the Python probe costs: CPU time with it over CPU time without, in pairs of fresh processes.

    python benchmarks/probe_overhead.py [--python PATH]... [--pairs 15] [--average 524288]

Each line is a workload: the median of the paired ratios and the middle half of them. "start" is an interpreter that
does nothing, in milliseconds of CPU more rather than as a ratio. The two of a pair run in random order, so that a
machine which grows slower does not blame the probe.
"""

import argparse
import contextlib
import os
import random
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

PROBE = Path(__file__).resolve().parents[1] / "probes" / "python"

WORKLOADS = {
    "start": "pass",
    "json": """
import json
data = [{"id": i, "name": "name %d" % i, "tags": ["a", "b", str(i)], "value": i / 7} for i in range(3000)]
for _ in range(30):
    json.loads(json.dumps(data))
""",
    "churn": """
class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y
for _ in range(30):
    kept = [Point(i, [i]) for i in range(30000)]
""",
    "dicts": """
for _ in range(12):
    kept = [{"number": i, "text": str(i), "more": (i, i)} for i in range(60000)]
    del kept
""",
    "arithmetic": """
total = 0
for i in range(6000000):
    total = (total * 31 + i) % 1000003
""",
}


def cpu_seconds(python, source, environment):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([python, "-c", source], env=environment, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def pair(python, source, plain, probed):
    """CPU seconds without and with the probe."""
    order = [(0, plain), (1, probed)]
    random.shuffle(order)
    seconds = {index: cpu_seconds(python, source, environment) for index, environment in order}
    return seconds[0], seconds[1]


def drain(door):
    """A sidecar that only reads: what matters is the cost on the other side."""
    while True:
        try:
            link, _ = door.accept()
        except OSError:
            return
        threading.Thread(target=drain_one, args=(link,), daemon=True).start()


def drain_one(link):
    with contextlib.suppress(OSError), link:
        while True:
            data, descriptors, _, _ = socket.recv_fds(link, 65536, 4)
            for descriptor in descriptors:
                os.close(descriptor)
            if not data:
                return


def report(python, pairs, plain, probed):
    for name, source in WORKLOADS.items():
        times = [pair(python, source, plain, probed) for _ in range(pairs)]
        if name == "start":
            extra = sorted((with_probe - without) * 1000 for without, with_probe in times)
            print(f"{name:12} +{statistics.median(extra):.1f} ms")
            continue
        ratios = sorted(with_probe / without for without, with_probe in times)
        low, high = ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]
        print(f"{name:12} {statistics.median(ratios):.3f}  ({low:.3f} to {high:.3f})", flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", action="append", help="an interpreter; may be given several times")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--average", type=int, default=524288, help="mean bytes between two samples")
    options = parser.parse_args()
    subprocess.run([sys.executable, str(PROBE / "build.py")], check=True, stdout=subprocess.DEVNULL)
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "MEMWARDEN"))}
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as door:
        door.bind(f"{folder}/probes")
        door.listen(16)
        threading.Thread(target=drain, args=(door,), daemon=True).start()
        probed = {
            **plain,
            "PYTHONPATH": str(PROBE / "inject"),
            "MEMWARDEN_SOCKET": f"{folder}/probes",
            "MEMWARDEN_SAMPLING_BYTES": str(options.average),
        }
        for python in options.python or [sys.executable]:
            print(f"{python}, {options.pairs} pairs, a sample every {options.average} bytes")
            report(python, options.pairs, plain, probed)


if __name__ == "__main__":
    main()
