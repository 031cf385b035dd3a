"""A game server: in a match of twenty seconds all moves are recorded for its replay, which is written at its end."""

import json
import random
import time
import zlib

from traffic.shape import arrivals, seed

MATCH_SECONDS = 20.0
PLAYERS = 24


class Match:
    """Who plays, and all that happened."""

    def __init__(self, number):
        self.number, self.ends = number, time.monotonic() + MATCH_SECONDS
        self.places = {player: [0.0, 0.0] for player in range(PLAYERS)}
        self.moves = []

    def move(self, player, draw):
        place = self.places[player]
        place[0] += draw.gauss(0, 2)
        place[1] += draw.gauss(0, 2)
        nearest = sorted(self.places, key=lambda other: abs(self.places[other][0] - place[0]))[:6]
        self.moves.append(
            {"player": player, "x": place[0], "y": place[1], "near": nearest, "shot": [draw.random()] * 3}
        )

    def replay(self):
        """Packed, in pieces, as it goes to the store."""
        return sum(
            len(zlib.compress(json.dumps(self.moves[first : first + 500]).encode(), 1))
            for first in range(0, len(self.moves), 500)
        )


def main():
    draw = random.Random(seed())
    match, stored = Match(0), 0
    for number in arrivals(900):
        match.move(number % PLAYERS, draw)
        if time.monotonic() > match.ends:
            stored += match.replay()
            match = Match(match.number + 1)


if __name__ == "__main__":
    main()
