"""`python -m corpus.record [NAME …]`: run the programs, watch each with `memwarden run --keep`, keep the recordings.

Unattended and resumable: a run whose program, label, packages and settings are the ones of the recording that is there
is not made again. Three runs at a time; services get their requests from a process of their own, which is not
watched. A run that is no good (the program ended by itself, ticks are missing, nothing was sampled) is refused and
named at the end, with exit code 1; nothing of it is kept.
"""

import argparse
import json
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Final

import numpy as np

from corpus.environments import cache, interpreter
from corpus.errors import EnvironmentUnavailable, Refused
from corpus.labels import CORPUS
from corpus.portable import portable
from corpus.runs import INTERVAL, Run, wanted
from memwarden_core.errors import RecordingError
from memwarden_core.recording import Recording, SeriesKey
from memwarden_core.recording_file import read_recording, write_recording
from memwarden_core.signals import MEMORY_ANON

ROOT: Final = CORPUS.parents[1]
LONGEST_GAP: Final = 3.0
"""Seconds without a sample; more, and the machine was too busy for a recording."""
AT_ONCE: Final = 3


RUNNING: Final[set[subprocess.Popen[str]]] = set()
"""What is being watched now, to be ended when the recorder is."""


def record(run: Run) -> str:
    """Make one recording; returns a line about it. Raises Refused or EnvironmentUnavailable."""
    python = interpreter(run.interpreter, run.environment)
    with tempfile.TemporaryDirectory(prefix="corpus-") as folder:
        kept = Path(folder) / "run.mwrec"
        busy = os.getloadavg()[0]
        output = _watch(run, python, kept, Path(folder))
        try:
            with kept.open("rb") as stream:
                recording = read_recording(stream)
        except (OSError, RecordingError) as error:
            raise Refused(f"no recording ({error}); {output[-400:]}") from error
    _accept(run, recording)
    renaming = [
        (str(run.path.parent), "/srv/app"),
        (str(python.parents[1]), "/opt/venv"),
        *((prefix, "/usr/local") for prefix in _installations(recording)),
        (str(cache()), "/opt"),
        (str(ROOT), "/opt/memwarden"),
    ]
    clean = portable(
        recording, renaming, dict(run.labels) | {"recorded": time.strftime("%Y-%m-%d", time.gmtime())}
    )
    run.target.parent.mkdir(parents=True, exist_ok=True)
    part = run.target.with_suffix(".part")
    with part.open("wb") as stream:
        write_recording(clean, stream)
    part.replace(run.target)
    run.origin.write_text(json.dumps(_origin(run, recording, busy), indent=1) + "\n")
    return _summary(run, recording)


def _watch(run: Run, python: Path, kept: Path, folder: Path) -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # The program's own environment: nothing of ours but what it reads.
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COVERAGE"))
    }
    environment |= {
        "CORPUS_LOAD": run.load, "CORPUS_SEED": str(run.seed), "CORPUS_VARIANT": run.variant, "PORT": str(port),
        "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    command = [
        sys.executable, "-m", "memwarden", "run", "--quiet", "--keep", str(kept), "--interval", f"{INTERVAL}s",
        "--duration", f"{run.seconds}s", "--memory-limit", str(run.limit_bytes), "--", str(python), str(run.path),
    ]  # fmt: skip
    app = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    RUNNING.add(app)
    client = None
    if run.requests_per_second:
        client = subprocess.Popen(
            [sys.executable, "-m", "traffic.client", str(port), str(run.requests_per_second), str(run.seconds + 60)],
            cwd=run.path.parent, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
    try:
        output, _ = app.communicate(timeout=run.seconds + 240)
    except subprocess.TimeoutExpired as error:
        app.send_signal(signal.SIGTERM)
        try:
            app.communicate(timeout=60)
        except subprocess.TimeoutExpired:  # a machine that is far too busy: one run less, not all of them
            app.kill()
            app.communicate()
        raise Refused("memwarden run did not end in time") from error
    finally:
        RUNNING.discard(app)
        if client is not None:
            client.kill()
            client.wait()
    return output


def _accept(run: Run, recording: Recording) -> None:
    anon = recording.series.get(SeriesKey(MEMORY_ANON))
    if anon is None or anon.time.size < run.fewest_ticks:
        had = 0 if anon is None else anon.time.size
        raise Refused(f"{had} ticks, fewer than {run.fewest_ticks}: did the program end by itself?")
    gap = float(np.diff(anon.time).max())
    if gap > LONGEST_GAP:
        raise Refused(f"{gap:.1f} s without a sample: the machine was too busy")
    if not any(process.hooked for process in recording.processes):
        raise Refused(
            f"no process has the hook: {recording.processes[0].reason if recording.processes else 'none'}"
        )
    if not recording.profiles:
        raise Refused("no profile of it was taken")


def _installations(recording: Recording) -> list[str]:
    """Folders that interpreters are installed in, longest first."""
    found = set()
    for process in recording.processes:
        for prefix in process.library_prefixes:
            if match := re.match(r"(.+)/lib/python3\.\d+", prefix):
                found.add(match[1])
    return sorted(found, key=len, reverse=True)


def _origin(run: Run, recording: Recording, busy: float) -> dict[str, object]:
    ticks = recording.series[SeriesKey(MEMORY_ANON)].time
    return {
        "digest": run.digest(),
        "recorded": time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime()),
        "runtime": next((process.runtime for process in recording.processes if process.hooked), ""),
        "packages": run.environment,
        "load": run.load,
        "ticks": int(ticks.size),
        "longest_gap_seconds": round(float(np.diff(ticks).max()), 3),
        "interval_seconds": INTERVAL,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {_total_memory()}",
        "load_average": round(busy, 1),
    }


