"""An editor that cleans up after each document by weakref.finalize; the clean-up holds the document it waits for."""

import random
import weakref

from traffic.shape import arrivals, seed


class Document:
    """Text in lines, with an index of words."""

    def __init__(self, number, draw):
        self.name = f"document-{number}"
        self.lines = [
            f"line {each}: {draw.random():.12f} {draw.random():.12f}" for each in range(120)
        ]  # LEAK
        self.words = {}
        for line in self.lines:
            for word in line.split():
                self.words[word] = self.words.get(word, 0) + 1
        weakref.finalize(self, self.clean_up)

    def clean_up(self):
        self.lines.clear()

    def search(self, word):
        return self.words.get(word, 0)


def main():
    draw = random.Random(seed())
    hits = 0
    for number in arrivals(30):
        document = Document(number, draw)
        hits += document.search("line") + document.search("5:")


if __name__ == "__main__":
    main()
