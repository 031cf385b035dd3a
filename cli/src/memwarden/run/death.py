"""How the app died, when it was SIGKILL: the kernel's counter of kills for want of memory says whether that was it."""

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from memwarden.quantities import short_size
from memwarden_sidecar.sources import cgroup
from memwarden_sidecar.sources.proc_files import ProcFolder


@dataclass(slots=True)
class OutOfMemory:
    """Make it before the app starts; the app is in our cgroup, unless it leaves it."""

    _cgroup: cgroup.MemoryCgroup | None = field(
        default_factory=lambda: cgroup.find(ProcFolder(), os.getpid())
    )
    _before: int = 0

    def __post_init__(self) -> None:
        self._before = self._kills()

    def kills(self) -> int:
        """Since then, of all processes of the cgroup."""
        return self._kills() - self._before

    def limit(self) -> int | None:
        return self._cgroup.read().limit if self._cgroup is not None else None

    def _kills(self) -> int:
        return (self._cgroup.oom_kills() or 0) if self._cgroup is not None else 0


def account_of_death(exit_code: int, memory: OutOfMemory, last: Mapping[str, Any] | None) -> str:
    """What to say of an app that ended with `exit_code`; "" when it was not killed. `last` is the last sample of the
    scope's memory: `time` before the end in seconds, `bytes`.
    """
    kills = memory.kills()
    if exit_code != -signal.SIGKILL and not kills:
        return ""
    seen = ""
    if last is not None:
        seen = f" The last sample, {last['seconds']:.1f} s before the end, saw {short_size(last['bytes'])}."
    if not kills:
        return f"The command was killed (SIGKILL), and not by the kernel for want of memory.{seen}"
    limit = memory.limit()
    of = f": the limit of its cgroup, {short_size(limit)}, was reached" if limit is not None else ""
    victim = (
        "The command was" if exit_code == -signal.SIGKILL else f"{kills} of the processes of this run were"
    )
    return f"{victim} killed by the kernel for want of memory{of}.{seen}"
