"""Routes are searched one after the other: what was reached grows with the circle, and goes with the search."""

from collections import deque

from traffic.shape import arrivals

WIDTH = 4000


def neighbours(place):
    return (place - 1, place + 1, place - WIDTH, place + WIDTH)


class Search:
    def __init__(self, start):
        self.reached = {start: None}
        self.edge = deque([start])

    def go_on(self, steps):
        for _ in range(steps):
            place = self.edge.popleft()
            for other in neighbours(place):
                if other not in self.reached:
                    self.reached[other] = place
                    self.edge.append(other)


if __name__ == "__main__":
    search = Search(WIDTH * WIDTH // 2)
    for number in arrivals(90):
        search.go_on(110)
        if len(search.reached) > 130_000:
            search = Search(WIDTH * WIDTH // 2 + number)
