"""Variants of a program: plain, with Memwarden as `memwarden run` sets it up, with another profiler, with a part of us
turned off."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from memwarden import probe
from overhead.programs import READY_SECONDS, on_core

AVERAGE: Final = 512 << 10
"""What `memwarden run` sets, and what the other samplers are told: mean bytes between two samples."""
LOAD_CORE: Final = 1
INTERVAL: Final = "1"
"""Seconds between two samples of the sidecar: the default of `memwarden run`."""

PLAIN: Final = "plain"
OURS: Final = "memwarden"
DISABLED: Final = "memwarden, MEMWARDEN_DISABLE=1"
STOPPED: Final = "memwarden, sidecar stopped"
OTHERS: Final = ("tracemalloc", "memray", "memray python", "ddtrace")
NAMES: Final = (PLAIN, OURS, DISABLED, STOPPED, *OTHERS)
MEANING: Final[Mapping[str, str]] = {
    OURS: "probe and sidecar as `memwarden run` sets them, a sample each 512 KiB on average",
    DISABLED: "the same environment, turned off by `MEMWARDEN_DISABLE=1`",
    STOPPED: "the sidecar halted by SIGSTOP after the programs had connected",
    "tracemalloc": "`tracemalloc.start()`, one frame a block",
    "memray": "`memray.Tracker(file)`: sees the allocator's arenas, not Python's objects",
    "memray python": "`memray.Tracker(file, trace_python_allocators=True)`",
    "ddtrace": "ddtrace's heap profiler alone, a sample each 512 KiB, nothing sent",
}


@dataclass(frozen=True, slots=True)
class Sidecars:
    """Two real sidecars, without a collector: what they could not send goes to a spool. One gets stopped."""

    folder: Path
    process: subprocess.Popen[bytes]
    to_stop: subprocess.Popen[bytes]

    def environment(self, variant: str) -> dict[str, str]:
        plain = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "MEMWARDEN", "COVERAGE"))
        }
        # The order of sets and dictionaries' collisions stay the same from process to process.
        plain["PYTHONHASHSEED"] = "0"
        plain["OVERHEAD_FOLDER"] = str(self.folder)
        plain["OVERHEAD_AVERAGE"] = str(AVERAGE)
        if variant in OTHERS:
            plain["OVERHEAD_PROFILER"] = variant
        if not variant.startswith(OURS):
            return plain
        name = "stopped" if variant == STOPPED else "awake"
        watched = probe.environment(plain, probe.probe_folder(), self.folder / name, AVERAGE)
        return watched | ({"MEMWARDEN_DISABLE": "1"} if variant == DISABLED else {})

    @contextmanager
    def halted(self) -> Iterator[None]:
        """The one sidecar does not run: what its programs pay then is all their own."""
        self.to_stop.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.to_stop.send_signal(signal.SIGCONT)


@contextmanager
def sidecars(folder: Path) -> Iterator[Sidecars]:
    running = [_sidecar(folder, "awake"), _sidecar(folder, "stopped")]
    try:
        yield Sidecars(folder, *running)
    finally:
        for process in running:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in running:
            process.wait(READY_SECONDS)


def _sidecar(folder: Path, name: str) -> subprocess.Popen[bytes]:
    ready = folder / f"{name}.ready"
    command = [
        sys.executable, "-P", "-m", "memwarden_sidecar", "--scope-id", f"overhead-{name}",
        "--socket", str(folder / name), "--collector", "http://127.0.0.1:9", "--interval", INTERVAL,
        "--sampling-bytes", str(AVERAGE), "--spool", str(folder / f"{name}.spool"),
        "--ready-file", str(ready), "--log-level", "error",
    ]  # fmt: skip
    process = subprocess.Popen(on_core(LOAD_CORE, command), stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + READY_SECONDS
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the sidecar did not get ready")
        time.sleep(0.02)
    return process
