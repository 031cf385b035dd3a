"""A press review with lxml: feeds are read as they come, and the latest four hundred headlines are on the page."""

import random
from collections import deque

from lxml import etree
from traffic.shape import arrivals, seed

WORDS = "council votes rain strike harbour match price school bridge museum train winter budget river".split()
ON_PAGE = 400


def feed(number, draw):
    """A feed as it comes from its publisher."""
    items = "".join(
        f"<item><title>{' '.join(draw.choices(WORDS, k=8))}</title><link>https://press/{number}/{item}</link>"
        f"<description>{' '.join(draw.choices(WORDS, k=60))}</description></item>"
        for item in range(draw.randint(15, 60))
    )
    return f"<rss version='2.0'><channel><title>feed {number % 300}</title>{items}</channel></rss>".encode()


class Page:
    """What is shown."""

    def __init__(self):
        self.headlines, self.words = deque(maxlen=ON_PAGE), {}

    def read(self, content):
        root = etree.fromstring(content)
        for title in root.xpath("/rss/channel/item/title/text()", smart_strings=False)[:5]:
            self.headlines.append(title)
        self.words = {word: sum(word in title for title in self.headlines) for word in WORDS}


def main():
    draw = random.Random(seed())
    page = Page()
    for number in arrivals(12):
        page.read(feed(number, draw))


if __name__ == "__main__":
    main()
