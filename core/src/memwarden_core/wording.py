"""Numbers as people read them: bytes, rates, durations, moments. Reports use the same words as headlines."""

import math
from datetime import UTC, datetime, timedelta

from memwarden_core.recording import MemoryLimit

_DECIMAL = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def amount(size: float) -> str:
    """An amount of memory in decimal units: "48 MB", "1.3 GB", "-2.5 MB"."""
    for unit, name in _DECIMAL:
        if abs(size) >= 0.9995 * unit:
            return f"{_short(size / unit)} {name}"
    return f"{size:.0f} B"


def limit_size(size: float) -> str:
    """A limit: in MiB or GiB where it is round in them ("512 MiB"), else as an amount."""
    for unit, name in ((2**30, "GiB"), (2**20, "MiB")):
        if size >= unit and math.isclose(size / unit, round(size / unit), abs_tol=1e-9):
            return f"{round(size / unit)} {name}"
    return amount(size)


def bound_words(entries: float | None, size: float | None, seconds: float | None) -> str:
    """What bounds a cache: "4,000", "12 MB", "30 s", "none"."""
    if entries is not None:
        return f"{entries:,.0f}"
    if size is not None:
        return amount(size)
    return "none" if seconds is None else duration(seconds)


def limit_name(limit: MemoryLimit) -> str:
    """What the limit is called in a sentence."""
    if limit.source == "available":
        return f"{amount(limit.bytes)} that the machine has to give"
    return f"{limit_size(limit.bytes)} limit"


def rate(bytes_per_second: float) -> str:
    """Growth per minute, or per hour or day where that is easier to grasp: "+31 MB/min"."""
    if abs(bytes_per_second) * 86400 < 1e5:  # less than 100 kB a day is nothing that anybody could act on
        return "steady"
    sign = "-" if bytes_per_second < 0 else "+"
    size = abs(bytes_per_second)
    for seconds, name in ((60.0, "min"), (3600.0, "h")):
        if size * seconds >= 1e5:
            return f"{sign}{amount(size * seconds)}/{name}"
    return f"{sign}{amount(size * 86400)}/day"


def duration(seconds: float) -> str:
    """A time span with one unit: "3 s", "80 s", "14 min", "6 h", "9 days"."""
    value, unit = _span(seconds)
    return f"{value} {unit}"


def duration_range(shortest: float, longest: float) -> str:
    """As "14–17 min"; one number where both ends read the same; both units where they differ."""
    (low, low_unit), (high, high_unit) = _span(shortest), _span(longest)
    if low_unit != high_unit:
        return f"{low} {low_unit} – {high} {high_unit}"
    return f"{low} {low_unit}" if low == high else f"{low}–{high} {low_unit}"


def clock(moment: float, utc_offset_seconds: int = 0) -> str:
    """The time of day with seconds, in UTC unless an offset is given: "12:03:10"."""
    return (datetime.fromtimestamp(moment, UTC) + timedelta(seconds=utc_offset_seconds)).strftime("%H:%M:%S")


def percent(share: float) -> str:
    """A share as "94 %"."""
    return f"{100 * share:.0f} %"


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 9.95 else f"{value:.1f}".removesuffix(".0")


def _span(seconds: float) -> tuple[str, str]:
    if seconds < 120:
        return (f"{seconds:.0f}" if seconds >= 2 or seconds == 0 else f"{seconds:.1f}"), "s"
    if seconds < 7200:
        return f"{seconds / 60:.0f}", "min"
    if seconds < 2 * 86400:
        return f"{seconds / 3600:.0f}", "h"
    return f"{seconds / 86400:.0f}", "days"
