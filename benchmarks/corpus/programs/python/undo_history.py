"""A drawing server that keeps a copy of the whole drawing before each change, so that any change can be undone."""

import copy
import random

from traffic.shape import arrivals, seed


class Drawing:
    """Shapes by number, and what they were before."""

    def __init__(self):
        self.shapes = {}
        self.history = []

    def change(self, number, shape):
        self.history.append(self.copy())
        self.shapes[number] = shape

    def copy(self):
        """The drawing as it is now."""
        return copy.deepcopy(self.shapes)  # LEAK

    def undo(self):
        self.shapes = self.history.pop()


def main():
    draw = random.Random(seed())
    drawing = Drawing()
    for _ in arrivals(14):
        shape = {
            "points": [(draw.random(), draw.random()) for _ in range(6)],
            "colour": draw.randrange(2**24),
        }
        drawing.change(draw.randrange(60), shape)
        if draw.random() < 0.15:
            drawing.undo()


if __name__ == "__main__":
    main()
