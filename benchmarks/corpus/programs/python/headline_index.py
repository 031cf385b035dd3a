"""A reader of press feeds with lxml: the first headline of each fetched feed is kept, to be found by its link."""

import random

from lxml import etree
from traffic.shape import arrivals, seed

WORDS = "council votes rain strike harbour match price school bridge museum train winter budget river".split()


def feed(number, draw):
    """A feed as it comes from its publisher."""
    items = "".join(
        f"<item><title>{' '.join(draw.choices(WORDS, k=8))}</title><link>https://press/{number}/{item}</link>"
        f"<guid isPermaLink='false'>{draw.getrandbits(64):x}</guid><category>{draw.choice(WORDS)}</category>"
        f"<description>{' '.join(draw.choices(WORDS, k=60))}</description></item>"
        for item in range(draw.randint(15, 60))
    )
    return f"<rss version='2.0'><channel><title>feed {number % 300}</title>{items}</channel></rss>".encode()


class Headlines:
    """What was first on the page."""

    def __init__(self):
        self.by_link = {}

    def read(self, content):
        root = etree.fromstring(content)
        title = root.xpath("/rss/channel/item[1]/title/text()")[0]
        self.by_link[root.findtext("channel/item/link")] = title


def main():
    draw = random.Random(seed())
    headlines = Headlines()
    for number in arrivals(2.2):
        headlines.read(feed(number, draw))


if __name__ == "__main__":
    main()
