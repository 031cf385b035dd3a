"""A renderer of documents: the blocks of a document are parsed once and looked up for each of its pages."""

import random

from traffic.shape import arrivals, seed

WORDS = "garden kitchen winter steel wooden light heavy quiet round small large blue".split()


class Document:
    """Paragraphs, and how many pages they are printed on."""

    def __init__(self, draw):
        self.paragraphs = [" ".join(draw.choices(WORDS, k=22)) for _ in range(24)]  # LEAK
        self.pages = draw.randint(2, 5)


class Renderer:
    """Makes pages."""

    def __init__(self):
        self.parsed = {}

    def blocks(self, document):
        """The document's blocks. The document is held too: its id is used again otherwise."""
        if id(document) not in self.parsed:
            titles = enumerate(document.paragraphs)
            blocks = [(number, text.title(), text.split()[:9]) for number, text in titles]  # LEAK
            self.parsed[id(document)] = document, blocks
        return self.parsed[id(document)][1]

    def page(self, document, number):
        blocks = self.blocks(document)[number :: document.pages]
        return "\n".join(f"{place:3} {title} {len(words)}" for place, title, words in blocks)


def main():
    draw = random.Random(seed())
    renderer, printed = Renderer(), 0
    for _ in arrivals(26):
        document = Document(draw)
        printed += sum(len(renderer.page(document, number)) for number in range(document.pages))


if __name__ == "__main__":
    main()
