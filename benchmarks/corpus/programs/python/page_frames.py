"""Pages of a file, kept in frames; a hand goes round and gives up the first one that nobody asked for lately."""

from traffic.shape import arrivals


class Frames:
    def __init__(self, most):
        self.most = most
        self.places = {}
        self.frames = []
        self.hand = 0

    def get(self, page):
        place = self.places.get(page)
        if place is None:
            place = self.place_for(page)
            self.frames[place] = [page, load(page), True]
            self.places[page] = place
        self.frames[place][2] = True
        return self.frames[place][1]

    def place_for(self, page):
        """A new frame, or one that is given up."""
        if len(self.frames) < self.most:
            self.frames.append(None)
            return len(self.frames) - 1
        while self.frames[self.hand][2]:
            self.frames[self.hand][2] = False
            self.hand = (self.hand + 1) % self.most
        del self.places[self.frames[self.hand][0]]
        return self.hand


def load(page):
    """One page of four kilobytes."""
    return bytes((page + place) % 251 for place in range(64)) * 80


if __name__ == "__main__":
    frames = Frames(2600)
    for number in arrivals(90):
        frames.get(number * 7919 % 100_003)
        frames.get(number * 7919 % 97)
