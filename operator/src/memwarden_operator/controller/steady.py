"""Numbers that stand still: a status is not written because a rate moved by a percent. Pure."""

from datetime import datetime, timedelta
from typing import Final

SHARE: Final = 0.2
"""A number must move by more than this to be told anew."""
_DIGITS: Final = 2


def number(new: float | None, old: float | None) -> int | None:
    """Two digits of the new one, or the old one where it is near."""
    if new is None:
        return None
    if old is not None and abs(new - old) <= SHARE * abs(old):
        return round(old)
    return round(_rounded(new))


def confidence(new: float, old: float | None) -> float:
    """In steps of 0.05, and not told anew for one step."""
    stepped = round(round(min(max(new, 0.0), 1.0) * 20) / 20, 2)
    return old if old is not None and abs(new - old) < 0.075 else stepped


def when(new: datetime | None, old: datetime | None, now: datetime) -> datetime | None:
    """A moment to come, to the minute; the old one while the way to it changed by less than a fifth."""
    if new is None:
        return None
    if old is not None and abs((new - old).total_seconds()) <= max(
        60.0, SHARE * abs((old - now).total_seconds())
    ):
        return old
    return (new + timedelta(seconds=30)).replace(second=0, microsecond=0)


def past(new: datetime | None, old: datetime | None) -> datetime | None:
    """A moment that was, to the second; the old one where it is the same within ten minutes: starts are estimates."""
    if new is None:
        return None
    if old is not None and abs((new - old).total_seconds()) <= 600:
        return old
    return new.replace(microsecond=0)


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
