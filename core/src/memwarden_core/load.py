"""Whether more work explains more memory: CPU time and allocation rate are the load signals that always
exist."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from memwarden_core.floors import Floors
from memwarden_core.recording import FloatArray, Recording, Series, SeriesKey
from memwarden_core.settings import JudgeSettings
from memwarden_core.signals import CPU_TIME, EMPTY, HEAP_ALLOCATED, PROCESS_CPU_TIME, by_process, clean

_STRAIGHT: Final = 0.01
"""Share of memory's movement beside a straight line that is noise of the measurement."""


@dataclass(frozen=True, slots=True)
class Load:
    """The load signal that follows memory least: if that one explains the growth, all do."""

    rise: float
    """Load of the last third over load of the first third, minus one."""
    correlation: float
    explains: bool
    name: str


def load(recording: Recording, lows: Floors, until: float, settings: JudgeSettings) -> Load | None:
    """None where no load signal exists, or too little of it."""
    signals = {
        "CPU time": _scope_cpu(recording, until),
        "allocation rate": _sum_of_rates(recording, HEAP_ALLOCATED, until),
    }
    found = [_compare(name, parts, lows, settings) for name, parts in signals.items()]
    known = [item for item in found if item is not None]
    return min(known, key=lambda item: (item.explains, item.correlation)) if known else None


def _scope_cpu(recording: Recording, until: float) -> list[Series]:
    scope = clean(recording.series.get(SeriesKey(CPU_TIME), EMPTY), until)
    if scope.time.size > 2:
        return [scope]
    return list(by_process(recording, PROCESS_CPU_TIME, until).values())


def _sum_of_rates(recording: Recording, metric: str, until: float) -> list[Series]:
    return list(by_process(recording, metric, until).values())


def _compare(name: str, parts: list[Series], lows: Floors, settings: JudgeSettings) -> Load | None:
    if not parts or lows.time.size < settings.min_windows:
        return None
    edges = np.linspace(lows.time[0], lows.time[-1], settings.min_windows + 1)
    rate = np.zeros(settings.min_windows)
    for part in parts:
        rate += np.maximum(0.0, np.diff(np.interp(edges, part.time, part.value))) / np.diff(edges)
    middle = (edges[1:] + edges[:-1]) / 2
    memory = np.interp(middle, lows.time, lows.value)
    if not rate.any():
        return None
    rise = _rise(rate)
    correlation = _correlation(rate, memory)
    # Whatever rises goes along with whatever else rises: memory must follow the load nearly as closely as the clock.
    by_time = max(_STRAIGHT, 1 - _correlation(middle, memory) ** 2)
    explains = (
        rise >= settings.load_rise
        and correlation >= settings.load_correlation
        and 1 - correlation**2 <= settings.load_closeness * by_time
        and _rise(memory) <= settings.load_excess * rise
    )
    return Load(rise, correlation, explains, name)


def _rise(value: FloatArray) -> float:
    """The last third's mean over the first third's, less one; 99 at most."""
    third = value.size // 3
    first, last = float(value[:third].mean()), float(value[-third:].mean())
    return min(99.0, last / first - 1) if first > 0 else 99.0


def _correlation(first: FloatArray, second: FloatArray) -> float:
    a, b = first - first.mean(), second - second.mean()
    power = float((a @ a) * (b @ b)) ** 0.5
    return float(a @ b) / power if power > 0 else 0.0
