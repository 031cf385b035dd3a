"""Sizes, processor shares and durations as Kubernetes' users write them: `512Mi`, `250m`, `1m30s`.

Standard library only: the injector reads profiles with it and loads no pydantic. Each function takes the text, and a
whole number where the API server takes one, and raises ValueError that says what is expected. The patterns are those
of the CRDs.
"""

import re
from typing import Final

MEMORY_PATTERN: Final = r"^[0-9]{1,15}(\.[0-9]{1,3})?(k|M|G|T|Ki|Mi|Gi|Ti)?$"
CPU_PATTERN: Final = r"^([0-9]{1,6}(\.[0-9]{1,3})?|[0-9]{1,9}m)$"
DURATION_PATTERN: Final = r"^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?([0-9]{1,6}ms)?$"
TEXT_LENGTH: Final = 32
"""Characters of each at most."""

_MEMORY_UNITS: Final = {
    "": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12,
    "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40,
}  # fmt: skip
# What pods may say beside: of others' containers, where everything that Kubernetes allows occurs.
_OTHER_UNITS: Final = {
    "n": 1e-9, "u": 1e-6, "m": 1e-3, "P": 10**15, "E": 10**18, "Pi": 1 << 50, "Ei": 1 << 60,
}  # fmt: skip
_UNITS: Final = _MEMORY_UNITS | _OTHER_UNITS
_QUANTITY: Final = re.compile(r"([+-]?[0-9]*\.?[0-9]*)((?:[eE][+-]?[0-9]+)|n|u|m|k|Ki|[MGTPE]i?)?", re.ASCII)
_DURATION: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII)


def memory_bytes(text: str | int) -> int:
    """Bytes of `512Mi`, `1G`, `1048576`."""
    if not re.fullmatch(MEMORY_PATTERN[1:-1], str(text), re.ASCII):
        raise ValueError(f"{str(text)[:40]!r} is not a size such as 512Mi or 1G")
    return round(quantity(text))


def cpu_cores(text: str | int) -> float:
    """Cores of `250m`, `1`, `0.5`."""
    if not re.fullmatch(CPU_PATTERN[1:-1], str(text), re.ASCII):
        raise ValueError(f"{str(text)[:40]!r} is not a share of processors such as 250m or 1")
    return quantity(text)


def duration_seconds(text: str) -> float:
    """Seconds of `15s`, `1m30s`, `2h`, `500ms`."""
    match = _DURATION.fullmatch(text) if text else None
    if match is None:
        raise ValueError(f"{text[:40]!r} is not a duration such as 15s, 10m or 1h30m")
    hours, minutes, seconds, milliseconds = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000


def quantity(text: str | int | float) -> float:
    """The value of any quantity that the API server admits in a pod: `1e3`, `0.5Gi`, `100m`, `12E`."""
    if not isinstance(text, str):
        return float(text)
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is not a quantity of Kubernetes")
    number, suffix = match[1], match[2] or ""
    if suffix[:1] in ("e", "E") and len(suffix) > 1 and suffix != "Ei":
        return float(number + suffix)
    return float(number) * _UNITS[suffix]
