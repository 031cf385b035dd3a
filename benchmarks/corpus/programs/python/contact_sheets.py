"""Previews of an archive of pictures, made with Pillow; those that were asked for lately are kept as pictures."""

import random
from collections import OrderedDict

from PIL import Image, ImageOps
from traffic.shape import arrivals, seed

PICTURES = 2200
KEPT = 560
SHEET = 12


class Previews:
    """Pictures by number, the one asked for longest ago first."""

    def __init__(self):
        self.kept, self.asked, self.made = OrderedDict(), 0, 0

    def get(self, number):
        self.asked += 1
        if number in self.kept:
            self.kept.move_to_end(number)
            return self.kept[number]
        self.made += 1
        self.kept[number] = preview(number)
        if len(self.kept) > KEPT:
            self.kept.popitem(last=False)
        return self.kept[number]


def preview(number):
    """A picture as it is in the archive, made small."""
    draw = random.Random(number)
    width, height = draw.randrange(200, 400), draw.randrange(150, 300)
    picture = Image.frombytes("RGB", (width, height), draw.randbytes(width * height * 3))
    small = picture.reduce(2)
    return ImageOps.expand(small, border=4, fill="white")


def main():
    draw = random.Random(seed())
    previews, sheet = Previews(), Image.new("RGB", (4 * 210, 3 * 160))
    for number in arrivals(10):
        preview_of = draw.randrange(PICTURES) if draw.random() < 0.9 else draw.randrange(40)
        place = number % SHEET
        sheet.paste(previews.get(preview_of), (place % 4 * 210, place // 4 * 160))


if __name__ == "__main__":
    main()
