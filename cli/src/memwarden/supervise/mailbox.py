"""Signals as messages. They are blocked for the whole run and taken with `sigwaitinfo`, one at a time.

There is no handler, hence no code that runs in the middle of other code: a second Ctrl-C can't tear the
clean-up apart, and who sent a signal is known (`from_terminal`), so that Ctrl-C, which the terminal gives to
the app by itself, isn't given to it twice. What was ignored when we were started (nohup, `&` of a script) ends
nothing of ours; it is passed on all the same, since the app may have changed its mind.
"""

import math
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
FORWARDED: Final = (*ENDING, signal.SIGUSR1, signal.SIGUSR2)
HEARD: Final = (
    *FORWARDED,
    signal.SIGCHLD,
    signal.SIGTSTP,
    signal.SIGCONT,
    signal.SIGWINCH,
    signal.SIGTTOU,  # blocked: a status line drawn a moment too late must not stop the command
)
_TIME_OVER: Final = signal.SIGALRM
"""From our own timer. `sigtimedwait` has a time of its own, and returns a signal that nobody sent where the process was
stopped until that time was over (CPython up to 3.14 reads what the kernel did not write)."""
_AWAITED: Final = (*HEARD, _TIME_OVER)
SI_KERNEL: Final = 0x80
_LEAST_SECONDS: Final = 1e-6
"""Zero would take the timer away."""


@dataclass(frozen=True, slots=True)
class Received:
    number: signal.Signals
    from_terminal: bool
    """The kernel sent it to the whole foreground process group: the app has it already."""


class Mailbox:
    """Open it before the first child is started; children get `mask`, the mask that we were started with."""

    def __init__(self) -> None:
        self.mask: frozenset[int] = frozenset()
        self._ignored: frozenset[int] = frozenset()
        self._alarm_at = math.inf
        """When an alarm rings that was set before we were started: `alarm` and `exec` are a time limit."""

    def __enter__(self) -> "Mailbox":
        if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
            # Inherited from a careless parent: the kernel would throw exit codes away.
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._ignored = frozenset(number for number in HEARD if signal.getsignal(number) is signal.SIG_IGN)
        if (rings_in := signal.getitimer(signal.ITIMER_REAL)[0]) > 0:
            self._alarm_at = time.monotonic() + rings_in
        self.mask = frozenset(signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED))
        return self

    def __exit__(self, *_: object) -> None:
        while signal.sigtimedwait(_AWAITED, 0) is not None:
            pass  # what is still waiting would strike when the mask is lifted
        signal.pthread_sigmask(signal.SIG_SETMASK, self.mask)

    def take(self, timeout_seconds: float) -> Received | None:
        """The next signal, or None when the time is over; rarely a little before."""
        if timeout_seconds <= 0:
            info = signal.sigtimedwait(HEARD, 0)
        else:
            left = max(self._alarm_at - time.monotonic(), _LEAST_SECONDS)
            signal.setitimer(signal.ITIMER_REAL, min(timeout_seconds, left))
            info = signal.sigwaitinfo(_AWAITED)
            signal.setitimer(signal.ITIMER_REAL, 0)
        if info is None:
            return None
        if info.si_signo == _TIME_OVER:
            if info.si_code != SI_KERNEL or time.monotonic() >= self._alarm_at:
                self.stop_like_default(_TIME_OVER)  # it was not our timer
            return None
        return Received(signal.Signals(info.si_signo), from_terminal=info.si_code == SI_KERNEL)

    def is_end(self, received: Received) -> bool:
        """Whether somebody wants us to end."""
        return received.number in ENDING and received.number not in self._ignored

    def take_until(self, deadline: float) -> Iterable[Received]:
        """Signals as they come until `deadline` (time.monotonic), at least those that are waiting now."""
        while (received := self.take(deadline - time.monotonic())) is not None:
            yield received

    def stop_like_default(self, number: signal.Signals) -> None:
        """Do what `number` does to a program that doesn't care: stop here, go on at SIGCONT."""
        signal.raise_signal(number)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        signal.pthread_sigmask(signal.SIG_BLOCK, {number})
