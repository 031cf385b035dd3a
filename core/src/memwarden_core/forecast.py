"""When the limit will be met, were growth to go on as it is."""

import math

import numpy as np

from memwarden_core.floors import Floors
from memwarden_core.recording import FloatArray
from memwarden_core.settings import JudgeSettings
from memwarden_core.trend import theil_sen
from memwarden_core.verdict import Forecast


def forecast(lows: Floors, headroom_bytes: float, settings: JudgeSettings) -> Forecast | None:
    """Time until `headroom_bytes` more are taken, as quantiles; None where no growth leads there.

    Growth is taken for a Brownian motion with drift: the drift by Theil-Sen on the floors, the variance by how much
    growth over a fifth of the time differed from it beyond noise. The time until such a motion first meets a level is
    inverse Gaussian (Schrödinger 1915); the drift itself is uncertain by the same variance. `forecast_spread` widens
    it for what the past can't tell: programs change their pace.
    """
    n = lows.time.size
    if n < 6:
        return None
    if headroom_bytes <= 0:
        return Forecast(0.0, 0.0, 0.0)
    time = lows.time - lows.time[-1]
    slope = theil_sen(time, lows.value)
    if slope <= 0:
        return None
    residual = lows.value - slope * time
    residual = (residual - np.median(residual)) * math.sqrt(n / (n - 2))
    variance = settings.forecast_spread * _variance(time, lows.value, slope)
    generator = np.random.default_rng(settings.bootstrap_seed)
    rounds = settings.bootstrap_rounds
    span = -float(time[0])
    # What a line through n points with this noise leaves open, beside what growth itself does.
    fit = 12 * float(residual.var()) / (n * span**2)
    drift = slope + generator.normal(0.0, math.sqrt(variance / span + fit), rounds)
    # A drift that might as well be zero never gets there; a twentieth of the growth is slow enough to say so.
    drift = np.maximum(drift, 0.05 * slope)
    noise = residual[generator.integers(0, n, size=rounds)]
    ahead = np.maximum(headroom_bytes - noise, 1.0)
    times = generator.wald(ahead / drift, ahead**2 / max(variance, 1e-9))
    times = np.minimum(times, settings.forecast_cap_seconds)
    p10, p50, p90 = (float(item) for item in np.quantile(times, (0.1, 0.5, 0.9)))
    return Forecast(p10, p50, p90) if p50 < settings.forecast_cap_seconds else None


def _variance(time: FloatArray, value: FloatArray, slope: float) -> float:
    """Bytes² per second by which growth over a fifth of the time differs from the slope, less what noise from one
    floor to the next makes of it: noise does not add up."""
    far, far_span = _off(time, value, slope, max(2, time.size // 5))
    near, near_span = _off(time, value, slope, 1)
    return max(0.0, (far - near) / max(far_span - near_span, 1e-9))


def _off(time: FloatArray, value: FloatArray, slope: float, lag: int) -> tuple[float, float]:
    """(mean square of growth over so many floors less the slope's, mean seconds between them)."""
    span = time[lag:] - time[:-lag]
    off = value[lag:] - value[:-lag] - slope * span
    return float(np.mean(off**2)), float(np.mean(span))
