"""From what the judge said to what is promised outside: core's Verdict and Recording become report.Verdict.
Pure.

Used by the interface, and by the command for kept files. Bytes are rounded to whole ones, moments become
UTC; a number that is not finite becomes null, or for a forecast ten years, because JSON knows neither.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, cast

from memwarden_api import report
from memwarden_api.names import PROCESS_MEMORY_ANON
from memwarden_core import containers as core_containers
from memwarden_core.recording import Frame as CoreFrame
from memwarden_core.recording import MemoryLimit, ProcessInfo, Recording, SeriesKey
from memwarden_core.verdict import Advice, Forecast, Gate, Kind, Site, TypeGrowth, Verdict

_FAR_SECONDS: Final = 10 * 365 * 86_400.0
_HELD: Final = 48
"""Caches of a scope in its verdict, and as many containers: a hundred workers must not make it large."""


def report_verdict(
    verdict: Verdict, recording: Recording, history: Iterable[report.HistoryEntry] = ()
) -> report.Verdict:
    """The public form of a verdict about a recording."""
    growth = verdict.growth_interval
    held = _held(recording)
    return report.Verdict(
        scope=recording.scope,
        command=recording.command,
        headline=verdict.headline,
        processes=tuple(
            _process(recording, place, one, held) for place, one in enumerate(recording.processes)
        ),
        verdict=verdict.kind.value,
        reason=verdict.reason,
        at_risk=verdict.at_risk,
        confidence=min(1.0, max(0.0, _finite(verdict.confidence) or 0.0)),
        limit=report_limit(recording.limit),
        anon_bytes=_whole(verdict.anon_bytes),
        since=None if verdict.since is None else utc(verdict.since),
        growth_bytes_per_second=_finite(verdict.growth_bytes_per_second),
        growth_interval_bytes_per_second=growth if growth and all(map(math.isfinite, growth)) else None,
        oom_forecast_seconds=_forecast(verdict.forecast),
        cause=verdict.cause,
        fingerprint=verdict.fingerprint,
        sites=tuple(_site(one) for one in verdict.sites),
        types=tuple(_type(one) for one in verdict.types),
        advice=tuple(
            report.Advice(text=one.text, bytes_at_stake=_whole(one.bytes_at_stake)) for one in verdict.advice
        ),
        gates=tuple(_gate(one) for one in verdict.gates),
        history=tuple(history),
    )


def core_verdict(document: report.Verdict, at: float) -> Verdict:
    """The judge's own form of a verdict that was kept, so that judging goes on after a restart."""
    forecast = document.oom_forecast_seconds
    return Verdict(
        at=at,
        kind=Kind(document.verdict),
        reason=document.reason,
        headline=document.headline,
        confidence=document.confidence,
        at_risk=document.at_risk,
        anon_bytes=document.anon_bytes,
        since=None if document.since is None else document.since.timestamp(),
        growth_bytes_per_second=document.growth_bytes_per_second,
        growth_interval=document.growth_interval_bytes_per_second,
        forecast=None if forecast is None else Forecast(forecast.p10, forecast.p50, forecast.p90),
        cause=document.cause,
        fingerprint=document.fingerprint,
        sites=tuple(_core_site(one) for one in document.sites),
        types=tuple(TypeGrowth(**dict(one)) for one in document.types),
        advice=tuple(Advice(**dict(one)) for one in document.advice),
        gates=tuple(Gate(**dict(one)) for one in document.gates),
    )


def _core_site(site: report.Site) -> Site:
    return Site(**{**dict(site), "stack": tuple(CoreFrame(**dict(frame)) for frame in site.stack)})


def history_entry(verdict: Verdict) -> report.HistoryEntry:
    """One entry of the history."""
    return report.HistoryEntry(at=utc(verdict.at), verdict=verdict.kind.value, confidence=verdict.confidence)


def report_limit(limit: MemoryLimit | None) -> report.Limit | None:
    """The limit with its source; None without one or where it is not a number of bytes."""
    whole = None if limit is None else _whole(limit.bytes)
    if limit is None or whole is None:
        return None
    return report.Limit(bytes=whole, source=cast(Literal["option", "cgroup", "available"], limit.source))


