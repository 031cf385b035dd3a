"""Labels for parcels, drawn by three processes, each of which has loaded the letters before it begins."""

import multiprocessing
import random

from traffic.shape import arrivals, seed

LETTERS = {}
WIDTH = 400


def load():
    """Letters as lists of points."""
    draw = random.Random(7)
    for letter in "abcdefghijklmnopqrstuvwxyz0123456789 ":
        for size in range(8, 20):
            LETTERS[letter, size] = [(draw.random() * size, draw.random() * size) for _ in range(40)]


def label(job):
    """A picture of the text, packed to a row of bytes; returns how many points are set."""
    text, size = job
    picture = bytearray(WIDTH * size)
    for place, letter in enumerate(text):
        for x, y in LETTERS[letter, size]:
            picture[int(y) * WIDTH + (place * size + int(x)) % WIDTH] = 255
    rows = [bytes(picture[row * WIDTH : (row + 1) * WIDTH]) for row in range(size)]
    return sum(row.count(255) for row in rows)


def jobs():
    draw = random.Random(seed())
    for _ in arrivals(60):
        words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 9))) for _ in range(12)]
        yield " ".join(words), draw.randrange(8, 20)


def main():
    points = 0
    with multiprocessing.Pool(3, initializer=load) as pool:
        for count in pool.imap_unordered(label, jobs()):
            points += count


if __name__ == "__main__":
    main()
