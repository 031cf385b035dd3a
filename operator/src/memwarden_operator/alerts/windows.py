"""Mute windows as Alertmanager's time intervals: none of those goes beyond midnight, so such a window becomes two."""

from dataclasses import dataclass
from typing import Final

from memwarden_api.v1alpha1.alert_policy import MuteWindow

MIDNIGHT: Final = "24:00"
_WEEK: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True)
class Interval:
    """Some hours of some days."""

    days: tuple[str, ...]
    """In small letters; empty: each."""
    begins: str
    ends: str


def intervals(window: MuteWindow) -> tuple[Interval, ...]:
    days = tuple(day for day in _WEEK if day.capitalize() in window.days)
    if window.begins < window.ends:
        return (Interval(days, window.begins, window.ends),)
    following = tuple(_WEEK[(_WEEK.index(day) + 1) % 7] for day in days)
    first = Interval(days, window.begins, MIDNIGHT)
    return (first,) if window.ends == "00:00" else (first, Interval(following, "00:00", window.ends))
