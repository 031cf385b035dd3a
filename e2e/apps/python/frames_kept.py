"""Leaks outside of Python's heap: numpy arrays, whose memory comes from the C library, are kept for ever."""

import time

import numpy as np

FRAMES = []


def main():
    generator = np.random.default_rng(7)
    while True:
        frame = generator.random((96, 96))
        FRAMES.append(frame - frame.mean())
        time.sleep(0.1)


if __name__ == "__main__":
    main()
