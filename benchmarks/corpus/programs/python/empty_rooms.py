"""A game lobby: players come into rooms and leave them again; a room stays when the last player has left."""

import random
from collections import defaultdict

from traffic.shape import arrivals, seed

ROOMS = defaultdict(dict)


def board(size):
    """The board that a room starts with."""
    return [[f"{column}{row}" for column in "abcdefghij"] for row in range(size)]  # LEAK


def enter(room, player):
    if not ROOMS[room]:
        ROOMS[room]["board"] = board(24)
        ROOMS[room]["players"] = set()
    ROOMS[room]["players"].add(player)


def leave(room, player):
    ROOMS[room]["players"].discard(player)


def main():
    draw = random.Random(seed())
    present = []
    for player in arrivals(60):
        room = f"room-{player // 2}"
        enter(room, player)
        present.append((room, player))
        while len(present) > 80:
            leave(*present.pop(draw.randrange(40)))


if __name__ == "__main__":
    main()
