"""Tells pages that are open in browsers how much of an article is left; the catalogue stays in memory."""

import asyncio
import random

from traffic.shape import factor, load_name, seed

ARTICLES = 12_000
SHOWN = 45


class Article:
    """A row of the catalogue."""

    def __init__(self, number):
        self.number, self.left, self.watchers = number, number * 7 % 90, []
        self.sizes = [[size, number * size % 40] for size in range(36, 40)]


class Row:
    """An article on a page."""

    def __init__(self, page, article):
        self.page, self.article = page, article
        self.text = f"article {article.number}: {article.left} left"
        self.changes = []
        article.watchers.append(self.changed)

    def changed(self, left):
        self.changes.append((self.article.number, left))
        self.text = f"article {self.article.number}: {left} left"
        self.page.stale = True


class Page:
    """What somebody has open."""

    def __init__(self, articles):
        self.stale, self.rows = True, [Row(self, article) for article in articles]

    def close(self):
        for row in self.rows:
            row.article.watchers.remove(row.changed)


async def visit(catalogue, draw):
    """A page is open for some minutes, then goes."""
    page = Page(draw.sample(catalogue, SHOWN))
    for _ in range(draw.randint(4, 24)):
        await asyncio.sleep(0.5)
        if page.stale:
            page.stale = sum(len(row.text) for row in page.rows) == 0
    page.close()


async def sell(catalogue, draw):
    """Articles are sold, and come in again."""
    while catalogue:
        await asyncio.sleep(draw.expovariate(120))
        article = draw.choice(catalogue)
        article.left = article.left - 1 if article.left else draw.randint(20, 90)
        for tell in tuple(article.watchers):
            tell(article.left)


async def main():
    draw, visits, elapsed = random.Random(seed()), set(), 0.0
    catalogue = [Article(number) for number in range(ARTICLES)]
    selling = asyncio.create_task(sell(catalogue, random.Random(seed() + 1)))
    while not selling.done():
        wait = draw.expovariate(20 * factor(load_name(), elapsed, draw))
        elapsed += wait
        await asyncio.sleep(wait)
        task = asyncio.create_task(visit(catalogue, draw))
        visits.add(task)
        task.add_done_callback(visits.discard)


if __name__ == "__main__":
    asyncio.run(main())
