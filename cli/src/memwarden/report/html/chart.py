"""What the memory chart draws: bytes over time, with what the judge saw in them. Times in seconds since the start."""

from typing import Any, Final

import numpy as np

from memwarden.report.html.markup import shown
from memwarden_api.report import Verdict
from memwarden_collector.serve.downsample import downsample
from memwarden_core.floors import floors
from memwarden_core.judge import DEFAULT_SETTINGS
from memwarden_core.recording import FloatArray, Recording, Series
from memwarden_core.signals import HEAP_LIVE, PROCESS_MEMORY_ANON, by_process, held, scope_memory

POINTS: Final = 1200
"""Points of a series: the lowest and the highest of each stretch stay."""
LAST_SAMPLES: Final = 7
PROCESSES: Final = 6
"""Processes with a line of their own: those with most memory."""
HISTORY: Final = 500


def chart(recording: Recording, verdict: Verdict) -> dict[str, Any]:
    """All series and marks. A recording without samples has empty ones."""
    start = recording.started
    memory = scope_memory(recording, recording.ended)
    lows = floors(memory.time, memory.value, max(recording.interval, 1e-3), DEFAULT_SETTINGS)
    trend = _trend(verdict, Series(lows.time, lows.value), recording)
    return {
        "start": round(start, 3),
        "end": round(recording.ended - start, 3),
        "memory": points(memory, start),
        "heap": points(_heap(recording, memory.time), start),
        "floors": points(Series(lows.time, lows.value), start),
        "processes": _processes(recording, start),
        "trend": trend,
        "limit": None
        if verdict.limit is None
        else {"bytes": verdict.limit.bytes, "source": verdict.limit.source},
        "forecast": _forecast(verdict, trend, recording),
        "history": [
            {
                "t": round(entry.at.timestamp() - start, 1),
                "verdict": entry.verdict,
                "confidence": round(entry.confidence, 3),
            }
            for entry in verdict.history[-HISTORY:]
        ],
    }


def points(series: Series, start: float) -> dict[str, list[float]]:
    """A series as the page reads it: whole bytes at hundredths of a second."""
    known = np.isfinite(series.time) & np.isfinite(series.value)
    time, value = series.time[known], series.value[known]
    if time.size:
        time, value = downsample(time, value, POINTS)
    return {"t": np.round(time - start, 2).tolist(), "v": np.round(value).astype(np.int64).tolist()}


def _heap(recording: Recording, time: FloatArray) -> Series:
    """The live heap of all processes that tell of theirs, at the moments of the memory."""
    total, known = np.zeros(time.size), np.zeros(time.size, dtype=bool)
    for place, part in by_process(recording, HEAP_LIVE, recording.ended).items():
        process = recording.processes[place]
        own = held(part, time, np.inf)
        seen = np.isfinite(own)
        if process.ended:
            seen &= time <= process.last_seen
        total[seen] += own[seen]
        known |= seen
    return Series(time[known], total[known])


def _processes(recording: Recording, start: float) -> list[dict[str, Any]]:
    parts = by_process(recording, PROCESS_MEMORY_ANON, recording.ended)
    if len(parts) < 2:
        return []
    heaviest = sorted(parts, key=lambda place: -float(parts[place].value.max()))[:PROCESSES]
    return [
        {
            "pid": recording.processes[place].pid,
            "command": shown(recording.processes[place].command, 120),
            **points(parts[place], start),
        }
        for place in sorted(heaviest)
    ]


def _trend(verdict: Verdict, lows: Series, recording: Recording) -> dict[str, float] | None:
    """The judge's slope through the floors since growth began."""
    slope = verdict.growth_bytes_per_second
    if verdict.since is None or slope is None:
        return None
    since = verdict.since.timestamp()
    chosen = lows.time >= since - 1e-3
    if chosen.sum() < 2:
        return None
    time, value = lows.time[chosen], lows.value[chosen]
    end = recording.ended
    level = float(np.median(value - slope * (time - end)))
    return {
        "from": round(float(time[0]) - recording.started, 2),
        "to": round(end - recording.started, 2),
        "first": round(level + slope * (float(time[0]) - end)),
        "last": round(level),
    }


def _forecast(
    verdict: Verdict, trend: dict[str, float] | None, recording: Recording
) -> dict[str, float] | None:
    ahead, level = verdict.oom_forecast_seconds, end_level(recording)
    if ahead is None or verdict.limit is None or level is None:
        return None
    return {
        "from": round(recording.ended - recording.started, 2),
        "level": round(level) if trend is None else trend["last"],
        "p10": ahead.p10,
        "p50": ahead.p50,
        "p90": ahead.p90,
    }


def end_level(recording: Recording) -> float | None:
    """Memory at the end of a run: the median of the last samples, because the very last may see the program go."""
    value = scope_memory(recording, recording.ended).value
    return float(np.median(value[-LAST_SAMPLES:])) if value.size else None
