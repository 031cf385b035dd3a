"""The memory cgroup of a process, versions 1 and 2: usage, lowest limit of the hierarchy, what is left of it.

Where the process is: /proc/PID/cgroup. Where that hierarchy is mounted: /proc/self/mountinfo. In a container
the mount shows only a part of the hierarchy, whose root field says which (proc_pid_mountinfo(5)).
Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst of Linux have the files.
"""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from memwarden_sidecar.errors import Unreadable
from memwarden_sidecar.sources.proc_files import ProcFolder

NO_LIMIT_BYTES: Final = 1 << 60
"""Version 1 says "no limit" with a number near 2⁶³, rounded down to pages."""
MOUNTINFO_BYTES: Final = 256 << 10
LEVELS: Final = 64
"""Folders walked up, at most."""


class _Files(NamedTuple):
    usage: str
    limit: str


_V1: Final = _Files("memory.usage_in_bytes", "memory.limit_in_bytes")
_V2: Final = _Files("memory.current", "memory.max")


@dataclass(frozen=True, slots=True)
class MemoryCgroup:
    """A folder, the mount that it lies in, and the version of its files."""

    folder: Path
    mount: Path
    version: int

    def read(self) -> "CgroupMemory":
        """The values now. A file that can't be read counts as not there."""
        files = _V1 if self.version == 1 else _V2
        limit: int | None = None
        left: int | None = None
        for level in self._levels():
            here = _number(level / files.limit)
            if here is None or here >= NO_LIMIT_BYTES:
                continue
            limit = here if limit is None else min(limit, here)
            used = _number(level / files.usage)
            if used is not None:
                room = max(0, here - used + min(used, _file_pages(level)))
                left = room if left is None else min(left, room)
        return CgroupMemory(_number(self.folder / files.usage), limit, left)

    def oom_kills(self) -> int | None:
        """Processes of it that the kernel has killed for want of memory so far; None where it does not say."""
        file = "memory.oom_control" if self.version == 1 else "memory.events"
        try:
            lines = (self.folder / file).read_text().splitlines()
        except OSError:
            return None
        counts = dict(line.split(" ", 1) for line in lines if " " in line)
        return int(counts["oom_kill"]) if counts.get("oom_kill", "").isdigit() else None

    def anon(self) -> int | None:
        """Anonymous + shared memory of all processes in it, pages that they share counted once."""
        values = _statistics(self.folder)
        wanted = ("total_rss", "total_shmem") if self.version == 1 else ("anon", "shmem")
        found = [int(values[name]) for name in wanted if values.get(name, "").isdigit()]
        return sum(found) if wanted[0] in values and found else None

    def _levels(self) -> list[Path]:
        levels = [self.folder]
        while levels[-1] != self.mount and len(levels) < LEVELS and self.mount in levels[-1].parents:
            levels.append(levels[-1].parent)
        return levels


@dataclass(frozen=True, slots=True)
class CgroupMemory:
    """Bytes; None: no such limit, or not readable."""

    usage: int | None
    limit: int | None
    """The lowest of the folder's own and all above it."""
    available: int | None
    """Room below the limits, counting file pages that the kernel gives back when it needs to."""


def find(proc: ProcFolder, pid: int) -> MemoryCgroup | None:
    """The memory cgroup of a process; None where there is none to see."""
    try:
        lines = proc.text(f"{pid}/cgroup").splitlines()
        mounts = proc.text("self/mountinfo", MOUNTINFO_BYTES).splitlines()
    except Unreadable:
        return None
    entries = [line.split(":", 2) for line in lines if line.count(":") >= 2]
    for (
        _,
        controllers,
        path,
    ) in entries:  # a hybrid machine has both: version 1 then holds the memory controller
        if "memory" in controllers.split(","):
            found = _locate(mounts, "cgroup", "memory", path)
            if found is not None:
                return MemoryCgroup(*found, version=1)
    for number, controllers, path in entries:
        if number == "0" and controllers == "":
            found = _locate(mounts, "cgroup2", None, path)
            if found is not None:
                return MemoryCgroup(*found, version=2)
    return None


def _locate(mounts: list[str], kind: str, controller: str | None, path: str) -> tuple[Path, Path] | None:
    """(folder, mount) of `path` in the first mount of this kind that shows it."""
    for line in mounts:
        left, _, right = line.partition(" - ")
        fields, kinds = left.split(), right.split()
        if len(fields) < 5 or len(kinds) < 3 or kinds[0] != kind:
            continue
        if controller is not None and controller not in kinds[2].split(","):
            continue
        root, mount = PurePosixPath(_plain(fields[3])), Path(_plain(fields[4]))
        inside = PurePosixPath(path)
        if ".." in inside.parts or not inside.is_relative_to(root):
            return mount, mount  # seen from another cgroup namespace: the mount's own root is all we can tell
        folder = mount / inside.relative_to(root)
        return (folder, mount) if folder.is_dir() else (mount, mount)
    return None


def _plain(text: str) -> str:
    """mountinfo writes blank, tab, newline and backslash as octal."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text


def _number(path: Path) -> int | None:
    """A file that holds one number; "max" is none."""
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _file_pages(folder: Path) -> int:
    """File-backed pages that can be dropped; both versions name them alike."""
    values = _statistics(folder)
    own = [values.get(f"total_{name}", values.get(name, "0")) for name in ("inactive_file", "active_file")]
    return sum(int(number) for number in own if number.isdigit())


def _statistics(folder: Path) -> dict[str, str]:
    """memory.stat; empty where it can't be read."""
    try:
        lines = (folder / "memory.stat").read_text().splitlines()
    except OSError:
        return {}
    return dict(line.split(" ", 1) for line in lines if " " in line)
