"""Leaks outside of Python's heap: numpy arrays, whose memory comes from the C library, are kept for ever."""

import time

import numpy as np

FRAMES = []


def main():
    generator = np.random.default_rng(7)
    due = time.monotonic()
    while True:
        frame = generator.random((96, 96))
        FRAMES.append(frame - frame.mean())
        due += 0.1  # ten a second, also where a busy machine lets it wait
        time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main()
