"""A renderer that walks over its catalogue in order and keeps the last 900 previews: memory rises in a
line, then stays.
"""

from collections import OrderedDict

from traffic.shape import arrivals

KEPT = 900
PREVIEWS = OrderedDict()


def render(number):
    """A preview as rows of text."""
    return [f"{number:06d}:{row:03d}:" + "#" * ((number * row) % 97) for row in range(170)]


def preview(number):
    if number not in PREVIEWS:
        PREVIEWS[number] = render(number)
        if len(PREVIEWS) > KEPT:
            PREVIEWS.popitem(last=False)
    return PREVIEWS[number]


def main():
    drawn = 0
    for number in arrivals(30):
        drawn += len(preview(number)) + len(preview(max(number - 3, 0)))


if __name__ == "__main__":
    main()
