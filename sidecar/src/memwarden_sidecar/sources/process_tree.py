"""Which processes belong to the scope.

Members are the root, every descendant, and every process whose probe has connected, with its descendants. A
member stays one when its parent ends and init takes it over (a daemon). A process that was born and lost its
parent between two looks is still found by its session or process group, when the root leads them; only a
daemon that left both, in less than a tick, and has no probe, is not seen.

A look lists /proc and reads `stat` of members and of ids it has not met; what is known to be a stranger is
read again each STRANGERS_LOOKS looks, since ids are used again.
"""

from collections.abc import Iterable
from typing import Final

from memwarden_sidecar.errors import Unreadable
from memwarden_sidecar.settings import MAX_PROCESSES
from memwarden_sidecar.sources.proc_files import ProcessKey, ProcFolder, Stat

STRANGERS_LOOKS: Final = 20


class ProcessTree:
    """The living members at each look, as `Stat` by key. Not thread-safe."""

    def __init__(self, proc: ProcFolder, *, everything: bool = False) -> None:
        """`everything`: this /proc is of one container, whose every process is a member."""
        self._proc = proc
        self._everything = everything
        self._root: ProcessKey | None = None
        self._wanted: set[int] = set()
        self._members: dict[int, ProcessKey] = {}
        self._strangers: set[int] = set()
        self._looks = 0
        self.overflow = 0
        """Processes of the scope that were not watched at the last look: over MAX_PROCESSES."""

    def follow_root(self, pid: int) -> bool:
        """Watch this process and what descends from it. False when it is not there."""
        try:
            stat = self._proc.stat(pid)
        except Unreadable:
            return False
        self._root = stat.key
        self._adopt(pid)
        return True

    def follow(self, pids: Iterable[int]) -> None:
        """Watch these processes too: their probes are connected."""
        for pid in pids:
            if pid not in self._members:
                self._adopt(pid)

    def _adopt(self, pid: int) -> None:
        self._wanted.add(pid)
        self._strangers.clear()  # their children may be among those that were not of interest until now

    def look(self) -> dict[ProcessKey, Stat]:
        """Who is a member now. Parents before their children, as they are numbered."""
        self._looks += 1
        if self._looks % STRANGERS_LOOKS == 0:
            self._strangers.clear()
        pids = self._proc.pids()
        self._strangers.intersection_update(pids)
        found: dict[int, Stat] = {}
        for pid in sorted(pids):
            if pid not in self._strangers:
                try:
                    found[pid] = self._proc.stat(pid)
                except Unreadable:
                    continue
        members = self._of_the_scope(found)
        self._strangers.update(pid for pid in found if pid not in members)
        self._wanted.clear()
        self.overflow = max(0, len(members) - MAX_PROCESSES)
        kept = dict(list(members.items())[:MAX_PROCESSES])
        self._members = {pid: stat.key for pid, stat in kept.items()}
        return {stat.key: stat for stat in kept.values()}

    def _of_the_scope(self, found: dict[int, Stat]) -> dict[int, Stat]:
        members = {
            pid: stat
            for pid, stat in found.items()
            if self._everything
            or pid in self._wanted
            or self._members.get(pid) == stat.key
            or self._led_by_root(stat)
        }
        # A child's number is not always above its parent's: numbers start again at the end.
        grown = True
        while grown:
            fresh = {
                pid: stat for pid, stat in found.items() if pid not in members and stat.parent_pid in members
            }
            members.update(fresh)
            grown = bool(fresh)
        return {
            pid: members[pid] for pid in sorted(members, key=lambda pid: (members[pid].key.start_ticks, pid))
        }

    def _led_by_root(self, stat: Stat) -> bool:
        """In the session or group that the root leads, and not older than it."""
        root = self._root
        return (
            root is not None
            and root.pid in (stat.session, stat.group)
            and stat.key.start_ticks >= root.start_ticks
        )