def _total_memory() -> str:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"{pages / 2**30:.0f} GiB"


def _summary(run: Run, recording: Recording) -> str:
    """How memory went, and which functions held most of what lived at the end."""
    anon = recording.series[SeriesKey(MEMORY_ANON)].value / 1e6
    tenths = " ".join(f"{part.min():.0f}" for part in np.array_split(anon, 10))
    held: dict[str, float] = {}
    newest = {profile.process: profile for profile in recording.profiles}
    for profile in newest.values():
        for stack, size in zip(profile.stacks, profile.live_bytes.sum(axis=1), strict=True):
            frame = next(
                (f for f in recording.stacks[stack] if f.file.startswith(str(run.path.parent))), None
            )
            word = f"{Path(frame.file).name}:{frame.function}" if frame else "libraries"
            held[word] = held.get(word, 0.0) + float(size) / 1e6
    top = sorted(held.items(), key=lambda item: -item[1])[:3]
    return f"MB {tenths} | " + ", ".join(f"{word} {size:.1f}" for word, size in top)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m corpus.record", description="Record the corpus.")
    parser.add_argument("names", nargs="*", help="programs or fleets (default: all)")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="runs at a time (default: %(default)s)")
    arguments = parser.parse_args()
    runs = [run for run in wanted(arguments.names) if not run.current()]
    # The longest first, so that none of them is left alone at the end.
    runs.sort(key=lambda run: -run.seconds)
    minutes = sum(run.seconds for run in runs) / 60 / arguments.at_once
    print(
        f"corpus: {len(runs)} to record, {arguments.at_once} at a time: {minutes:.0f} minutes or more",
        flush=True,
    )
    refused: list[str] = []
    for version, packages in sorted({(run.interpreter, run.environment) for run in runs}):
        try:
            interpreter(version, packages)
        except EnvironmentUnavailable as error:
            print(f"corpus: Python {version} {packages}: {error}", file=sys.stderr)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    pool = ThreadPoolExecutor(arguments.at_once)
    pending = {pool.submit(record, run): run for run in runs}
    try:
        for number, future in enumerate(as_completed(pending), 1):
            word = pending[future].target.relative_to(CORPUS / "recordings")
            try:
                line = future.result()
            except (Refused, EnvironmentUnavailable) as error:
                line = f"REFUSED: {error}"
                refused.append(f"{word}: {error}")
            print(f"[{number}/{len(runs)}] {word} {line}", flush=True)
    except KeyboardInterrupt:
        print("corpus: ended; what was recorded stays, make corpus goes on from there", file=sys.stderr)
        pool.shutdown(wait=False, cancel_futures=True)
        for app in tuple(RUNNING):
            app.terminate()
        return 130
    finally:
        pool.shutdown()
    for line in refused:
        print(f"corpus: refused {line}", file=sys.stderr)
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
