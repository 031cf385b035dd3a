"""The sentences of a verdict: headline and cause."""

import numpy as np

from memwarden_core.attribution import Attribution
from memwarden_core.code import short_path
from memwarden_core.examination import Findings
from memwarden_core.growth import Growth
from memwarden_core.recording import MemoryLimit
from memwarden_core.verdict import Forecast, Kind, Site
from memwarden_core.wording import amount, clock, duration, duration_range, limit_name, percent, rate

_NAMES = {
    Kind.HEALTHY: "HEALTHY",
    Kind.WARMING_UP: "WARMING UP",
    Kind.GROWING: "GROWING",
    Kind.LEAKING: "LEAKING",
    Kind.CACHE_FILLING: "CACHE FILLING",
    Kind.FRAGMENTED: "FRAGMENTED",
    Kind.UNKNOWN: "UNKNOWN",
}

_WORTH_A_WORD = 0.1
"""What has risen by more than this share of all does not stay where it is …"""
_LIKELY = 2.0
"""… if chance makes a drift so clear (t) less than once in forty times, and it did not stay for the last half."""


def place(site: Site) -> str:
    """A site in few words: "shop/cache.py:41 remember()"."""
    call = site.function if site.function.endswith(">") else f"{site.function}()"
    return f"{short_path(site.file)}:{site.line} {call}"


def limit_sentence(forecast: Forecast | None, limit: MemoryLimit | None) -> str:
    """As "the 512 MiB limit is reached in 14–17 min", or "" where there is no limit or no end in sight."""
    if forecast is None or limit is None:
        return ""
    verb = "are used up" if limit.source == "available" else "is reached"
    if forecast.p50 <= 0:
        return f"the {limit_name(limit)} {verb} now"
    return f"the {limit_name(limit)} {verb} in {duration_range(forecast.p10, forecast.p90)}"


def headline(
    kind: Kind,
    reason: str,
    confidence: float,
    findings: Findings,
    site: Site | None,
    growth_rate: float | None,
    since: float | None,
    forecast: Forecast | None,
    utc_offset_seconds: int,
) -> str:
    """The verdict in one sentence."""
    start = f"{_NAMES[kind]}, {percent(confidence)} sure: "
    if kind in (Kind.UNKNOWN, Kind.WARMING_UP):
        return f"{_NAMES[kind]}: {reason}"
    now = findings.anon or 0.0
    growing = ""
    if growth_rate is not None and since is not None:
        growing = f"{rate(growth_rate)} since {clock(since, utc_offset_seconds)}"
    end = limit_sentence(forecast, findings.limit)
    tail = f"; {end}" if end else ""
    if kind is Kind.LEAKING and site is not None:
        return f"{start}{place(site)} holds {amount(site.live_bytes)}, {growing}{tail}"
    if kind is Kind.LEAKING:
        return f"{start}memory seen by no allocation site grows, {amount(now)} now, {growing}{tail}"
    if kind is Kind.GROWING:
        where = f", mostly {place(site)}" if site is not None else ""
        return f"{start}memory is at {amount(now)}, {growing}{where}; not called a leak yet{tail}"
    if kind is Kind.CACHE_FILLING:
        return f"{start}memory is at {amount(now)}; {reason}"
    if kind is Kind.FRAGMENTED:
        return f"{start}memory is at {amount(now)}; {reason}"
    return start + _steady(findings, now)


def _steady(findings: Findings, now: float) -> str:
    growth = findings.growth
    if growth is None:
        return f"memory is at {amount(now)}"
    lows = growth.floors
    size = lows.value.size
    # The longest stretch up to now over which the floors moved no more than the last third did, or by 3 %.
    third = lows.value[-max(4, size // 3) :]
    allowed = max(1.5 * float(np.ptp(third)), 0.03 * now)
    spreads = np.maximum.accumulate(lows.value[::-1]) - np.minimum.accumulate(lows.value[::-1])
    count = max(4, int(np.searchsorted(spreads, allowed, side="right")))
    rose = float(np.median(lows.value[-3:]) - np.median(lows.value[:3]))
    if 2 * count < size and growth.trend.drift_t >= _LIKELY and rose > _WORTH_A_WORD * now:
        return (
            f"memory is at {amount(now)}, {amount(rose)} more than {duration(growth.trend.span)} ago; "
            "chance may have done it"
        )
    spread = float(np.ptp(lows.value[-count:])) / 2
    span = float(lows.time[-1] - lows.time[-count]) + lows.window_seconds
    return f"memory stays at {amount(now)} (floor ±{amount(max(spread, 1e5))} over {duration(span)})"


def cause(kind: Kind, findings: Findings, attributed: bool, sites: Attribution | None) -> str:
    """Who allocates what grows, and what rises with it; "" where there is nothing to explain."""
    growth = findings.growth
    if growth is None or kind in (Kind.HEALTHY, Kind.UNKNOWN, Kind.WARMING_UP):
        return ""
    return _allocated(kind, findings, growth, attributed, sites) + _in_step(findings)


def _in_step(findings: Findings) -> str:
    """The container that most likely holds it: nobody asked who points at whom, so no more than this is said."""
    container = findings.beside.container
    if container is None:
        return ""
    pace = container.growth / max(float(np.ptp(container.entries.time)), 1e-9)
    return (
        f" In step with it grows {container.name} ({container.type}): {container.size:.0f} entries, "
        f"{60 * pace:+.0f} a minute."
    )


def _allocated(
    kind: Kind, findings: Findings, growth: Growth, attributed: bool, sites: Attribution | None
) -> str:
    top = sites.top if sites is not None else None
    if attributed and top is not None:
        where = f" in {top.processes} processes" if top.processes > 1 else ""
        word = "Allocations" if kind is not Kind.LEAKING else "Objects allocated"
        return (
            f"{word} at {top.site.file}:{top.site.line} in {top.site.function}(){where} hold "
            f"{amount(top.live_bytes)} in {top.samples} samples, {rate(top.growth)}; they account for "
            f"{percent(top.site.growth_share)} of the growth that sites show."
        )
    if kind is Kind.FRAGMENTED:
        return "The process holds memory that its live objects don't use: arenas not given back."
    slope, share = growth.trend.slope, findings.heap_share
    if share is None:
        return f"Memory grows by {rate(slope)}; no process tells of its allocation sites."
    return (
        f"Memory grows by {rate(slope)}, live Python objects by {rate(findings.heap_slope or 0.0)}: "
        + ("the rest is seen by no site (C extensions, arrays, the allocator)." if share < 0.5
           else "no site explains it beyond the chance of sampling yet.")
    )  # fmt: skip
