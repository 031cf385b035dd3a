"""Invoices are rendered by a few threads; what was started is known, so that the end can wait for all of it."""

from concurrent.futures import ThreadPoolExecutor

from traffic.shape import arrivals

STARTED = []
PRINTED = {"pages": 0}


def render(number):
    """The text of one invoice."""
    lines = [f"{place:3d}  article {number * place % 977:4d}  {place * 1.19:9.2f} EUR" for place in range(70)]
    return "\n".join(lines)  # LEAK


def print_later(future):
    PRINTED["pages"] += future.result().count("\n") // 40 + 1


def main():
    with ThreadPoolExecutor(3) as pool:
        for number in arrivals(100):
            future = pool.submit(render, number)
            future.add_done_callback(print_later)
            STARTED.append(future)


if __name__ == "__main__":
    main()
