"""The limit to judge against, and its source: the option, the cgroup, else what the machine has left."""

from dataclasses import dataclass

from memwarden_sidecar.sources import cgroup
from memwarden_sidecar.sources.proc_files import ProcFolder


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes at one moment; None where it can't be told."""

    limit: int | None
    source: str
    """"option", "cgroup" or "available"."""
    available: int | None


class MemoryLimit:
    """`look` each tick: a cgroup's limit may be changed while it runs."""

    def __init__(
        self, proc: ProcFolder, option: int | None, group: cgroup.MemoryCgroup | None = None
    ) -> None:
        self._proc = proc
        self._option = option
        self._cgroup = group
        self._at_start: int | None = None

    def follow(self, pid: int) -> None:
        """The root's cgroup is the scope's."""
        self._cgroup = cgroup.find(self._proc, pid)

    def look(self, used: int) -> Room:
        """`used` is the scope's own anonymous memory now, in bytes."""
        machine = self._proc.memory_info()
        free, total = machine.get(b"MemAvailable"), machine.get(b"MemTotal")
        group = self._cgroup.read() if self._cgroup is not None else cgroup.CgroupMemory(None, None, None)
        left = [value for value in (free, group.available) if value is not None]
        available = min(left) if left else None
        if self._at_start is None and available is not None:
            self._at_start = available + used
        if self._option is not None:
            return Room(self._option, "option", available)
        if group.limit is not None and (total is None or group.limit < total):
            return Room(group.limit, "cgroup", available)
        return Room(self._at_start, "available", available)
