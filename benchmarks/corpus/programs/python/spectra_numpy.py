"""Finds the strongest tones in recordings of any length; of each one only five numbers stay for a while."""

import random
from collections import deque

import numpy as np
from traffic.shape import arrivals, seed


def recording(generator, length):
    """Noise with two tones in it."""
    time = np.arange(length) / 8000.0
    tones = np.sin(time * generator.uniform(300, 9000)) + 0.5 * np.sin(time * generator.uniform(300, 9000))
    return tones + generator.normal(0, 0.7, length)


def strongest(signal):
    """Where the five highest peaks are."""
    windowed = signal * np.hanning(signal.size)
    power = np.abs(np.fft.rfft(windowed)) ** 2
    smooth = np.convolve(power, np.ones(5) / 5, mode="same")
    return np.argsort(smooth)[-5:].copy()


def main():
    draw = random.Random(seed())
    generator = np.random.default_rng(draw.randrange(2**31))
    found = deque(maxlen=500)
    for _ in arrivals(9):
        signal = recording(generator, 2 ** draw.randint(14, 18) + draw.randrange(3) * 2048)
        found.append(strongest(signal))


if __name__ == "__main__":
    main()
