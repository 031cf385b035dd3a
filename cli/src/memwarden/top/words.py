"""Words, numbers and small drawings of `memwarden top`. Everything here is text of a known width in cells."""

import unicodedata
from collections.abc import Sequence
from typing import Final, Literal

from memwarden.quantities import short_size

NOTHING: Final = "–"
_LONGEST: Final = 400
_BARS: Final = "▁▂▃▄▅▆▇█"
_UNITS: Final = ((86_400.0, "days"), (3600.0, "h"), (60.0, "min"))
_STEADY_SHARE: Final = 0.01
_STEADY_BYTES: Final = 262_144
"""A change over the window that is less than both of them is not worth a number."""

MARKS: Final = {
    "Leaking": ("✖", "LEAKING"),
    "Growing": ("▲", "GROWING"),
    "CacheFilling": ("◆", "CACHE FILLING"),
    "Fragmented": ("▚", "FRAGMENTED"),
    "Healthy": ("✔", "HEALTHY"),
    "WarmingUp": ("…", "WARMING UP"),
    "Unknown": ("?", "UNKNOWN"),
}
"""A sign and a word for each verdict: its colour says nothing that these don't."""


def clean(text: object) -> str:
    """One line that can't steer a terminal: control, format and broken characters as �, and not endless."""
    line = " ".join(str(text)[: 4 * _LONGEST].split())
    line = "".join(one if one.isprintable() else "�" for one in line)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 100]}…{line[-99:]}"


def cells(text: str) -> int:
    """Columns that a terminal takes for `text`, which is `clean`."""
    return len(text) if text.isascii() else sum(_width(one) for one in text)


def _width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fit(text: str, width: int, keep: Literal["start", "end"] = "start", pad: bool = True) -> str:
    """`text` in exactly `width` cells (at most, without `pad`); what is cut is told by an ellipsis."""
    if cells(text) > width:
        if width <= 1:
            return "…"[:width]
        kept, room = [], width - 1
        for one in text if keep == "start" else reversed(text):
            room -= _width(one)
            if room < 0:
                break
            kept.append(one)
        text = f"{''.join(kept)}…" if keep == "start" else f"…{''.join(reversed(kept))}"
    return text + " " * (width - cells(text)) if pad else text


def right(text: str, width: int) -> str:
    """`text` at the right end of `width` cells."""
    return " " * max(0, width - cells(text)) + fit(text, width, pad=False)


def size(value: float | None) -> str:
    return NOTHING if value is None else short_size(value)


def rate(bytes_per_second: float | None) -> str:
    """Always per minute, so that a column can be compared by eye."""
    if bytes_per_second is None:
        return NOTHING
    per_minute = bytes_per_second * 60
    if abs(per_minute) < 1:
        return "0 B/min"
    return f"{'+' if per_minute > 0 else ''}{short_size(per_minute)}/min"


def growth(bytes_per_second: float | None, memory: float | None, seconds: float) -> str:
    """A rate, or "steady" where it would be noise."""
    if bytes_per_second is None:
        return NOTHING
    change = abs(bytes_per_second) * seconds
    if change < _STEADY_BYTES and change < max(_STEADY_SHARE * (memory or 0), _STEADY_BYTES / 4):
        return "steady"
    return rate(bytes_per_second)


def span(seconds: float) -> str:
    """`45 s`, `14 min`, `3 h`, `2 days`."""
    for length, unit in _UNITS:
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def spans(shortest: float, longest: float) -> str:
    """`14–17 min`."""
    (low, low_unit), (high, high_unit) = (span(one).split(" ") for one in (shortest, longest))
    if low_unit != high_unit:
        return f"{low} {low_unit}–{high} {high_unit}"
    return f"{low} {low_unit}" if low == high else f"{low}–{high} {high_unit}"


def limit(limit_bytes: int) -> str:
    """As people set it: `512 MiB` where it is round in MiB or GiB."""
    for unit, name in ((2**30, "GiB"), (2**20, "MiB")):
        if limit_bytes >= unit and limit_bytes % unit == 0:
            return f"{limit_bytes // unit} {name}"
    return short_size(limit_bytes)


def sparkline(values: Sequence[float], width: int) -> str:
    """The values as bars in `width` cells, the newest at the right. The scale is from the lowest to the highest, but
    at least a twentieth of the highest, so that noise looks flat.
    """
    if not values or width < 1:
        return " " * max(0, width)
    count = min(width, len(values))
    edges = [round(index * len(values) / count) for index in range(count + 1)]
    picked = [max(values[edges[index] : edges[index + 1]]) for index in range(count)]
    low, high = min(picked), max(picked)
    reach = max(high - low, high / 20, 1.0)
    bars = "".join(_BARS[min(len(_BARS) - 1, int((one - low) / reach * len(_BARS)))] for one in picked)
    return bars.rjust(width)


def bar(share: float, width: int) -> str:
    """A bar that is filled by `share`."""
    filled = max(0, min(width, round(share * width)))
    return "█" * filled + "░" * (width - filled)


def command(line: str) -> str:
    """A command line without the folder of its program."""
    program, blank, rest = clean(line).partition(" ")
    return f"{program.rstrip('/').rpartition('/')[2] or program}{blank}{rest}"
