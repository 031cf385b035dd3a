"""Whether floors rise: five tests that must agree, because each is fooled by something else.

Mann-Kendall is fooled by anything that settles, Theil-Sen by a step, both by noise that remembers itself.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from memwarden_core.recording import FloatArray, IntArray

WALK_BLOCKS: Final = 10
"""Blocks of `walk`; its t has two degrees of freedom less."""


@dataclass(frozen=True, slots=True)
class Trend:
    """The numbers of a trend; slopes in units per second."""

    points: int
    span: float
    slope: float
    lower: float
    upper: float
    mann_kendall_z: float
    drift_t: float
    walk_t: float
    sign_chance: float
    """P that steps up and down that are equally likely would be up so often (`signs`)."""
    start_level: float
    end_level: float
    thirds: tuple[float, float, float]
    largest_step: float
    """Share of the rise that the largest jump up over two windows carries, less the largest jump down."""

    @property
    def rise(self) -> float:
        """What the slope adds up to over the span."""
        return self.slope * self.span

    @property
    def smaller_third(self) -> float:
        """Smaller of the two steps between the medians of thirds, as a share of the rise between them."""
        first, second, third = self.thirds
        whole = third - first
        return min(second - first, third - second) / whole if whole > 0 else -1.0


def trend(time: FloatArray, value: FloatArray) -> Trend:
    """All tests on one series of at least four points."""
    slopes = pairwise_slopes(time, value)
    slope = float(np.median(slopes))
    score, variance = mann_kendall(time, value, slope)
    half_width = 1.959964 * math.sqrt(variance)
    # Sen (1968), as in Gilbert (1987), Statistical Methods for Environmental Pollution Monitoring, 16.5.
    ordered = np.sort(slopes)
    low = int(max(0, math.floor((ordered.size - half_width) / 2)))
    high = int(min(ordered.size - 1, math.ceil((ordered.size + half_width) / 2)))
    z = 0.0 if variance <= 0 else (score - math.copysign(1, score)) / math.sqrt(variance) if score else 0.0
    parts = [float(np.median(part)) for part in np.array_split(value, 3)]
    edge = max(1, min(3, value.size // 4))
    jumps = np.diff(value)
    pairs = jumps[:-1] + jumps[1:]
    # Noise jumps down as far as up; a step does not.
    upward = max(float(pairs.max()), float(jumps.max())) - max(0.0, -float(pairs.min()))
    rise = slope * float(time[-1] - time[0])
    biggest = max(0.0, upward) / rise if rise > 0 else math.inf
    return Trend(
        points=int(value.size),
        span=float(time[-1] - time[0]),
        slope=slope,
        lower=float(ordered[low]),
        upper=float(ordered[high]),
        mann_kendall_z=z,
        drift_t=drift(time, value),
        walk_t=walk(value),
        sign_chance=signs(jumps),
        start_level=float(np.median(value[:edge])),
        end_level=float(np.median(value[-edge:])),
        thirds=(parts[0], parts[1], parts[2]),
        largest_step=biggest,
    )


def pairwise_slopes(time: FloatArray, value: FloatArray) -> FloatArray:
    """Slopes of all pairs of points (Theil 1950, Sen 1968); n points give n(n-1)/2."""
    first, second = _pairs(time.size)
    slopes: FloatArray = (value[second] - value[first]) / np.maximum(time[second] - time[first], 1e-9)
    return slopes


@lru_cache(maxsize=256)
def _pairs(size: int) -> tuple[IntArray, IntArray]:
    """All pairs of indices, smaller one first; sizes are bounded by windows and profiles."""
    first, second = np.triu_indices(size, 1)
    first.setflags(write=False)
    second.setflags(write=False)
    return first, second


def theil_sen(time: FloatArray, value: FloatArray) -> float:
    """The median slope; 0 for fewer than two points."""
    return float(np.median(pairwise_slopes(time, value))) if time.size > 1 else 0.0


def theil_sen_rows(time: FloatArray, values: FloatArray) -> FloatArray:
    """The median slope of each row of `values`, shape (rows, times); a bounded number of rows at once."""
    rows, size = values.shape
    slopes = np.zeros(rows)
    if size < 2:
        return slopes
    first, second = _pairs(size)
    steps = np.maximum(time[second] - time[first], 1e-9)
    at_once = max(1, 2_000_000 // steps.size)
    for begin in range(0, rows, at_once):
        part = values[begin : begin + at_once]
        slopes[begin : begin + at_once] = np.median((part[:, second] - part[:, first]) / steps, axis=1)
    return slopes


def mann_kendall(time: FloatArray, value: FloatArray, slope: float) -> tuple[float, float]:
    """Score S of Mann-Kendall and its variance, corrected for autocorrelation.

    Hamed and Rao (1998), A modified Mann-Kendall trend test for autocorrelated data, J. Hydrology
    204:182-196: the variance grows by the significant autocorrelations of the ranks of the detrended series.
    A factor under one (negative autocorrelation) is not believed.
    """
    n = value.size
    first, second = _pairs(n)
    score = float(np.sign(value[second] - value[first]).sum())
    _, ties = np.unique(value, return_counts=True)
    variance = (n * (n - 1) * (2 * n + 5) - float((ties * (ties - 1) * (2 * ties + 5)).sum())) / 18
    residual = value - slope * (time - time[0])
    ranks = np.argsort(np.argsort(residual, kind="stable"), kind="stable").astype(np.float64)
    if np.ptp(residual) <= 1e-9 * max(1.0, float(np.abs(value).max())):
        return score, variance
    ranks -= ranks.mean()
    correlation = np.correlate(ranks, ranks, mode="full")[n:] / float(ranks @ ranks)
    lags = np.arange(1, n)
    counted = np.abs(correlation) > 1.959964 / math.sqrt(n)
    weights = (n - lags) * (n - lags - 1) * (n - lags - 2)
    factor = 1 + 2 / (n * (n - 1) * (n - 2)) * float((weights * correlation)[counted].sum())
    return score, variance * max(1.0, factor)


def drift(time: FloatArray, value: FloatArray) -> float:
    """t of the slope against noise that may remember itself, up to a random walk.

    Perron and Yabu (2009), Estimating deterministic trends with an integrated or stationary noise component,
    J. Econometrics 151:56-69: the autoregression of the detrended series is estimated, its small-sample bias
    (2 + 4ρ)/n removed (Marriott and Pope 1954, with a trend), set to one where it is within n^-1/2 of one;
    then the slope is tested on quasi-differences (Prais and Winsten 1954). With ρ = 1 this is the t test of
    the mean step, under which a random walk shows no trend.
    """
    n = value.size
    if n < 4:
        return 0.0
    design = np.column_stack((np.ones(n), (time - time[0]) / max(float(time[-1] - time[0]), 1e-9)))
    residual = value - design @ np.linalg.lstsq(design, value, rcond=None)[0]
    scale = max(float(np.abs(value).max()), 1.0)
    if float(np.abs(residual).max()) < 1e-9 * scale:
        return math.copysign(99.0, value[-1] - value[0]) if value[-1] != value[0] else 0.0
    rho = float(residual[1:] @ residual[:-1]) / max(float(residual[:-1] @ residual[:-1]), 1e-30)
    rho = max(0.0, rho + (2 + 4 * rho) / n)
    if rho > 1 - n**-0.5:
        rho = 1.0
    design, value = _quasi_difference(design, rho), _quasi_difference(value[:, None], rho)[:, 0]
    if rho == 1.0:
        design = design[:, 1:]
    beta, *_ = np.linalg.lstsq(design, value, rcond=None)
    left = value - design @ beta
    free = max(1, value.size - design.shape[1])
    inverse = np.linalg.pinv(design.T @ design)
    error = math.sqrt(max(float(left @ left) / free * float(inverse[-1, -1]), 1e-30))
    return float(np.clip(beta[-1] / error, -99, 99))


def walk(value: FloatArray, blocks: int = WALK_BLOCKS) -> float:
    """t of the mean step between the floors of ten blocks: what a random walk without drift leaves near zero.

    Stricter than `drift`, which lets the data say how much noise remembers; blocks are long enough to look
    through what a garbage collector does.
    """
    if value.size < blocks:
        return 0.0
    jumps = np.diff([float(block.min()) for block in np.array_split(value, blocks)])
    error = float(jumps.std(ddof=1)) / math.sqrt(jumps.size)
    mean = float(jumps.mean())
    return float(np.clip(mean / max(error, 1e-9 * max(abs(mean), 1.0)), -99, 99))


def signs(jumps: FloatArray) -> float:
    """One-sided p of the sign test (Arbuthnott 1710, Dixon and Mood 1946) on the steps of a series: where up and down
    are equally likely, so many are up. Whatever size they have: a leak in bursts has few steps, and none of them down.
    """
    up, down = int((jumps > 0).sum()), int((jumps < 0).sum())
    n = up + down
    return math.fsum(math.comb(n, k) for k in range(up, n + 1)) / 2.0**n if n else 1.0


def _quasi_difference(matrix: FloatArray, rho: float) -> FloatArray:
    changed: FloatArray = matrix[1:] - rho * matrix[:-1]
    if rho >= 1.0:
        return changed
    return np.vstack((matrix[:1] * math.sqrt(1 - rho * rho), changed))
