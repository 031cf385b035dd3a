"""A checker of texts: makes trees whose nodes know their parents, and tidies up every eight seconds by itself."""

import gc
import random
import time

from traffic.shape import arrivals, seed

TIDY_SECONDS = 8.0


class Node:
    """A part of a text, with its parts and what it is part of."""

    def __init__(self, kind, parent, text):
        self.kind, self.parent, self.text = kind, parent, text
        self.children = []
        if parent is not None:
            parent.children.append(self)


def parse(draw, number):
    root = Node("text", None, f"text {number}")
    open_nodes = [root]
    for place in range(110):
        parent = draw.choice(open_nodes)
        open_nodes.append(Node("part", parent, f"{number}.{place}.{draw.getrandbits(40):x}"))
    return root


def depth(node):
    return 1 + max((depth(child) for child in node.children), default=0)


def main():
    gc.disable()
    draw = random.Random(seed())
    deepest, due = 0, time.monotonic() + TIDY_SECONDS
    for number in arrivals(90):
        deepest = max(deepest, depth(parse(draw, number)))
        if time.monotonic() > due:
            gc.collect()
            due = time.monotonic() + TIDY_SECONDS


if __name__ == "__main__":
    main()
