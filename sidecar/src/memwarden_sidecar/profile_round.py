"""A round of profiles: one of each process with a table, made in slices so that ticks stay on their grid."""

from collections import deque
from collections.abc import Callable, Iterable

from memwarden_sidecar.notices import Notices
from memwarden_sidecar.probes.linked import Linked
from memwarden_sidecar.settings import PROFILE_CPU_RATIO


class ProfileRound:
    """`begin` when a round is due, `go_on` until it is no longer open.

    `elapsed` is a clock that never jumps, `cpu` this thread's CPU time: on a busy machine they differ a lot.
    """

    def __init__(
        self,
        send: Callable[[Linked], None],
        elapsed: Callable[[], float],
        cpu: Callable[[], float],
        notices: Notices,
    ) -> None:
        self._send = send
        self._elapsed = elapsed
        self._cpu = cpu
        self._notices = notices
        self._waiting: deque[Linked] = deque()
        self._spent = 0.0
        self._not_before = float("-inf")

    @property
    def is_open(self) -> bool:
        return bool(self._waiting)

    def begin(self, processes: Iterable[Linked], *, last: bool = False) -> None:
        """One that is due while the round before is not done, or was dear, falls out; the last never does."""
        if not last and (self._waiting or self._elapsed() < self._not_before):
            self._notices.count("profile-rounds-skipped")
            return
        self._waiting = deque(processes)
        self._spent = 0.0

    def ask(self, processes: Iterable[Linked]) -> None:
        """These as well, soon, however dear the round before was."""
        self._waiting.extend(one for one in processes if one not in self._waiting)

    def go_on(self, seconds: float) -> None:
        """Work for about so long; at least one process gets its profile."""
        if not self._waiting:
            return
        started, cpu = self._elapsed(), self._cpu()
        try:
            while self._waiting and self._elapsed() - started < seconds:
                self._send(self._waiting.popleft())
        finally:
            self._spent += self._cpu() - cpu
            self._not_before = self._elapsed() + self._spent / PROFILE_CPU_RATIO
