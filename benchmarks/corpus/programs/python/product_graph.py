"""A GraphQL-like graph of a market place: offers and what buyers say of them come in batches, by aiodataloader."""

import asyncio
import random

from aiodataloader import DataLoader
from traffic.shape import factor, load_name, seed

OFFERS = 3_000_000
WORDS = "good bad fast slow small large came went box late early nice colour size again never".split()


def offer(number):
    """A row of the offers' table."""
    return {
        "number": number,
        "title": f"offer {number} of seller {number % 7919}",
        "cents": number * 37 % 90_000,
        "pictures": [f"https://pictures.example/{number}/{size}.webp" for size in (80, 320, 640)],
        "ships": {country: number % days for days, country in enumerate("de fr it es pl".split(), 1)},
    }  # LEAK


def reviews(draw, number):
    """Rows of the reviews' table."""
    return [
        {"stars": draw.randint(1, 5), "by": number % 9001, "text": " ".join(draw.choices(WORDS, k=14))}
        for _ in range(number % 9)
    ]  # LEAK


class Offers(DataLoader):
    """Offers by their numbers."""

    async def batch_load_fn(self, numbers):
        await asyncio.sleep(0.02)
        return [offer(number) for number in numbers]


class Reviews(DataLoader):
    """The latest reviews by the numbers of what they are of."""

    draw = random.Random(seed() + 1)

    async def batch_load_fn(self, numbers):
        await asyncio.sleep(0.03)
        return [reviews(self.draw, number) for number in numbers]


class Graph:
    """What the resolvers need."""

    def __init__(self):
        self.offers, self.reviews = Offers(), Reviews()

    async def listing(self, numbers):
        """A page of a category, with the stars of each offer."""
        found = await self.offers.load_many(numbers)  # LEAK
        said = await self.reviews.load_many(numbers)  # LEAK
        return [(each["cents"], sum(text["stars"] for text in texts)) for each, texts in zip(found, said)]


def page(draw):
    """Of most offers few are asked for; a page has some of both kinds."""
    return list({int(draw.paretovariate(0.17)) % OFFERS for _ in range(draw.randint(8, 16))})


async def main():
    draw, graph, asked, elapsed = random.Random(seed()), Graph(), set(), 0.0
    while elapsed >= 0:
        wait = draw.expovariate(24 * factor(load_name(), elapsed, draw))
        elapsed += wait
        await asyncio.sleep(wait)
        task = asyncio.create_task(graph.listing(page(draw)))
        asked.add(task)
        task.add_done_callback(asked.discard)


if __name__ == "__main__":
    asyncio.run(main())
