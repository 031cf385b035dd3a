"""Many workloads are judged at once: how certain one of them must be, so that few of those called leaking are not.

Among 10 000 healthy workloads some rise by chance as clearly as one in a thousand does. Benjamini and Hochberg (1995,
Controlling the false discovery rate, J. R. Stat. Soc. B 57:289-300) bound the expected share of false ones among
those that are called, and stay quiet the fewer there are.
"""

import math
from collections.abc import Sequence

import numpy as np


def false_discovery_bound(p_values: Sequence[float], rate: float) -> float:
    """The largest p that may be called at this rate of false discoveries; 0.0 where none may.

    Holds for p-values that are independent or rise together (Benjamini and Yekutieli 2001), as under a shared load.
    """
    ordered = np.sort(np.asarray(p_values, dtype=np.float64))
    if not ordered.size:
        return 0.0
    allowed = rate * np.arange(1, ordered.size + 1) / ordered.size
    below = np.flatnonzero(ordered <= allowed)
    return float(ordered[below[-1]]) if below.size else 0.0


def needed_alone(count: int, rate: float) -> float:
    """The largest p of a single discovery among `count` workloads (what BH asks of the first one)."""
    return rate / max(1, count)


def tail(t: float, degrees: float) -> float:
    """One-sided p of Student's t: P(T > t), by the incomplete beta function (Abramowitz and Stegun 26.5.27)."""
    if degrees <= 0 or math.isnan(t):
        return 1.0
    if t < 0:
        return 1.0 - tail(-t, degrees)
    return 0.5 * _incomplete_beta(degrees / (degrees + t * t), degrees / 2, 0.5)


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """Regularised, by Lentz's continued fraction (Abramowitz and Stegun 26.5.8)."""
    if x <= 0.0 or x >= 1.0:
        return min(1.0, max(0.0, x))
    if x > (a + 1) / (a + b + 2):
        return 1.0 - _incomplete_beta(1 - x, b, a)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    tiny = 1e-300
    c, d = 1.0, 1.0 / _away_from_zero(1 - (a + b) * x / (a + 1), tiny)
    fraction = d
    for m in range(1, 300):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 / _away_from_zero(1 + step * d, tiny)
            c = _away_from_zero(1 + step / c, tiny)
            fraction *= c * d
        if abs(c * d - 1) < 1e-12:
            break
    return front * fraction / a


def _away_from_zero(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny
