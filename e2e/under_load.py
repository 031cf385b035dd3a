"""Something that is asked all the time while a test does something else."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def asked_all_the_time(ask: Callable[[], bool], by: int = 2) -> Iterator[list[bool]]:
    """By several at once; gives the answers as they come. Who fails has answered False, and asks no more."""
    seen: list[bool] = []
    over = threading.Event()

    def go_on() -> None:
        while not over.is_set():
            try:
                seen.append(ask())
            except Exception:
                seen.append(False)
                raise

    threads = [threading.Thread(target=go_on) for _ in range(by)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join(60)
