"""Anonymous and shared memory of the scope, shared pages counted once.

Workers that were forked share their parent's pages. The sum of their resident sizes counted 280 MB four times
in our measurements; the sum of proportional sizes (smaps_rollup) counts them once. But that file makes the
kernel walk all page tables, 35 ms at 4 GB, so it is read every PSS_INTERVAL_SECONDS, PSS_FORKED_SECONDS after a fork,
for at most PSS_CPU_RATIO of a core, and not at all for a single process. Between two readings:

- a process that grew holds new pages, which are its own: share = share then + growth;
- a process that shrank: share then × size now / size then;
- a process that was forked since: what it has beyond its parent's size at that time;
- a process that started another program since: its own size;
- a process that ended: what it shared stays with the others until the next reading.

Processes are read one after the other. A fork in between divides the pages of those that are read after it among more
than those before it, and the sum lacks what the new process holds of them: hence the early reading.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from memwarden_sidecar.errors import Unreadable
from memwarden_sidecar.settings import PSS_CPU_RATIO, PSS_FORKED_SECONDS, PSS_INTERVAL_SECONDS
from memwarden_sidecar.sources.proc_files import ProcessKey, Proportional


@dataclass(frozen=True, slots=True)
class Measured:
    """One process at one look. `resident` is anonymous + shared memory in bytes, shared pages in full."""

    key: ProcessKey
    resident: int
    copy_of: ProcessKey | None
    """The living parent that it is a forked copy of: same program, same arguments."""


@dataclass(slots=True)
class _Known:
    """A process as it was at the last reading, or at its first sight since."""

    resident: int
    share: int
    shared: int
    """Part of `share` that is of pages which others hold too."""


class AnonymousMemory:
    """Shares of the scope's anonymous memory, by process, in bytes. Not thread-safe.

    `proportional` reads one process and raises Unreadable; `cpu` is this thread's CPU time and `elapsed` a
    clock that never jumps, both in seconds.
    """

    def __init__(
        self,
        proportional: Callable[[int], Proportional],
        cpu: Callable[[], float],
        elapsed: Callable[[], float],
    ) -> None:
        self._proportional = proportional
        self._cpu = cpu
        self._elapsed = elapsed
        self._known: dict[ProcessKey, _Known] = {}
        self._left_behind = 0
        self._next_reading = float("-inf")
        self._affordable = float("-inf")
        self.denied: tuple[int, ...] = ()
        """Processes of the last reading that are not ours to read: their resident size stands in."""
        self.reading_seconds = 0.0
        """CPU time of the last reading."""

    def measure(self, processes: Iterable[Measured]) -> dict[ProcessKey, int]:
        """Bytes by process; their sum is the scope's."""
        now = {process.key: process for process in processes}
        if len(now) <= 1:
            self._known.clear()
            self._left_behind = 0
            return {key: process.resident for key, process in now.items()}
        for key in [key for key in self._known if key not in now]:
            self._left_behind += self._known.pop(key).shared
        if self._elapsed() >= self._next_reading:
            self._read(now)
        else:
            for process in now.values():
                if process.key not in self._known:
                    self._meet(process, now)
        shares = {key: self._share(process) for key, process in now.items()}
        if (
            self._left_behind and shares
        ):  # pages of the ended live on in those they were shared with: the largest
            shares[max(shares, key=lambda key: shares[key])] += self._left_behind
        return shares

    def _read(self, now: Mapping[ProcessKey, Measured]) -> None:
        started, denied = self._cpu(), []
        self._known.clear()
        self._left_behind = 0
        for key, process in now.items():
            try:
                seen = self._proportional(key.pid)
            except Unreadable as error:
                if error.denied:
                    denied.append(key.pid)
                self._known[key] = _Known(process.resident, process.resident, 0)
            else:
                self._known[key] = _Known(process.resident, seen.anon, max(0, seen.anon - seen.private))
        self.denied = tuple(denied)
        self.reading_seconds = max(0.0, self._cpu() - started)
        self._affordable = self._elapsed() + self.reading_seconds / PSS_CPU_RATIO
        self._next_reading = max(self._elapsed() + PSS_INTERVAL_SECONDS, self._affordable)

    def _meet(self, process: Measured, now: Mapping[ProcessKey, Measured]) -> None:
        parent = now.get(process.copy_of) if process.copy_of is not None else None
        inherited = 0 if parent is None else min(process.resident, parent.resident)
        if parent is not None:
            soon = max(self._elapsed() + PSS_FORKED_SECONDS, self._affordable)
            self._next_reading = min(self._next_reading, soon)
        self._known[process.key] = _Known(process.resident, process.resident - inherited, 0)

    def _share(self, process: Measured) -> int:
        then = self._known[process.key]
        if process.resident >= then.resident or then.resident == 0:
            return then.share + process.resident - then.resident
        return then.share * process.resident // then.resident
