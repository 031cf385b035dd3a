"""Cleans scans of receipts in six threads with Pillow: straightens them, finds the ink and keeps a small preview."""

import queue
import random
import threading
from collections import deque

from PIL import Image, ImageChops, ImageFilter, ImageOps
from traffic.shape import arrivals, seed

THREADS = 6
WAITING = queue.Queue(maxsize=12)
DONE = deque(maxlen=250)
SIZES = [(620, 1754), (827, 1169), (1240, 1754), (1654, 2339)]


def scan(draw):
    """As the scanner gives it: grey or in colour, and of the size that its owner has set."""
    width, height = draw.choice(SIZES)
    paper = Image.linear_gradient("L").resize((width, height))
    for _ in range(25):
        left, top = draw.randrange(width - 200), draw.randrange(height - 40)
        paper.paste(draw.randrange(60), (left, top, left + draw.randrange(40, 200), top + 14))
    return Image.merge("RGB", [paper, ImageChops.invert(paper), paper]) if draw.random() < 0.5 else paper


def clean(picture, angle):
    """How much ink there is, and a preview."""
    grey = ImageOps.autocontrast(picture.rotate(angle, expand=True, fillcolor="white").convert("L"), cutoff=2)
    ink = grey.filter(ImageFilter.BoxBlur(2)).point(lambda value: 255 * (value < 90))
    preview = grey.copy()
    preview.thumbnail((120, 160))
    return ink.histogram()[255], preview


def work():
    while True:
        number, seeded = WAITING.get()
        draw = random.Random(seeded)
        DONE.append((number, *clean(scan(draw), draw.uniform(-4, 4))))


def main():
    draw = random.Random(seed())
    for _ in range(THREADS):
        threading.Thread(target=work, daemon=True).start()
    for number in arrivals(4):
        WAITING.put((number, draw.getrandbits(32)))


if __name__ == "__main__":
    main()
