"""One recorded run, judged as it would have been while it was made, and what each method said of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from accuracy.detectors import DETECTORS
from memwarden_core.judge import judge
from memwarden_core.recording import FloatArray, MemoryLimit, Recording, Series
from memwarden_core.recording_file import read_recording
from memwarden_core.replay import replay
from memwarden_core.settings import SENSITIVITY_LABEL, JudgeSettings
from memwarden_core.signals import scope_memory
from memwarden_core.verdict import Kind, Verdict

EVERY_TICKS: Final = 5.0
MOST_JUDGEMENTS: Final = 150
"""Of one run; longer ones are judged at longer distances."""
FORECAST_AT: Final = (0.5, 0.65, 0.8)
"""Shares of a leaking run at which its forecast is asked for."""
FORECAST_LEVEL: Final = 0.97
"""… of a limit that the run itself meets: this share of its highest memory."""

IsSite = Callable[[str, int, str], bool]
"""(file, line, function) → whether the leak allocates there."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of a run."""

    program: str
    run: str
    """Unique; the recording's name."""
    family: str
    part: str
    """"train", "test" or "generated"."""
    leak: bool
    verdicts: frozenset[str]
    begins: float
    """Seconds after the start at which a leak begins."""
    has_site: bool
    batch: str = ""
    """What of its part is scored by itself as well (`cases.judged`)."""


@dataclass(frozen=True, slots=True)
class Said:
    """A verdict in few values."""

    at: float
    """Seconds after the start."""
    kind: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Forecasted:
    """A forecast beside what came; seconds."""

    p10: float
    p50: float
    p90: float
    came: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that scores, tables and charts need of one run."""

    truth: Truth
    interval: float
    seconds: float
    verdicts: tuple[Said, ...]
    headline: str
    reason: str
    first_leaking: float | None
    """Seconds after the leak's beginning (of a healthy run: after the start)."""
    leaked_bytes: float | None
    """What had leaked by then, by the run's own mean growth."""
    percent_a_minute: float
    """Growth of a leak in percent of the limit, per 60 ticks of the usual second: compressed time counts as real."""
    site_samples: int
    site_rank: int | None
    """Place of the right site, 1 first; None: not listed."""
    alarms: Mapping[str, float | None]
    """Method → seconds after the start of its first alarm."""
    forecasts: tuple[Forecasted, ...]
    times: tuple[float, ...]
    memory: tuple[float, ...]
    """At most 300 points for the chart."""
    limit: float | None

    @property
    def said_leaking(self) -> bool:
        return self.first_leaking is not None

    @property
    def final(self) -> str:
        return self.verdicts[-1].kind if self.verdicts else "none"


def read(path: Path) -> Recording:
    """As it was recorded; how it is to be judged is for whoever scores it."""
    with path.open("rb") as stream:
        return read_recording(stream).without_label(SENSITIVITY_LABEL)


def at_ticks_of(recording: Recording, seconds: float) -> Recording:
    """The same samples as if so long lay between two of them. Ages of memory stay as they were sampled, in seconds: the
    settings that read them have to be stretched the other way (`cases.judged`)."""
    factor = seconds / recording.interval
    begin = recording.started

    def moved(time: Any) -> Any:
        """A moment, or an array of them."""
        return begin + (time - begin) * factor

    return replace(
        recording,
        ended=moved(recording.ended),
        interval=seconds,
        processes=tuple(
            replace(one, started=moved(one.started), last_seen=moved(one.last_seen))
            for one in recording.processes
        ),
        series={key: Series(moved(one.time), one.value) for key, one in recording.series.items()},
        profiles=tuple(replace(one, time=moved(one.time)) for one in recording.profiles),
        events=tuple(replace(one, time=moved(one.time)) for one in recording.events),
    )


