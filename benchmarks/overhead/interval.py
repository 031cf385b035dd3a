"""Means with their 95 % interval, by Student's t: of ratios on their logarithms, of differences as they are."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_NORMAL: Final = 1.959964


@dataclass(frozen=True, slots=True)
class Interval:
    middle: float
    low: float
    high: float
    rounds: int


def of_ratios(ratios: Sequence[float]) -> Interval:
    """The geometric mean."""
    found = of_values([math.log(ratio) for ratio in ratios])
    return Interval(math.exp(found.middle), math.exp(found.low), math.exp(found.high), found.rounds)


def of_values(values: Sequence[float]) -> Interval:
    count = len(values)
    middle = statistics.fmean(values)
    half = student_t(count - 1) * statistics.stdev(values) / math.sqrt(count) if count > 1 else math.inf
    return Interval(middle, middle - half, middle + half, count)


def student_t(freedom: int) -> float:
    """The quantile 0.975; Cornish and Fisher's expansion, right to 0.002 from 6 degrees of freedom on."""
    z, v = _NORMAL, float(freedom)
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
    )
