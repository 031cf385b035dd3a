"""Whether now is an hour in which something may be done. Pure; all of it UTC."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from memwarden_api.v1alpha1.remediation import Window

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def is_open(windows: Sequence[Window], now: datetime) -> bool:
    """Without windows, always."""
    return not windows or any(_holds(window, now) for window in windows)


def _holds(window: Window, now: datetime) -> bool:
    """The end itself is outside. One over midnight belongs to the day on which it begins."""
    clock = f"{now:%H:%M}"
    if window.start < window.end:
        return window.start <= clock < window.end and _is_day(window, now)
    if clock >= window.start:
        return _is_day(window, now)
    return clock < window.end and _is_day(window, now - timedelta(days=1))


def _is_day(window: Window, begins: datetime) -> bool:
    return not window.days or _DAYS[begins.weekday()] in window.days
