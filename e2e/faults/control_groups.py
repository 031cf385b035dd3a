"""A control group of one's own for a run: root's, version 1 or 2, wherever this machine lets one be made."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from memwarden_sidecar.sources.cgroup import find
from memwarden_sidecar.sources.proc_files import ProcFolder

ROOT = Path("/sys/fs/cgroup")


@contextmanager
def control_group(controller: str, **limits: str) -> Iterator[tuple[str, ...]]:
    """The words before a command that put it there. Skips, with the reason, where none can be made."""
    if os.geteuid() != 0:
        pytest.skip("a control group needs root")
    folder = _parent(controller) / f"memwarden-test-{uuid.uuid4().hex[:8]}"
    try:
        folder.mkdir()
        for name, value in limits.items():
            (folder / f"{controller}.{name}").write_text(value)
    except OSError as error:
        if folder.exists():
            folder.rmdir()
        pytest.skip(f"this machine lets no {controller} group be made: {error}")
    try:
        yield "sh", "-c", f'echo $$ > {folder}/cgroup.procs && exec "$@"', "sh"
    finally:
        for _ in range(200):
            _end_all(folder)
            try:
                folder.rmdir()
                break
            except OSError:
                os.sched_yield()


def _parent(controller: str) -> Path:
    if (ROOT / controller).is_dir():
        if controller == "memory" and (own := find(ProcFolder(), os.getpid())) is not None:
            return own.folder
        return ROOT / controller
    return ROOT


def is_version_1(controller: str) -> bool:
    return (ROOT / controller).is_dir()


def _end_all(folder: Path) -> None:
    import signal
    import time

    for pid in (folder / "cgroup.procs").read_text().split():
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            continue
    time.sleep(0.05)
