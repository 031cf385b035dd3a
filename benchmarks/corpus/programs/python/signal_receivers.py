"""A warehouse whose views subscribe to stock changes; a view is closed, its receiver stays."""

import random

from traffic.shape import arrivals, seed


class Signal:
    """Receivers are called in the order in which they came."""

    def __init__(self):
        self.receivers = []

    def connect(self, receiver):
        self.receivers.append(receiver)

    def send(self, value):
        for receiver in self.receivers[-50:]:
            receiver(value)


class View:
    """A table of stock that somebody looks at for a moment."""

    def __init__(self, draw, changed):
        self.rows = [[draw.randrange(10**6) for _ in range(8)] for _ in range(60)]  # LEAK
        changed.connect(self.update)

    def update(self, change):
        row, amount = change
        self.rows[row % len(self.rows)][row % 8] += amount

    def render(self):
        return "\n".join("\t".join(str(cell) for cell in row) for row in self.rows)


def main():
    draw = random.Random(seed())
    changed = Signal()
    shown = 0
    for number in arrivals(25):
        view = View(draw, changed)
        changed.send((number, 1))
        shown += len(view.render())


if __name__ == "__main__":
    main()
