"""A camera service that keeps each frame with motion for a preview that nobody asks for any more."""

import random

import numpy as np
from traffic.shape import arrivals, seed

PREVIEW = []


def capture(generator, number):
    """One grey frame; the scene drifts and sometimes somebody walks by."""
    scene = np.linspace(0, 1, 96)[:, None] * np.linspace(0, 1, 128)[None, :]
    frame = (scene + generator.normal(0, 0.05, scene.shape)).astype(np.float32)
    if number % 3 == 0:
        frame[20:60, number % 90 : number % 90 + 20] += 0.5
    return frame


def moved(before, now):
    return float(np.abs(now - before).mean()) > 0.08


def main():
    draw = random.Random(seed())
    generator = np.random.default_rng(draw.randrange(2**31))
    before = capture(generator, 0)
    for number in arrivals(25):
        frame = capture(generator, number)
        if moved(before, frame):
            PREVIEW.append(frame)
        before = frame


if __name__ == "__main__":
    main()
