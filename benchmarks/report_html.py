"""How long the HTML report of a 10-minute run with 5 000 allocation sites takes, and how large it is.

`python benchmarks/report_html.py`: the whole command, from a kept file on disk to the page on disk, against a process
that only reads that file. Prints both, their ratio, and the bounds that hold.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from memwarden_core.recording import Frame, Profile, Recording
from memwarden_core.recording_file import write_recording
from memwarden_core.synthetic import MB, Shape, SyntheticProcess, SyntheticSite, constant, for_ever, record

SECONDS_BOUND = 3.0
BYTES_BOUND = 2_000_000
FILES = 200
DEPTH = 24
REFERENCE = """
import sys
from memwarden_core.recording_file import read_recording
with open(sys.argv[1], "rb") as stream:
    read_recording(stream)
"""


def recording(sites: int, seconds: int, profile_seconds: int, seed: int = 7) -> Recording:
    """A leak of 20 MB a minute among many sites that come and go, with stacks as deep as web frameworks make them."""
    leak = SyntheticSite("remember", constant(20 * MB / 60), for_ever)
    base = record(Shape([SyntheticProcess([leak], base_bytes=120 * MB)]), seconds, seed)
    generator = np.random.default_rng(seed)
    shared = [
        Frame(f"/usr/lib/python3.11/site-packages/web/layer{n % 9}.py", 20 + n, f"call_{n}")
        for n in range(60)
    ]
    stacks = list(base.stacks)
    for number in range(sites - 1):
        own = Frame(f"/srv/shop/module{number % FILES}.py", 10 + number // FILES, f"step_{number}")
        caller = Frame(f"/srv/shop/module{number % FILES}.py", 900, f"handle_{number % FILES}")
        outer = [shared[int(k)] for k in np.sort(generator.integers(0, 60, DEPTH - 2))]
        stacks.append((own, caller, *reversed(outer)))
    profiles = []
    samples = generator.poisson(1.2, sites - 1)
    for place, profile in enumerate(base.profiles):
        if place % max(1, profile_seconds // 5):
            continue
        changed = generator.uniform(size=sites - 1) < 0.05
        samples = np.where(changed, generator.poisson(1.2, sites - 1), samples)
        alive = np.flatnonzero(samples)
        cells = np.zeros((alive.size, 10), dtype=np.int64)
        cells[np.arange(alive.size), generator.integers(3, 9, alive.size)] = samples[alive]
        profiles.append(
            Profile(
                time=profile.time, process=0,
                stacks=np.concatenate([profile.stacks, alive + 1]),
                live_bytes=np.concatenate([profile.live_bytes, cells * generator.uniform(3e5, 7e5, (alive.size, 1))]),
                blocks=np.concatenate([profile.blocks, cells * 40.0]),
                samples=np.concatenate([profile.samples, cells]),
            )
        )  # fmt: skip
    return replace(base, stacks=tuple(stacks), profiles=tuple(profiles))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, default=5000)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--profile-seconds", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="write the recording to this file and do nothing else")
    arguments = parser.parse_args()
    made = recording(arguments.sites, arguments.seconds, arguments.profile_seconds)
    if arguments.keep:
        with arguments.keep.open("wb") as stream:
            write_recording(made, stream)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        kept, page = Path(folder) / "run.mwrec", Path(folder) / "run.html"
        with kept.open("wb") as stream:
            write_recording(made, stream)
        reference, _ = _timed([sys.executable, "-c", REFERENCE, str(kept)])
        command = [sys.executable, "-m", "memwarden", "report", str(kept), "--output", str(page)]
        cpu, wall = min(_timed(command) for _ in range(3))
        size = page.stat().st_size
    print(f"{arguments.sites} sites, {arguments.seconds} s, {len(made.profiles)} profiles")
    print(f"page in {cpu:.2f} s CPU, {wall:.2f} s by the clock (bound {SECONDS_BOUND:g} s CPU)")
    print(f"page of {size / 1e6:.2f} MB (bound {BYTES_BOUND / 1e6:g} MB)")
    print(f"ratio of CPU to reading the file alone ({reference:.2f} s): {cpu / reference:.2f}")
    return 0 if cpu <= SECONDS_BOUND and size <= BYTES_BOUND else 1


def _timed(command: list[str]) -> tuple[float, float]:
    """(CPU seconds, seconds by the clock) of a process; CPU does not depend on what else the machine does."""
    before, begun = os.times(), time.perf_counter()
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return cpu, time.perf_counter() - begun


if __name__ == "__main__":
    sys.exit(main())
