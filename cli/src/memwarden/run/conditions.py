"""What makes a run fail with exit code 86: conditions as people type them. Whether they are met is asked
after the app's end, in `memwarden.report.conditions`.
"""

from dataclasses import dataclass
from typing import Final, Literal

from memwarden.errors import Usage
from memwarden.quantities import duration, size

Kind = Literal["leak", "growing", "oom-within", "max-growth"]

KNOWN: Final = "leak, growing, oom-within=TIME"
_RATE_SECONDS: Final = {"s": 1, "min": 60, "h": 3600, "day": 86400}


@dataclass(frozen=True, slots=True)
class Condition:
    """One reason to fail."""

    kind: Kind
    text: str
    """As it is called in reports: `leak`, `oom-within=10m`, `max-growth=1MiB/min`."""
    bound: float = 0.0
    """Seconds of `oom-within`, bytes a second of `max-growth`."""


def conditions(fail_on: tuple[str, ...], max_growth: str | None) -> tuple[Condition, ...]:
    """Of all `--fail-on` (each may be a list with commas) and `--max-growth`; each once. Raises Usage."""
    found = [_condition(word.strip(), text) for text in fail_on for word in text.split(",")]
    if max_growth is not None:
        bound = rate(max_growth, "--max-growth")
        found.append(Condition("max-growth", f"max-growth={max_growth.strip()}", bound))
    return tuple(dict.fromkeys(found))


def rate(text: str, option: str) -> float:
    """Bytes a second of `1MiB/min`, `500kB/h`."""
    amount, slash, unit = (part.strip() for part in text.partition("/"))
    if not slash or unit not in _RATE_SECONDS:
        raise Usage(f"{option} {text}: this is not a growth such as 1MiB/min; the time is s, min, h or day")
    return size(amount, option) / _RATE_SECONDS[unit]


def _condition(word: str, text: str) -> Condition:
    name, equals, value = word.partition("=")
    if name == "leak" and not equals:
        return Condition("leak", "leak")
    if name == "growing" and not equals:
        return Condition("growing", "growing")
    if name == "oom-within":
        if not value:
            raise Usage(f"--fail-on {text}: oom-within needs a time, as in --fail-on oom-within=10m")
        return Condition("oom-within", word, duration(value, "--fail-on oom-within"))
    raise Usage(f"--fail-on {text}: {word!r} is not known; use {KNOWN}")
