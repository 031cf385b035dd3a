"""A daily or weekly rhythm of the memory: what was there at the same time on other days is taken out before growth is
judged.

A rhythm is believed when earlier periods foretell later ones: each period's shape is compared with the median of the
others. That takes three periods; with fewer, nothing is taken out, and a ramp of the morning has to fail elsewhere
(the load, or having been as high before).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from memwarden_core.recording import FloatArray
from memwarden_core.settings import JudgeSettings
from memwarden_core.signals import Signal

DAY: Final = 86_400.0
PERIODS: Final = (DAY, 7 * DAY)
BINS: Final = 48
"""Bins a period: half an hour of a day, three and a half hours of a week."""
LEAST_PERIODS: Final = 3


@dataclass(frozen=True, slots=True)
class Season:
    """One rhythm that was found."""

    period: float
    """Seconds."""
    strength: float
    """Share of the variance around the trend that other periods foretell, 0 to 1."""
    swing: float
    """Bytes between its lowest and its highest time."""
    profile: FloatArray
    """Bytes above the trend by bin, shape (BINS,), mean 0."""

    def at(self, time: FloatArray) -> FloatArray:
        """Bytes that the rhythm adds at these moments, linear between the middles of bins."""
        phase = (time % self.period) / self.period * BINS
        middles = np.arange(-0.5, BINS + 1)
        around = np.concatenate((self.profile[-1:], self.profile, self.profile[:1]))
        return np.asarray(np.interp(phase, middles, around), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Rhythms:
    """What was found in the signal of a segment; empty where nothing was."""

    memory: tuple[Season, ...] = ()
    heap: tuple[Season, ...] = ()

    def taken_out_of(self, signal: Signal) -> Signal:
        """The same signal, or a part of it, without the rhythms."""
        anon, heap = signal.anon, signal.heap
        for one in self.memory:
            anon = anon - one.at(signal.time)
        for one in self.heap:
            heap = heap - one.at(signal.time)
        return Signal(signal.time, anon, heap, signal.heap_coverage)


def rhythms(signal: Signal, settings: JudgeSettings) -> Rhythms:
    """The rhythms of memory and heap; the heap has none where memory has none."""
    memory = _seasons(signal.time, signal.anon, settings)
    known = np.isfinite(signal.heap)
    heap = _seasons(signal.time[known], signal.heap[known], settings) if memory else ()
    return Rhythms(memory, heap)


def _seasons(time: FloatArray, value: FloatArray, settings: JudgeSettings) -> tuple[Season, ...]:
    found: list[Season] = []
    for period in PERIODS:
        one = season(time, value, period, settings)
        if one is not None:
            found.append(one)
            value = value - one.at(time)
    return tuple(found)


def season(time: FloatArray, value: FloatArray, period: float, settings: JudgeSettings) -> Season | None:
    """The rhythm of that period; None where there is none, or too little was seen to tell.

    Classical decomposition: the trend is a centred mean over one period, the profile the median over periods of what
    is left, by time of the period. The strength is Wang, Smith and Hyndman's (2006, Characteristic-based clustering
    for time series data), but foretold from the other periods instead of fitted, so that noise has none.
    """
    if time.size < LEAST_PERIODS * BINS or time[-1] - time[0] < LEAST_PERIODS * period:
        return None
    width = period / BINS
    first = np.floor(time[0] / width)
    number = (np.floor(time / width) - first).astype(np.int64)
    count = np.bincount(number)
    with np.errstate(invalid="ignore"):
        binned = np.bincount(number, value) / count
    known = count > 0
    if known.mean() < 0.8:
        return None
    places = np.arange(binned.size)
    filled: FloatArray = np.interp(places, places[known], binned[known])
    left = filled - _centred_mean(filled)
    inside = np.isfinite(left) & known
    rows = _by_period(left, inside, int(first))
    if rows.shape[0] < LEAST_PERIODS - 1 or np.isnan(rows).all(axis=0).any():
        return None
    strength = _foretold(rows)
    if strength < settings.season_strength:
        return None
    profile = np.nanmedian(rows, axis=0)
    profile = profile - profile.mean()
    return Season(period, strength, float(np.ptp(profile)), profile)


def _centred_mean(value: FloatArray) -> FloatArray:
    """Mean over one period around each bin, half weight at its ends; NaN within half a period of the edges."""
    kernel = np.full(BINS + 1, 1.0 / BINS)
    kernel[[0, -1]] = 0.5 / BINS
    middle = np.convolve(value, kernel, mode="valid")
    edge = np.full(BINS // 2, np.nan)
    return np.concatenate((edge, middle, edge))


def _by_period(
    left: FloatArray, inside: np.ndarray[tuple[int], np.dtype[np.bool_]], first: int
) -> FloatArray:
    """Shape (periods, BINS), NaN where nothing was seen; rows begin at phase 0."""
    lead = first % BINS
    size = -(-(lead + left.size) // BINS) * BINS
    padded = np.full(size, np.nan)
    padded[lead : lead + left.size] = np.where(inside, left, np.nan)
    rows: FloatArray = padded.reshape(-1, BINS)
    seen: FloatArray = rows[np.isfinite(rows).any(axis=1)]
    return seen


def _foretold(rows: FloatArray) -> float:
    """Share of the variance that the median of the other periods foretells; negative where it makes things worse."""
    whole = unexplained = 0.0
    for index in range(rows.shape[0]):
        others = np.delete(rows, index, axis=0)
        usable = np.isfinite(rows[index]) & np.isfinite(others).any(axis=0)
        if not usable.any():
            continue
        guess = np.nanmedian(others[:, usable], axis=0)
        seen = rows[index, usable]
        whole += float(((seen - np.nanmean(rows)) ** 2).sum())
        unexplained += float(((seen - guess) ** 2).sum())
    return 1.0 - unexplained / whole if whole > 0 else 0.0
