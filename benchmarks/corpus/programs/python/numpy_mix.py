"""A signal processor: windows of all lengths come and go beside small results that stay for a while."""

import random
from collections import deque

import numpy as np
from traffic.shape import arrivals, seed


def spectrum(generator, length):
    """Power by frequency of a noisy tone."""
    time = np.arange(length) / 8000
    tone = np.sin(2 * np.pi * generator.uniform(50, 2000) * time) + generator.normal(0, 0.3, length)
    return np.abs(np.fft.rfft(tone * np.hanning(length))) ** 2


def main():
    draw = random.Random(seed())
    generator = np.random.default_rng(draw.randrange(2**31))
    results = deque(maxlen=400)
    for _ in arrivals(25):
        power = spectrum(generator, draw.choice([1024, 4096, 30_000, 100_000, 250_000]))
        results.append(
            {"peak": int(power.argmax()), "bands": power[: 64 * (power.size // 64)].reshape(64, -1).sum(1)}
        )


if __name__ == "__main__":
    main()
