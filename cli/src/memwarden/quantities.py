"""Durations and sizes as people type them: `500ms`, `2m`, `512MiB`, `1GB`; and as they read them."""

import re
from typing import Final

from memwarden.errors import Usage

DURATION_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
SIZE_UNITS: Final = {
    "B": 1,
    "kB": 1000, "KB": 1000, "MB": 1000**2, "GB": 1000**3, "TB": 1000**4,
    "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4,
    "Ki": 1024, "Mi": 1024**2, "Gi": 1024**3, "Ti": 1024**4,
}  # fmt: skip
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]*)")


def duration(text: str, option: str) -> float:
    """Seconds of `500ms`, `1s`, `1.5m`, `2h`; a bare number is seconds."""
    number, unit = _split(text, option, "a time such as 500ms, 30s or 2m")
    if unit and unit not in DURATION_UNITS:
        raise Usage(f"{option} {text}: the unit {unit!r} is not known; use ms, s, m or h")
    seconds = number * DURATION_UNITS[unit or "s"]
    if seconds <= 0:
        raise Usage(f"{option} {text}: the time must be greater than zero")
    return seconds


def size(text: str, option: str) -> int:
    """Bytes of `512MiB`, `1GB`, `300Mi`; a bare number is bytes.

    Single letters are refused: `1G` is 10⁹ bytes to some programs and 2³⁰ to others.
    """
    number, unit = _split(text, option, "a size such as 512MiB or 1GB")
    if unit and unit not in SIZE_UNITS:
        raise Usage(f"{option} {text}: the unit {unit!r} is not known; use B, KiB, MiB, GiB, kB, MB or GB")
    size_bytes = int(number * SIZE_UNITS[unit or "B"])
    if size_bytes <= 0:
        raise Usage(f"{option} {text}: the size must be greater than zero")
    return size_bytes


def _split(text: str, option: str, wanted: str) -> tuple[float, str]:
    match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        raise Usage(f"{option} {text}: this is not {wanted}")
    return float(match[1]), match[2]


def short_size(size_bytes: float) -> str:
    """A size in the fewest characters that still tell: `84 MB`, `1.2 GB`. Decimal units."""
    value = abs(size_bytes)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 999.5 or unit == "TB":
            digits = f"{value:.1f}".removesuffix(".0") if value < 9.95 else f"{value:.0f}"
            return f"{'-' if size_bytes < 0 else ''}{digits} {unit}"
        value /= 1000
    raise AssertionError


def clock(seconds: float) -> str:
    """`00:42`, `1:03:20`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"
