"""Adds places to the lines of a log: looked up in a database of networks, and remembered by functools."""

import random
import sqlite3
from functools import lru_cache

from traffic.shape import arrivals, seed

NETWORKS = 20_000
LANGUAGES = ("de", "en", "es", "fr", "ja", "pt-BR", "ru", "zh-CN")
DATABASE = sqlite3.connect("")


def fill(draw):
    DATABASE.execute(
        "create table network (number integer primary key, city text, latitude real, longitude real)"
    )
    DATABASE.executemany(
        "insert into network values (?, ?, ?, ?)",
        [
            (number, f"city {draw.randrange(3000)}", draw.random(), draw.random())
            for number in range(NETWORKS)
        ],
    )
    DATABASE.commit()


@lru_cache(maxsize=32_768)
def place(network):
    _, city, latitude, longitude = DATABASE.execute(
        "select * from network where number = ?", (network,)
    ).fetchone()
    names = {
        level: {language: f"{level} of {city} ({language}), {latitude:.3f} north" for language in LANGUAGES}
        for level in ("city", "region", "country")
    }
    return {"names": names, "latitude": latitude, "longitude": longitude, "network": network}


def network(draw):
    """Few networks send much."""
    return min(int(draw.paretovariate(0.25)), 10**9) % NETWORKS


def main():
    draw = random.Random(seed())
    fill(draw)
    north = 0.0
    for _ in arrivals(160):
        north += place(network(draw))["latitude"]


if __name__ == "__main__":
    main()
