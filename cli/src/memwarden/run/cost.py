"""What Memwarden itself costs, read from /proc: CPU time and peak memory of each of our processes."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one part, which may be several processes."""

    cpu_seconds: float
    peak_rss_bytes: int

    def since(self, before: "Usage") -> "Usage":
        return Usage(max(0.0, self.cpu_seconds - before.cpu_seconds), self.peak_rss_bytes)


NOTHING: Final = Usage(0.0, 0)


def of_process(pid: int) -> Usage:
    """One process and its ended children; nothing where it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        status = _status(pid)
    except OSError:
        return NOTHING
    times = stat.rpartition(")")[2].split()[11:15]  # utime, stime, cutime, cstime
    return Usage(sum(int(ticks) for ticks in times) / _TICKS, status.get("VmHWM", 0))


def of_family(pid: int) -> Usage:
    """A process and its children (PostgreSQL). Pages that they share are counted once, not once a process."""
    pids = [pid]
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        pids += [int(child) for child in children.split()]
    except OSError:  # a kernel without CONFIG_PROC_CHILDREN, or it is gone
        pass
    cpu, private, shared = 0.0, 0, 0
    for member in pids:
        usage = of_process(member)
        try:
            status = _status(member)
        except OSError:
            continue
        common = status.get("RssFile", 0) + status.get("RssShmem", 0)
        cpu += usage.cpu_seconds
        private += max(0, usage.peak_rss_bytes - common)
        shared = max(shared, common)
    return Usage(cpu, private + shared)


def of_self() -> Usage:
    """This process, without its ended children: they are counted where they belong."""
    times = os.times()
    return Usage(times.user + times.system, _status(os.getpid()).get("VmHWM", 0))


def _status(pid: int) -> dict[str, int]:
    """The sizes of /proc/PID/status in bytes."""
    sizes = {}
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if value.endswith(" kB"):
            sizes[name] = int(value.split()[0]) * 1024
    return sizes