def report_frame(frame: CoreFrame) -> report.Frame:
    return report.Frame(file=frame.file, line=frame.line, function=frame.function)


def utc(seconds: float) -> datetime:
    """Unix seconds as a moment in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


@dataclass(frozen=True, slots=True)
class _Held:
    """By process: what grew by most entries first, then the largest. Bounded over all processes of a scope."""

    caches: Mapping[int, list[report.Cache]]
    containers: Mapping[int, list[report.Container]]


def _held(recording: Recording) -> _Held:
    caches: dict[int, list[report.Cache]] = {}
    containers: dict[int, list[report.Container]] = {}
    for cache in sorted(core_containers.caches(recording), key=_by_growth)[:_HELD]:
        caches.setdefault(cache.process, []).append(_cache(cache))
    for container in sorted(core_containers.containers(recording), key=_by_growth)[:_HELD]:
        containers.setdefault(container.process, []).append(_container(container))
    return _Held(caches, containers)


def _by_growth(one: core_containers.Cache | core_containers.Container) -> tuple[float, float, str]:
    return -one.growth, -one.size, one.id


def _cache(cache: core_containers.Cache) -> report.Cache:
    return report.Cache(
        id=cache.id,
        kind=cache.kind,
        name=cache.name,
        file=cache.file,
        line=cache.line,
        entries=round(cache.size),
        bound=None if cache.bound is None else round(cache.bound),
        bound_bytes=None if cache.bound_bytes is None else round(cache.bound_bytes),
        bound_seconds=cache.bound_age,
        hit_rate=cache.hit_rate,
        growth_entries=round(cache.growth),
    )


def _container(container: core_containers.Container) -> report.Container:
    return report.Container(
        id=container.id,
        type=container.type,
        name=container.name,
        entries=round(container.size),
        growth_entries=round(container.growth),
    )


def _process(recording: Recording, place: int, process: ProcessInfo, held: _Held) -> report.Process:
    anon = recording.series.get(SeriesKey(PROCESS_MEMORY_ANON, place))
    return report.Process(
        pid=process.pid,
        parent_pid=process.parent_pid,
        command=process.command,
        runtime=process.runtime,
        probe="hooked" if process.hooked else "outside",
        probe_reason=process.reason,
        anon_bytes=None if anon is None or not len(anon.value) else _whole(float(anon.value[-1])),
        started_at=utc(process.started),
        ended_at=utc(process.last_seen) if process.ended else None,
        caches=tuple(held.caches.get(place, ())),
        containers=tuple(held.containers.get(place, ())),
    )


def _forecast(forecast: Forecast | None) -> report.Forecast | None:
    if forecast is None or math.isnan(forecast.p50):
        return None
    p10, p50, p90 = (
        _FAR_SECONDS if math.isnan(value) else min(value, _FAR_SECONDS)
        for value in (forecast.p10, forecast.p50, forecast.p90)
    )
    return report.Forecast(p10=p10, p50=p50, p90=p90)


def _site(site: Site) -> report.Site:
    return report.Site(
        file=site.file,
        line=site.line,
        function=site.function,
        pid=site.pid,
        live_bytes=_whole(site.live_bytes) or 0,
        growth_bytes_per_second=_finite(site.growth_bytes_per_second) or 0.0,
        growth_share=_finite(site.growth_share) or 0.0,
        samples=int(site.samples),
        stack=tuple(report_frame(frame) for frame in site.stack),
    )


def _type(growth: TypeGrowth) -> report.TypeGrowth:
    return report.TypeGrowth(
        name=growth.name,
        pid=growth.pid,
        count=_whole(growth.count) or 0,
        bytes=_whole(growth.bytes) or 0,
        growth_count_per_second=_finite(growth.growth_count_per_second) or 0.0,
    )


def _gate(gate: Gate) -> report.Gate:
    return report.Gate(
        name=gate.name,
        passed=gate.passed,
        value=_finite(gate.value),
        threshold=_finite(gate.threshold),
        unit=gate.unit,
        text=gate.text,
    )


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def _whole(value: float | None) -> int | None:
    return round(value) if value is not None and math.isfinite(value) else None
