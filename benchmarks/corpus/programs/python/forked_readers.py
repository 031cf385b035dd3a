"""Readers forked from a parent that holds the whole catalogue: each read writes reference counts, so pages are copied
little by little until every reader has its own."""

import os
import random

from traffic.shape import arrivals, seed


def catalogue():
    draw = random.Random(5)
    return [{"sku": sku, "title": f"article {sku}", "price": draw.random()} for sku in range(45_000)]


def reader(articles, number):
    draw = random.Random(seed() + number)
    basket = []
    for _ in arrivals(60, salt=number):
        begin = draw.randrange(len(articles) - 200)
        basket = [article["title"] for article in articles[begin : begin + 150]]
    return basket


def main():
    articles = catalogue()
    children = []
    for number in range(3):
        child = os.fork()
        if child == 0:
            reader(articles, number)
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
