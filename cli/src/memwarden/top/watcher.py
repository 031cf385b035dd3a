"""Asks a collector and keeps the recent past of one scope: `look` makes the picture of now.

A look blocks for as long as the collector does (a few seconds at most): whoever shows pictures looks in a thread.
When the collector is gone the last picture stays, with a notice that says so.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Final

from memwarden.api import ApiError
from memwarden.top.growth import growth_of
from memwarden.top.picture import Forecast, Limit, Picture, Process, Site, State
from memwarden.top.targets import Target
from memwarden.top.words import span
from memwarden_api.names import MEMORY_ANON, PROCESS_MEMORY_ANON

WINDOW_SECONDS: Final = 300.0
EVERY_SECONDS: Final = 1.0
_VERDICT_EVERY_SECONDS: Final = 2.0  # the collector judges every five seconds or less often
_LATE_SECONDS: Final = 3.0  # samples may be committed out of order
_QUIET_INTERVALS: Final = 6
_QUIET_SECONDS: Final = 12.0
_STALE_SECONDS: Final = 120.0  # clocks of two machines may differ by less
_MISSED_INTERVALS: Final = 1.5
_MOST_POINTS: Final = 120
_NOBODY: Final = "a process that just began"

Points = dict[float, float]


@dataclass(slots=True)
class Watcher:
    """The state of looking at one target. Used by one thread at a time."""

    target: Target
    _verdict: dict[str, Any] | None = None
    _verdict_at: float = float("-inf")
    _memory: Points = field(default_factory=dict)
    _processes: dict[int, Points] = field(default_factory=dict)
    _newest: float | None = None
    _news_at: float = field(default_factory=time.monotonic)
    _last: Picture | None = None
    _last_processes: tuple[Process, ...] = ()
    """As they were when one of them was last alive: an ended run is shown with them."""

    def look(self) -> Picture:
        """Never raises for what a collector says or doesn't."""
        try:
            self._ask()
            picture = self._picture()
        except ApiError as error:
            return self._without(str(error))
        except (KeyError, TypeError, ValueError, AttributeError):
            return self._without("its answer can't be read; it may be of another version")
        self._last = picture
        if any(one.alive for one in picture.processes):
            self._last_processes = picture.processes
        return picture

    def _ask(self) -> None:
        client, scope, now = self.target.client, self.target.scope, time.monotonic()
        if now - self._verdict_at >= _VERDICT_EVERY_SECONDS:
            self._verdict = client.verdict(scope) or self._verdict
            self._verdict_at = now
        if self._newest is None:
            start = (self.target.last_seen or time.time()) - WINDOW_SECONDS
        else:
            start = self._newest - _LATE_SECONDS
        for item in client.series(scope, MEMORY_ANON, start):
            self._memory.update(zip(item["times"], item["values"], strict=True))
        for item in client.series(scope, PROCESS_MEMORY_ANON, start):
            points = self._processes.setdefault(int(item["pid"]), {})
            points.update(zip(item["times"], item["values"], strict=True))
        self._forget()

    def _forget(self) -> None:
        """What is older than the window."""
        newest = max(self._memory, default=None)
        if newest is None:
            return
        if newest != self._newest:
            self._newest, self._news_at = newest, time.monotonic()
        for points in (self._memory, *self._processes.values()):
            for moment in [one for one in points if one < newest - WINDOW_SECONDS]:
                del points[moment]
        self._processes = {pid: points for pid, points in self._processes.items() if points}

    def _picture(self) -> Picture:
        verdict = self._verdict or {}
        quiet = self._silence()
        limit, forecast = verdict.get("limit"), verdict.get("oom_forecast_seconds")
        newest = self._newest
        return Picture(
            at=newest if newest is not None else time.time(),
            state="quiet" if quiet else "live",
            notice=quiet,
            run_pid=self.target.run_pid,
            scope=self.target.scope,
            command=str(verdict.get("command") or self.target.command),
            verdict=str(verdict["verdict"]) if verdict else None,
            headline=str(verdict.get("headline", "")),
            memory_bytes=self._memory[newest] if newest is not None else verdict.get("anon_bytes"),
            limit=Limit(int(limit["bytes"]), str(limit["source"])) if limit else self.target.limit,
            growth_bytes_per_second=verdict.get("growth_bytes_per_second"),
            forecast_seconds=Forecast(*(float(forecast[name]) for name in ("p10", "p50", "p90")))
            if forecast
            else None,
            watched_seconds=max(0.0, newest - self.target.started_at) if newest is not None else None,
            processes=tuple(self._rows(verdict.get("processes", ()))),
            sites=tuple(
                Site(
                    int(one["pid"]), str(one["file"]), int(one["line"]), str(one["function"]),
                    int(one["live_bytes"]), float(one["growth_bytes_per_second"]),
                )
                for one in verdict.get("sites", ())
            ),
        )  # fmt: skip

    def _rows(self, told: Iterable[dict[str, Any]]) -> Iterable[Process]:
        """Those that the verdict knows, and those that have samples and are too young for it."""
        known = {int(one["pid"]): one for one in told}  # of an id that was used twice the latest
        alive_after = (self._newest or 0.0) - _MISSED_INTERVALS * self._interval()
        for pid in known.keys() | self._processes.keys():
            one = known.get(pid, {})
            points = sorted(self._processes.get(pid, {}).items())
            times, values = [at for at, _ in points], [value for _, value in points]
            seen_now = bool(points) and times[-1] >= alive_after
            step = max(1, -(-len(points) // _MOST_POINTS))
            yield Process(
                pid=pid,
                parent_pid=one.get("parent_pid"),
                command=str(one.get("command") or _NOBODY),
                runtime=str(one.get("runtime", "")),
                probe=str(one.get("probe", "")),
                probe_reason=str(one.get("probe_reason", "")),
                alive=seen_now and (one.get("ended_at") is None),
                memory_bytes=values[-1] if values else one.get("anon_bytes"),
                growth_bytes_per_second=growth_of(times, values),
                history=tuple(points[::-1][::step][::-1]),
            )

    def _interval(self) -> float:
        """Seconds between two samples, as they come."""
        times = sorted(self._memory)[-20:]
        gaps = sorted(later - earlier for earlier, later in pairwise(times))
        return gaps[len(gaps) // 2] if gaps else 1.0

    def _silence(self) -> str:
        """What to say of samples that no longer come; "" while they do."""
        if self._newest is None:
            return ""
        age = time.monotonic() - self._news_at
        by_clock = time.time() - self._newest
        if by_clock > _STALE_SECONDS:
            age = max(age, by_clock)
        if age <= max(_QUIET_SECONDS, _QUIET_INTERVALS * self._interval()):
            return ""
        return f"No new samples for {span(age)}: it has ended, or its samples don't arrive."

    def _without(self, cause: str) -> Picture:
        """The last picture, and why there is no newer one."""
        state: State = "ended" if self.target.is_over() else "unreachable"
        kept = " This is the last that was seen." if self._last else ""
        notice = (
            f"The run has ended.{kept}"
            if state == "ended"
            else f"The collector can't be asked: {cause}.{kept} Trying again."
        )
        base = self._last or _nothing(self.target)
        if state == "ended":
            base = replace(base, processes=self._last_processes)
        return replace(base, state=state, notice=notice)


def _nothing(target: Target) -> Picture:
    """Before anything was heard."""
    return Picture(
        at=time.time(), state="live", notice="", run_pid=target.run_pid, scope=target.scope, command=target.command,
        verdict=None, headline="", memory_bytes=None, limit=target.limit, growth_bytes_per_second=None,
        forecast_seconds=None, watched_seconds=None, processes=(), sites=(),
    )  # fmt: skip
