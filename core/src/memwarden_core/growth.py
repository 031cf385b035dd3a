"""Growth of one signal within one segment: where it began, its trend, its shape, what was there before.

A growth that began late is looked for in the whole segment first, then in its last half, quarter and so on;
the longest stretch that rises for certain counts. What lies before it must not have been as high already.
"""

from dataclasses import dataclass

import numpy as np

from memwarden_core.floors import Floors, floors
from memwarden_core.recording import FloatArray
from memwarden_core.settings import JudgeSettings
from memwarden_core.shape import Shape, onset, shape
from memwarden_core.trend import Trend, trend


@dataclass(frozen=True, slots=True)
class Growth:
    """One stretch up to now and what is known of it."""

    since: float
    floors: Floors
    trend: Trend
    shape: Shape
    above_before: float
    """Share of the rise that lies above all that was seen before it began; 1 where nothing was before."""

    @property
    def duration(self) -> float:
        """Seconds; floors lie up to one window inside the span that was watched."""
        return self.trend.span + self.floors.window_seconds

    def is_long(self, interval: float, settings: JudgeSettings) -> bool:
        """Whether it has gone on for so long that what settles has settled."""
        return self.duration >= settings.long_ticks * interval

    def slowing_ratio(self, interval: float, settings: JudgeSettings) -> float:
        """To what share of its first pace it must have come down to be called slowing."""
        return settings.long_slowing_ratio if self.is_long(interval, settings) else settings.slowing_ratio

    def is_certain(self, settings: JudgeSettings) -> bool:
        """Whether these floors rise beyond noise (not yet: why)."""
        t = self.trend
        return (
            t.mann_kendall_z >= settings.trend_z
            and t.lower > 0
            and t.rise >= needed_gain(t.start_level, settings)
            and t.smaller_third >= settings.third_share
            and t.drift_t >= settings.drift_t
            and self.above_before >= settings.before_share
            and t.largest_step <= settings.step_share
        )


def needed_gain(level: float, settings: JudgeSettings) -> float:
    """Bytes by which floors must have risen to be worth a word."""
    return max(settings.gain_bytes, settings.gain_share * max(level, 0.0))


def growth(time: FloatArray, value: FloatArray, interval: float, settings: JudgeSettings) -> Growth | None:
    """The longest certain growth that lasts until now, else what the whole stretch shows; None: too few
    floors."""
    whole: Growth | None = None
    span = float(time[-1] - time[0]) if time.size else 0.0
    length = span
    while length >= settings.shortest_scale_ticks * interval or whole is None:
        candidate = _growth_of(
            time, value, float(time[-1]) - length if time.size else 0.0, interval, settings
        )
        if candidate is not None and candidate.is_certain(settings):
            return candidate
        whole = whole or candidate
        if candidate is None:
            break
        length /= 2
    return whole


def _growth_of(
    time: FloatArray, value: FloatArray, start: float, interval: float, settings: JudgeSettings
) -> Growth | None:
    chosen = time >= start - 1e-9
    lows = floors(time[chosen], value[chosen], interval, settings)
    if lows.time.size < settings.min_windows:
        return None
    begin = onset(lows.time, lows.value, settings)
    if begin:
        start = float(lows.time[begin])
        chosen = time >= start - 1e-9
        finer = floors(time[chosen], value[chosen], interval, settings)
        if finer.time.size < settings.min_windows:
            begin, start = 0, float(lows.time[0])
        else:
            lows = finer
    measured = trend(lows.time, lows.value)
    return Growth(
        since=float(lows.time[0]),
        floors=lows,
        trend=measured,
        shape=shape(lows.time, lows.value),
        above_before=_above_before(time, value, start, lows, measured, interval, settings),
    )


def _above_before(
    time: FloatArray,
    value: FloatArray,
    start: float,
    lows: Floors,
    measured: Trend,
    interval: float,
    settings: JudgeSettings,
) -> float:
    """Share of the rise above the highest floor seen earlier; less where earlier floors moved about as
    much."""
    earlier = time < start - 1e-9
    if np.count_nonzero(earlier) < settings.settle_ticks:
        return 1.0
    before = floors(time[earlier], value[earlier], interval, settings, lows.window_seconds)
    if not before.value.size or measured.rise <= 0:
        return 1.0 if measured.rise > 0 else 0.0
    reached = float(np.median(lows.value[-3:]))
    above = reached - float(before.value.max())
    moved = float(np.ptp(before.value))
    if above < moved:
        return min(above / measured.rise, settings.before_share * above / moved * 0.99)
    return float(np.clip(above / measured.rise, -1.0, 1.0))