def outcome(recording: Recording, truth: Truth, is_site: IsSite, settings: JudgeSettings) -> Outcome:
    """Judge it from its start to its end."""
    start = recording.started
    ticks = (recording.ended - start) / max(recording.interval, 1e-3)
    every = max(EVERY_TICKS, ticks / MOST_JUDGEMENTS)
    verdicts = list(replay(recording, every_ticks=every, settings=settings))
    first = next((one for one in verdicts if one.kind is Kind.LEAKING), None)
    memory = scope_memory(recording, recording.ended)
    limit = recording.limit.bytes if recording.limit is not None else np.inf
    pace = _pace(recording, memory.time - start, memory.value, truth) if truth.leak else 0.0
    detected = None if first is None else first.at - start - (truth.begins if truth.leak else 0.0)
    last = verdicts[-1] if verdicts else None
    named = first or last
    rank = _rank(named, is_site) if truth.leak and named is not None else None
    return Outcome(
        truth=truth,
        interval=recording.interval,
        seconds=recording.ended - start,
        verdicts=tuple(Said(one.at - start, one.kind.value, one.confidence) for one in verdicts),
        headline=last.headline if last else "",
        reason=last.reason if last else "",
        first_leaking=detected,
        leaked_bytes=None if detected is None or not truth.leak else max(0.0, detected) * pace,
        percent_a_minute=100 * pace * 60 * recording.interval / limit if np.isfinite(limit) else 0.0,
        site_samples=named.sites[rank - 1].samples if named is not None and rank else 0,
        site_rank=rank,
        alarms=_alarms(
            memory.time, memory.value, limit, recording.interval, [one.at for one in verdicts], start
        ),
        forecasts=_forecasts(recording, memory.time, memory.value, settings) if truth.leak else (),
        times=_thin(memory.time - start),
        memory=_thin(memory.value),
        limit=limit if np.isfinite(limit) else None,
    )


def _pace(recording: Recording, time: FloatArray, value: FloatArray, truth: Truth) -> float:
    """Bytes a second from the leak's beginning to the end."""
    after = time >= max(truth.begins, 10 * recording.interval)
    if np.count_nonzero(after) < 10:
        return 0.0
    t, v = time[after], value[after]
    edge = max(2, t.size // 10)
    return max(
        0.0,
        float((np.median(v[-edge:]) - np.median(v[:edge])) / max(t[-edge:].mean() - t[:edge].mean(), 1e-9)),
    )


def _rank(verdict: Verdict, is_site: IsSite) -> int | None:
    for place, site in enumerate(verdict.sites, start=1):
        if is_site(site.file, site.line, site.function):
            return place
    return None


def _alarms(
    time: FloatArray, value: FloatArray, limit: float, interval: float, moments: list[float], start: float
) -> dict[str, float | None]:
    found: dict[str, float | None] = dict.fromkeys(DETECTORS)
    for moment in moments:
        seen = int(np.searchsorted(time, moment, side="right"))
        for name, alarm in DETECTORS.items():
            if found[name] is None and alarm(time[:seen], value[:seen], limit, interval):
                found[name] = moment - start
    return found


def _forecasts(
    recording: Recording, time: FloatArray, value: FloatArray, settings: JudgeSettings
) -> tuple[Forecasted, ...]:
    """The run is given a limit that it meets before its end, and asked some time before when that will be."""
    if value.size < 60:
        return ()
    level = FORECAST_LEVEL * float(value.max())
    found = []
    for share in FORECAST_AT:
        now = recording.started + share * (recording.ended - recording.started)
        before, later = time <= now, time > now
        if not before.any() or float(value[before].max()) >= level or not (value[later] >= level).any():
            continue
        met = float(time[later][int(np.argmax(value[later] >= level))])
        limited = replace(recording, limit=MemoryLimit(level, "option"))
        told = judge(limited, now=now, settings=settings).forecast
        if told is not None:
            found.append(Forecasted(told.p10, told.p50, told.p90, met - float(time[before][-1])))
    return tuple(found)


def _thin(values: FloatArray, most: int = 300) -> tuple[float, ...]:
    step = max(1, -(-values.size // most))
    return tuple(float(value) for value in values[::step])
