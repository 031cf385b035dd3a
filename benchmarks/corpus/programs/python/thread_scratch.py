"""An indexer that starts a thread per source; each has a scratch buffer of its own and waits for more when
it is done.
"""

import random
import threading

from traffic.shape import arrivals, seed

LOCAL = threading.local()
MORE = threading.Event()


def scratch():
    """This thread's buffer, made on first use."""
    if not hasattr(LOCAL, "buffer"):
        LOCAL.buffer = bytearray(220_000)  # LEAK
        LOCAL.postings = {}
    return LOCAL.buffer


def index(documents):
    buffer = scratch()
    for document in documents:
        encoded = document.encode()
        buffer[: len(encoded)] = encoded
        for word in document.split():
            LOCAL.postings[word] = LOCAL.postings.get(word, 0) + 1


def follow(source, number):
    """Index what the source has now, then wait for more."""
    draw = random.Random(number)
    index([" ".join(f"word{draw.randrange(300)}" for _ in range(200)) for _ in range(10)])
    MORE.wait()
    return source


def main():
    for number in arrivals(3, salt=seed()):
        threading.Thread(target=follow, args=(f"feed-{number}", number), daemon=True).start()


if __name__ == "__main__":
    main()
