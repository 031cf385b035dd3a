"""Signs of life of the controller's loops: a port that answers proves nothing of them.

A loop beats whenever it gets round, also where the API server or the collector is away: that is not cured by a
restart. A loop that does not beat for its limit is stuck, and /healthz says which.
"""

import time
from collections.abc import Callable, Mapping
from typing import Final

from memwarden_operator.controller import metrics

LIMITS: Final[Mapping[str, float]] = {
    "profiles": 300.0,  # Kopf's watch, compared with a list each minute
    "pods": 300.0,  # silence of a connection: 70 s, waiting for the next: 30 s, a list of many pods
    "scan": 900.0,
    "reconcile": 180.0,
    "changes": 240.0,  # a long poll has 50 s
    "facts": 240.0,
}
OTHER_LIMIT: Final = 300.0
"""Of loops that run only where they are asked for: those that `expect` names."""


class Heart:
    """Beats, by loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._limits = dict(LIMITS)
        self._beats = dict.fromkeys(LIMITS, clock())

    def expect(self, loop: str) -> None:
        """From now on it has to beat."""
        self._limits[loop] = OTHER_LIMIT
        self.beat(loop)

    def beat(self, loop: str) -> None:
        self._beats[loop] = self._clock()

    def stuck(self) -> list[str]:
        """Sentences; empty where all live."""
        now = self._clock()
        return [
            f"{loop} has shown no life for {now - beat:.0f} s (limit {self._limits[loop]:.0f} s)"
            for loop, beat in self._beats.items()
            if now - beat > self._limits[loop]
        ]

    def export(self) -> None:
        """Ages into the metrics."""
        now = self._clock()
        for loop, beat in self._beats.items():
            metrics.WATCH_AGE.labels(loop).set(now - beat)
