"""Follows ships by radar: the plots of each sweep go to the nearest track, or to the one that looked like it before."""

import random

import numpy as np
from traffic.shape import arrivals, seed

CELLS = 384
LOOKS = 36
SWEEPS_AWAY = 8
GATE = 3.0


class Track:
    """Where a ship was seen last."""

    def __init__(self, number, place):
        self.number, self.place, self.away = number, place, 0


class Tracker:
    """Open tracks, and of each the latest looks, for ships that were hidden behind another."""

    def __init__(self):
        self.tracks, self.looks, self.opened = [], {}, 0

    def sweep(self, plots):
        for track in self.tracks:
            track.away += 1
        for place, profile in plots:
            track = self.nearest(place) or self.alike(profile) or self.open(place)
            track.place, track.away = place, 0
            self.looks[track.number] = [*self.looks.get(track.number, []), profile][-LOOKS:]  # LEAK
        self.tracks = [track for track in self.tracks if track.away <= SWEEPS_AWAY]

    def nearest(self, place):
        if not self.tracks:
            return None
        away = np.hypot(*(np.array([track.place for track in self.tracks]) - place).T)
        best = int(away.argmin())
        return self.tracks[best] if away[best] < GATE else None

    def alike(self, profile):
        """Among those that are hidden now."""
        hidden = [track for track in self.tracks if track.away > 1]
        return next((each for each in hidden if profile @ self.looks[each.number][-1] > 0.98), None)

    def open(self, place):
        self.opened += 1
        self.tracks.append(Track(self.opened, place))
        return self.tracks[-1]


def echo(shape, numbers):
    profile = shape + 0.05 * numbers.standard_normal(CELLS, dtype=np.float32)
    return profile / np.linalg.norm(profile)  # LEAK


def plots(ships, draw, numbers):
    """Ships come, go on their way, and leave what the radar sees."""
    while len(ships) < 30 or draw.random() < 0.3:
        shape = numbers.standard_normal(CELLS, dtype=np.float32)
        ships.append([numbers.uniform(0, 900, 2), numbers.uniform(-1, 1, 2), shape])
    ships[:] = [ship for ship in ships if draw.random() > 0.012]
    for ship in ships:
        ship[0] = ship[0] + ship[1]
        if draw.random() > 0.1:
            yield ship[0], echo(ship[2], numbers)


def main():
    draw = random.Random(seed())
    numbers, ships, tracker = np.random.default_rng(draw.getrandbits(32)), [], Tracker()
    for _ in arrivals(11):
        tracker.sweep(list(plots(ships, draw, numbers)))


if __name__ == "__main__":
    main()
