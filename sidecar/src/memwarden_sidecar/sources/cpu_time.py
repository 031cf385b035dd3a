"""CPU time of the scope: what all its processes have used, ended ones included, each second once.

The kernel adds the time of an ended child to its parent when the parent waits for it. So the sum over the
living of own + reaped time holds nearly all. What is missing is `carried` here: processes that nobody of ours
waits for. A parent was read before the child was reaped? Then the child's time is carried for a moment and
given back when the parent's reaped time rises.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from memwarden_sidecar.sources.proc_files import ProcessKey, Stat

OWED_LOOKS: Final = 2
"""A parent whose reaped time has not risen after so many looks has not waited, and won't."""


@dataclass(slots=True)
class _Debt:
    seconds: float
    looks: int = 0


class CpuTime:
    """`update` with each look at the tree; returns cumulative seconds, which never fall."""

    def __init__(self) -> None:
        self._last: dict[ProcessKey, Stat] = {}
        self._carried = 0.0
        self._owed: dict[ProcessKey, _Debt] = {}
        self._total = 0.0

    def update(self, living: Mapping[ProcessKey, Stat]) -> float:
        by_pid = {key.pid: key for key in living}
        for key, last in self._last.items():
            if key not in living:
                self._bury(last, by_pid.get(last.parent_pid))
        for parent in list(self._owed):
            self._settle(parent, living)
        self._last = dict(living)
        alive = sum(stat.cpu_seconds + stat.reaped_cpu_seconds for stat in living.values())
        self._total = max(self._total, alive + self._carried)
        return self._total

    def _bury(self, ended: Stat, parent: ProcessKey | None) -> None:
        seconds = ended.cpu_seconds + ended.reaped_cpu_seconds
        self._carried += seconds
        if parent is not None:
            debt = self._owed.setdefault(parent, _Debt(0.0))
            debt.seconds += seconds
            debt.looks = 0

    def _settle(self, parent: ProcessKey, living: Mapping[ProcessKey, Stat]) -> None:
        debt = self._owed[parent]
        if parent in living:
            before = self._last[parent].reaped_cpu_seconds if parent in self._last else 0.0
            paid = min(debt.seconds, max(0.0, living[parent].reaped_cpu_seconds - before))
            self._carried -= paid
            debt.seconds -= paid
            debt.looks += 1
        if parent not in living or debt.looks >= OWED_LOOKS or debt.seconds <= 0:
            del self._owed[parent]
