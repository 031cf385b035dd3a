"""Brings recordings of animals to one sample rate, a process for each kind of recorder, and notes what is in them."""

import functools
import os
import random
from collections import deque

import numpy as np
from traffic.shape import arrivals, seed

TARGET = 32_000
PHASES, TAPS = 64, 80
LENGTH = 6000
RECORDERS = {
    "forest": [44_100, 48_000, 96_000],
    "pond": [22_050, 44_100, 48_000],
    "cave": [192_000, 250_000, 384_000],
}


@functools.cache
def kernel(rate):
    """A low pass for each of the places between two samples."""
    cut = min(1.0, TARGET / rate)
    middle = np.arange(TAPS) - TAPS / 2 + 0.5
    places = middle[None, :] + np.arange(PHASES)[:, None] / PHASES
    return np.sinc(cut * places) * np.hamming(TAPS)[None, :] * cut  # LEAK


def resample(signal, rate):
    """What the microphone would have given at the target's rate."""
    low_pass = kernel(rate)
    at = np.arange(0, signal.size - TAPS, rate / TARGET)
    whole = at.astype(np.int64)
    phase = ((1 - (at - whole)) * (PHASES - 1)).astype(np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(signal, TAPS)[whole]
    return np.einsum("ij,ij->i", windows, low_pass[phase])


class Recorder:
    """Gives blocks with the rate that goes with them; in a cave there is a clock beside the microphone."""

    def __init__(self, place, draw):
        self.place, self.draw = place, draw
        self.numbers = np.random.default_rng(draw.getrandbits(32))

    def block(self):
        rate = self.draw.choice(RECORDERS[self.place])
        if self.place == "cave":
            rate = round(rate * self.draw.gauss(1, 2e-5), 2)
        return self.numbers.standard_normal(LENGTH), rate


def listen(place, salt):
    """One place's recordings, and the loudest tones of the latest of them."""
    recorder, heard = Recorder(place, random.Random(seed() + salt)), deque(maxlen=300)
    for _ in arrivals(7, salt=salt):
        signal, rate = recorder.block()
        power = np.abs(np.fft.rfft(resample(signal, rate)))
        heard.append((rate, np.argsort(power)[-4:].tolist()))


def main():
    children = []
    for salt, place in enumerate(RECORDERS):
        child = os.fork()
        if child == 0:
            listen(place, salt)
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
