"""A crawler that keeps the exceptions of pages that failed, to count them; with them their frames and all in them."""

import random
import re

from traffic.shape import arrivals, seed

FAILED = []
LINK = re.compile(r'href="(/[a-z0-9/]+)"')


class BrokenPage(Exception):
    """The page ends too early."""


def fetch(draw, number):
    """A page of some kilobytes."""
    links = "".join(
        f'<a href="/p/{draw.randrange(10**6)}">page {each} of {number}</a>\n' for each in range(260)
    )
    return f"<html><body>{links}" + ("</body></html>" if draw.random() < 0.75 else "")  # LEAK


def parse(page):
    links = LINK.findall(page)  # LEAK
    if not page.endswith("</html>"):
        raise BrokenPage(f"no end after {len(page)} characters")
    return links


def main():
    draw = random.Random(seed())
    found = 0
    for number in arrivals(50):
        try:
            found += len(parse(fetch(draw, number)))
        except BrokenPage as error:
            FAILED.append(error)


if __name__ == "__main__":
    main()
