"""When the limit will be met, were growth to go on as it is."""

import math

import numpy as np

from memwarden_core.floors import Floors
from memwarden_core.settings import JudgeSettings
from memwarden_core.trend import theil_sen
from memwarden_core.verdict import Forecast


def forecast(lows: Floors, headroom_bytes: float, settings: JudgeSettings) -> Forecast | None:
    """Time until `headroom_bytes` more are taken, as quantiles; None where no growth leads there.

    Theil-Sen on the floors; its uncertainty by a moving block bootstrap of the residuals (Künsch 1989) with
    blocks of n^(1/3), or of what the residuals remember if that is longer. Residuals are inflated by
    n/(n-2), so that a few points don't look surer than they are.
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
    level = float(np.median(lows.value - slope * time))
    fitted = level + slope * time
    residual = (lows.value - fitted) * math.sqrt(n / (n - 2))
    residual -= residual.mean()
    block = max(2, round(n ** (1 / 3)), _memory(residual))
    generator = np.random.default_rng(settings.bootstrap_seed)
    rounds, blocks = settings.bootstrap_rounds, math.ceil(n / block)
    starts = generator.integers(0, n - block + 1, size=(rounds, blocks))
    index = (starts[:, :, None] + np.arange(block)[None, None, :]).reshape(rounds, -1)[:, :n]
    values = fitted[None, :] + residual[index]
    first, second = np.triu_indices(n, 1)
    slopes = np.median((values[:, second] - values[:, first]) / (time[second] - time[first])[None, :], axis=1)
    levels = np.median(values - slopes[:, None] * time[None, :], axis=1)
    noise = residual[generator.integers(0, n, size=rounds)]
    ahead = np.maximum(headroom_bytes - (levels - level) - noise, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        times = np.where(slopes > 0, ahead / slopes, np.inf)
    times = np.minimum(times, settings.forecast_cap_seconds)
    p10, p50, p90 = (float(item) for item in np.quantile(times, (0.1, 0.5, 0.9)))
    return Forecast(p10, p50, p90) if p50 < settings.forecast_cap_seconds else None


def _memory(residual: np.ndarray[tuple[int], np.dtype[np.float64]]) -> int:
    """Lags until the autocorrelation of residuals falls under 0.3, at most a quarter of them."""
    power = float(residual @ residual)
    if power <= 0:
        return 1
    for lag in range(1, residual.size // 4):
        if float(residual[lag:] @ residual[:-lag]) / power < 0.3:
            return lag
    return max(1, residual.size // 4)
