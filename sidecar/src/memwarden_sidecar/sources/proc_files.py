"""The files of /proc, one function a file. Bounded reads, no parsing of what nobody asks for.

Formats: proc_pid_stat(5), proc_pid_status(5), proc_pid_smaps(5). A process may end between any two reads:
that is `Unreadable`, not a fault.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from memwarden_sidecar.errors import Unreadable
from memwarden_sidecar.settings import COMMAND_LINE_BYTES, FD_COUNT, SOURCE_BYTES

PROC: Final = Path("/proc")
CLOCK_TICKS: Final = os.sysconf("SC_CLK_TCK")
"""Units of CPU and start times in /proc, a second."""
_SMALL_FILE_BYTES: Final = 16 << 10
_MAPS_PARTS: Final = 64
"""The kernel gives a page of it at a time."""


class ProcessKey(NamedTuple):
    """A process for all time since boot: its id may be used again, its start time then differs."""

    pid: int
    start_ticks: int
    """Since boot, in CLOCK_TICKS a second."""


@dataclass(frozen=True, slots=True)
class Stat:
    """/proc/PID/stat. CPU times in seconds; `reaped` is that of children which ended and were waited for."""

    key: ProcessKey
    parent_pid: int
    group: int
    session: int
    ended: bool
    """A zombie: only its parent has not asked for it yet."""
    cpu_seconds: float
    reaped_cpu_seconds: float
    threads: int


@dataclass(frozen=True, slots=True)
class Resident:
    """/proc/PID/status, in bytes."""

    rss: int
    anon: int
    """Anonymous + shared memory that is resident; pages shared with other processes count in full."""


@dataclass(frozen=True, slots=True)
class Proportional:
    """/proc/PID/smaps_rollup, in bytes: pages shared by n processes count as 1/n each."""

    anon: int
    private: int
    """Of the pages that nobody shares: what goes away with the process."""


class ProcFolder:
    """Reads below one /proc. Another folder than the machine's own is for tests with recorded files."""

    def __init__(self, root: Path = PROC) -> None:
        self._root = os.fspath(root)

    def pids(self) -> list[int]:
        """All process ids that are visible."""
        return [int(name) for name in os.listdir(self._root) if name.isdigit()]

    def stat(self, pid: int) -> Stat:
        """Raises Unreadable."""
        text = self._read(f"{pid}/stat")
        fields = text[text.rfind(b")") + 2 :].split()
        if len(fields) < 20:
            raise Unreadable(f"/proc/{pid}/stat is cut short", denied=False)
        return Stat(
            key=ProcessKey(pid, int(fields[19])),
            parent_pid=int(fields[1]),
            group=int(fields[2]),
            session=int(fields[3]),
            ended=fields[0] in (b"Z", b"X", b"x"),
            cpu_seconds=(int(fields[11]) + int(fields[12])) / CLOCK_TICKS,
            reaped_cpu_seconds=(int(fields[13]) + int(fields[14])) / CLOCK_TICKS,
            threads=int(fields[17]),
        )

    def resident(self, pid: int) -> Resident:
        """Raises Unreadable, also of a process that has given its memory back already: one that was killed with much
        of it is seen like that for a while, and its last sample must not be 0.
        """
        values = _kilobytes(self._read(f"{pid}/status"))
        if b"VmRSS" not in values:
            raise Unreadable(f"process {pid} has no memory any more", denied=False)
        rss = values[b"VmRSS"]
        # Before Linux 4.5 there are no RssAnon and RssShmem.
        anon = values.get(b"RssAnon", rss) + values.get(b"RssShmem", 0)
        return Resident(rss=rss, anon=anon)

    def proportional(self, pid: int) -> Proportional:
        """Raises Unreadable, also where the kernel has no smaps_rollup (before 4.14, gVisor)."""
        values = _kilobytes(self._read(f"{pid}/smaps_rollup"))
        if b"Pss" not in values:
            raise Unreadable(f"/proc/{pid}/smaps_rollup holds no Pss", denied=False)
        if b"Pss_Anon" in values:
            anon = values[b"Pss_Anon"] + values.get(b"Pss_Shmem", 0)
        else:  # before 5.4: anonymous pages are taken to be shared like all others
            anon = values[b"Pss"] * values.get(b"Anonymous", 0) // max(1, values.get(b"Rss", 1))
        return Proportional(anon=anon, private=min(anon, values.get(b"Private_Dirty", 0)))

    def command_line(self, pid: int) -> str:
        """Arguments joined by blanks, bounded; "" when it can't be read. Never the environment."""
        try:
            raw = self._read(f"{pid}/cmdline", COMMAND_LINE_BYTES)
        except Unreadable:
            return ""
        text = raw.rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace").strip()
        return text if len(raw) < COMMAND_LINE_BYTES else text[: COMMAND_LINE_BYTES - 8] + " …"

    def executable(self, pid: int) -> str:
        """Path of the program, "" when it can't be read."""
        try:
            return os.readlink(f"{self._root}/{pid}/exe").removesuffix(" (deleted)")[:COMMAND_LINE_BYTES]
        except OSError:
            return ""

    def maps(self, pid: int) -> str:
        """Its mapped files and all, the beginning of it where it is very long. Raises Unreadable."""
        with self._open(f"{pid}/maps") as descriptor:
            parts = iter(lambda: _read_part(descriptor, f"{pid}/maps"), b"")
            return b"".join(islice(parts, _MAPS_PARTS)).decode(errors="replace")

    def fd_count(self, pid: int) -> int | None:
        """Open descriptors; None when they are not ours to see. Up to FD_COUNT before Linux 6.2."""
        folder = f"{self._root}/{pid}/fd"
        try:
            if (size := os.stat(folder).st_size) > 0:  # since Linux 6.2
                return size if os.access(folder, os.R_OK) else None
            with os.scandir(folder) as entries:
                return sum(1 for _, _ in zip(range(FD_COUNT), entries, strict=False))
        except OSError:
            return None

    def text(self, name: str, limit: int = _SMALL_FILE_BYTES) -> str:
        """Any other small file below /proc. Raises Unreadable."""
        return self._read(name, limit).decode(errors="replace")

    def source(self, pid: int, path: str) -> str:
        """The text of a file as the process sees it, its first SOURCE_BYTES; "" where it can't be read."""
        if not path.startswith("/"):
            return ""
        try:
            descriptor = os.open(f"{self._root}/{pid}/root{path}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (OSError, ValueError):
            return ""
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return ""
            return _read_part(descriptor, path, SOURCE_BYTES).decode(errors="replace")
        except Unreadable:
            return ""
        finally:
            os.close(descriptor)

    def memory_info(self) -> Mapping[bytes, int]:
        """/proc/meminfo in bytes."""
        try:
            return _kilobytes(self._read("meminfo"))
        except Unreadable:
            return {}

    def _read(self, name: str, limit: int = _SMALL_FILE_BYTES) -> bytes:
        with self._open(name) as descriptor:
            return _read_part(descriptor, name, limit)

    @contextmanager
    def _open(self, name: str) -> Iterator[int]:
        try:
            descriptor = os.open(f"{self._root}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise _unreadable(name, error) from None
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _read_part(descriptor: int, name: str, limit: int = _SMALL_FILE_BYTES) -> bytes:
    try:
        return os.read(descriptor, limit)
    except OSError as error:  # ESRCH: it ended after the file was opened
        raise _unreadable(name, error) from None


def _unreadable(name: str, error: OSError) -> Unreadable:
    return Unreadable(f"/proc/{name}: {error.strerror}", denied=isinstance(error, PermissionError))


def _kilobytes(text: bytes) -> dict[bytes, int]:
    """Lines `Name:  123 kB` in bytes."""
    values: dict[bytes, int] = {}
    for line in text.split(b"\n"):
        if line.endswith(b" kB"):
            name, _, number = line[:-3].partition(b":")
            values[name] = int(number) << 10
    return values
