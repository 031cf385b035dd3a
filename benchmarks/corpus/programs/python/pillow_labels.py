"""A label printer: draws each label's text with Pillow's own font onto a fresh picture."""

import random

from PIL import Image, ImageDraw, ImageFont
from traffic.shape import arrivals, seed


def label(draw, font):
    """A picture with three lines of text."""
    picture = Image.new("L", (400, 120), 255)
    pen = ImageDraw.Draw(picture)
    for line in range(3):
        pen.text((5, 5 + 36 * line), f"parcel {draw.randrange(10**9)}", font=font, fill=0)
    return picture


def main():
    draw = random.Random(seed())
    font = ImageFont.load_default(size=28)
    black = 0
    for _ in arrivals(60):
        black += label(draw, font).histogram()[0]


if __name__ == "__main__":
    main()
