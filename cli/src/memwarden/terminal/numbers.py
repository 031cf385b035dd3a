"""The numbers of the status line, asked for in a thread so that nobody waits for them."""

import threading
import time
from dataclasses import dataclass, replace
from typing import Any, Final

from memwarden.api import Api, ApiError
from memwarden.quantities import clock, short_size
from memwarden_api.names import MEMORY_ANON

_EVERY_SECONDS: Final = 1.0
_TIMEOUT_SECONDS: Final = 2.0
_END_SECONDS: Final = 0.1
_RECENT_SECONDS: Final = 30.0
_SECONDS_PER_MINUTE: Final = 60


@dataclass(frozen=True, slots=True)
class Numbers:
    processes: int
    anon_bytes: float | None
    growth_bytes_per_second: float | None
    verdict: str


def from_verdict(verdict: dict[str, Any]) -> Numbers:
    """Of the verdict as the collector sends it (`memwarden_api.report.Verdict`)."""
    living = [process for process in verdict["processes"] if process.get("ended_at") is None]
    return Numbers(
        processes=len(living),
        anon_bytes=verdict.get("anon_bytes"),
        growth_bytes_per_second=verdict.get("growth_bytes_per_second"),
        verdict=str(verdict["verdict"]),
    )


def line(numbers: Numbers | None, elapsed_seconds: float) -> str:
    """`memwarden ▸ 3 processes · 84 MB · +31 MB/min · Growing · 00:42`."""
    parts = []
    if numbers is None:
        parts.append("starting to watch")
    else:
        parts.append(f"{numbers.processes} process{'' if numbers.processes == 1 else 'es'}")
        if numbers.anon_bytes is not None:
            parts.append(short_size(numbers.anon_bytes))
        if numbers.growth_bytes_per_second:
            growth = numbers.growth_bytes_per_second * _SECONDS_PER_MINUTE
            parts.append(f"{'+' if growth > 0 else ''}{short_size(growth)}/min")
        parts.append(numbers.verdict)
    parts.append(clock(elapsed_seconds))
    return "memwarden ▸ " + " · ".join(parts)


class NumbersThread:
    """Keeps `latest` fresh. Started after all children: whoever forks must have one thread only."""

    def __init__(self, api: Api) -> None:
        self.latest: Numbers | None = None
        self._api = api
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True, name="memwarden-numbers")
        self._thread.start()

    def end(self) -> bool:
        """Whether its thread has ended by now."""
        self._over.set()
        self._thread.join(_END_SECONDS)
        return self.ended

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def _work(self) -> None:
        while not self._over.wait(_EVERY_SECONDS):
            try:
                verdict = from_verdict(self._api.verdict(_TIMEOUT_SECONDS))
                self.latest = replace(verdict, anon_bytes=self._memory() or verdict.anon_bytes)
            except (ApiError, KeyError, TypeError, AttributeError, IndexError):
                continue  # not judged yet, or the collector is gone: the end of the run says so

    def _memory(self) -> float | None:
        """The newest sample: verdicts are some seconds old."""
        found = self._api.series(MEMORY_ANON, _TIMEOUT_SECONDS, start=time.time() - _RECENT_SECONDS)
        return float(found[0]["values"][-1]) if found else None
