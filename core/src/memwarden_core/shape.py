"""The form of a growth: where it began, whether it slows towards a bound, whether it still goes on."""

import math
from dataclasses import dataclass

import numpy as np

from memwarden_core.recording import FloatArray
from memwarden_core.settings import JudgeSettings
from memwarden_core.trend import theil_sen

_TAUS = np.geomspace(0.05, 4.0, 24)


@dataclass(frozen=True, slots=True)
class Shape:
    """How growth went from its first to its last moment."""

    late_over_early: float
    """Slope of the last third over the slope of the first (1: a line)."""
    late_over_mean: float
    """Slope of the last third over the slope of the whole."""
    bic_gain: float
    """By how much a curve towards a bound beats a line (positive: the curve is better)."""
    end_over_start: float
    """Slope of that curve at the end over its slope at the start."""
    bound: float
    """The value that the curve tends to."""

    def slows(self, ratio: float, settings: JudgeSettings) -> bool:
        """Whether growth slows towards a bound, to `ratio` of its first pace and beyond what noise can feign."""
        curved = self.bic_gain > settings.slowing_bic and self.end_over_start < ratio
        return curved or self.late_over_mean < settings.settled_ratio


def shape(time: FloatArray, value: FloatArray) -> Shape:
    """The shape of floors that rise; at least six points."""
    third = max(3, time.size // 3)
    early = theil_sen(time[:third], value[:third])
    late = theil_sen(time[-third:], value[-third:])
    mean = theil_sen(time, value)
    gain, ratio, bound = _towards_a_bound(time, value)
    return Shape(
        late_over_early=_ratio(late, early),
        late_over_mean=_ratio(late, mean),
        bic_gain=gain,
        end_over_start=ratio,
        bound=bound,
    )


def _ratio(late: float, early: float) -> float:
    """late / early, kept within 0 and 9; growth that began slowly counts as not slowing."""
    if early <= 0:
        return 9.0 if late > 0 else 0.0
    return float(np.clip(late / early, 0.0, 9.0))


def _towards_a_bound(time: FloatArray, value: FloatArray) -> tuple[float, float, float]:
    """(BIC of a line minus BIC of a + b(1 − e^(−t/τ)), slope at the end over slope at the start, a + b).

    BIC: Schwarz (1978), Estimating the dimension of a model. The number of points is reduced to what they are
    worth under the autocorrelation of the residuals, n(1 − ρ)/(1 + ρ) (Bayley and Hammersley 1946). τ is
    tried on a grid between a twentieth and four times the span; a and b follow by least squares.
    """
    n = value.size
    span = max(float(time[-1] - time[0]), 1e-9)
    t = (time - time[0]) / span
    curves = np.concatenate((t[None, :], 1 - np.exp(-t[None, :] / _TAUS[:, None])))
    centred = curves - curves.mean(axis=1, keepdims=True)
    deviation = value - value.mean()
    slope = (centred @ deviation) / (centred**2).sum(axis=1)
    residual = deviation[None, :] - slope[:, None] * centred
    error = (residual**2).sum(axis=1)
    line_error = float(error[0])
    error[slope <= 0] = np.inf
    best = 1 + int(np.argmin(error[1:]))
    scale = (1e-6 * max(float(np.abs(value).max()), 1.0)) ** 2 * n
    if line_error <= scale or not math.isfinite(float(error[best])):
        return 0.0, 1.0, float(value[-1])
    left = residual[best]
    rho = float(left[1:] @ left[:-1]) / max(float(left @ left), 1e-30)
    rho = min(max(rho, 0.0), 0.9)
    worth = max(6.0, n * (1 - rho) / (1 + rho))
    gain = worth * math.log(line_error / max(float(error[best]), scale)) - math.log(worth)
    # The curve starts at mean − slope × mean(curve), and tends to one slope more.
    bound = float(value.mean() + slope[best] * (1 - curves[best].mean()))
    return gain, math.exp(-1 / float(_TAUS[best - 1])), bound


def onset(time: FloatArray, value: FloatArray, settings: JudgeSettings) -> int:
    """Index at which growth began: 0, or the knee of a flat line that starts to rise where that fits far
    better.

    Every knee is tried by least squares (Quandt 1958); it must beat the line without one by the same BIC
    margin that a curve must.
    """
    n = value.size
    if n < 2 * 6:
        return 0
    candidates = np.arange(1, n - 4)
    hinge = np.maximum(0.0, time[None, :] - time[candidates, None])
    centred = hinge - hinge.mean(axis=1, keepdims=True)
    deviation = value - value.mean()
    power = (centred**2).sum(axis=1)
    slope = (centred @ deviation) / np.maximum(power, 1e-30)
    error = (deviation**2).sum() - slope**2 * power
    error[slope <= 0] = np.inf
    whole = time - time.mean()
    line_error = float((deviation**2).sum() - (whole @ deviation) ** 2 / max(float((whole**2).sum()), 1e-30))
    best = int(np.argmin(error))
    if not math.isfinite(float(error[best])):
        return 0
    floor = 1e-12 * max(float((value**2).sum()), 1.0)
    gain = n * math.log(max(line_error, floor) / max(float(error[best]), floor)) - math.log(n)
    return int(candidates[best]) if gain > 2 * settings.slowing_bic else 0
