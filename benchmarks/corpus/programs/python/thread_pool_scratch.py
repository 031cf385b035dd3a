"""An indexer with sixteen threads, each with a scratch buffer of its own; sources come to whoever is free."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

from traffic.shape import arrivals

LOCAL = threading.local()


def scratch():
    """This thread's buffer, made on first use."""
    if not hasattr(LOCAL, "buffer"):
        LOCAL.buffer = bytearray(900_000)
    return LOCAL.buffer


def index(documents):
    buffer, postings = scratch(), {}
    for document in documents:
        encoded = document.encode()
        buffer[: len(encoded)] = encoded
        for word in document.split():
            postings[word] = postings.get(word, 0) + 1
    return postings


def follow(number):
    """Index what the source has now."""
    draw = random.Random(number)
    return len(index([" ".join(f"word{draw.randrange(300)}" for _ in range(200)) for _ in range(10)]))


def main():
    with ThreadPoolExecutor(16) as pool:
        for number in arrivals(12):
            pool.submit(follow, number)


if __name__ == "__main__":
    main()
