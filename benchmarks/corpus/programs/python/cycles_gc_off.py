"""A parser of nested documents whose nodes know their parents; the collector was turned off because it took time."""

import gc
import random

from traffic.shape import arrivals, seed


class Node:
    """An element of a document."""

    def __init__(self, name, parent):
        self.name = name
        self.parent = parent
        self.children = []
        self.text = f"{name} text of a paragraph " * 6  # LEAK
        if parent is not None:
            parent.children.append(self)


def parse(draw, depth, parent=None):
    """A document of some hundred elements."""
    node = Node(f"element{draw.randrange(40)}", parent)
    if depth:
        for _ in range(draw.randint(2, 4)):
            parse(draw, depth - 1, node)
    return node


def longest_path(node):
    return 1 + max((longest_path(child) for child in node.children), default=0)


def main():
    gc.disable()
    draw = random.Random(seed())
    depths = {}
    for _ in arrivals(18):
        depth = longest_path(parse(draw, 4))
        depths[depth] = depths.get(depth, 0) + 1


if __name__ == "__main__":
    main()
