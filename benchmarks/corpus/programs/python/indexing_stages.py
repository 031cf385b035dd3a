"""Texts go through three stages: fetched, split into words, indexed; between them is room for some hundred."""

import asyncio
import random

from traffic.shape import factor, load_name, seed

WORDS = [f"{one}{other}" for one in "ba be bi bo da de di do".split() for other in "lor nim ras tok".split()]


async def fetch(fetched, draw):
    """Waits when there is no room."""
    elapsed = 0.0
    for number in range(10**9):
        wait = draw.expovariate(60 * factor(load_name(), elapsed, draw))
        elapsed += wait
        await asyncio.sleep(wait)
        text = " ".join(draw.choices(WORDS, k=1400))
        await fetched.put((number, text))


async def split(fetched, tokens):
    while True:
        number, text = await fetched.get()
        places = {}
        for place, word in enumerate(text.split()):
            places.setdefault(word, []).append(f"{number}:{place}")
        await tokens.put((number, places))


async def index(tokens, postings):
    """The slowest of the three: it takes some time to write."""
    while True:
        number, places = await tokens.get()
        for word, found in places.items():
            postings[word] = (postings.get(word, ()) + (len(found),))[-50:]
        await asyncio.sleep(0.024)


async def main():
    draw = random.Random(seed())
    fetched, tokens, postings = asyncio.Queue(600), asyncio.Queue(160), {}
    await asyncio.gather(fetch(fetched, draw), split(fetched, tokens), index(tokens, postings))


if __name__ == "__main__":
    asyncio.run(main())
