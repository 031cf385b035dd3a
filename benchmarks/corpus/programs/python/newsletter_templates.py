"""Newsletters by Jinja: each of three hundred shops has a template of its own, compiled when it is needed."""

import random
import sqlite3

from jinja2 import Environment, FunctionLoader
from traffic.shape import arrivals, seed

SHOPS = 300
PART = """
<h2>{{ shop }} recommends {{ goods[%(place)d].name }}</h2>
{%% for item in goods if item.cents > %(cents)d %%}
  <p class="c%(place)d">{{ loop.index }}. {{ item.name | title }} for {{ "%%.2f" | format(item.cents / 100) }}</p>
{%% else %%}<p>Nothing above %(cents)d today</p>{%% endfor %%}
"""


def store(draw):
    """Texts of all templates, in a file of SQLite's own."""
    database = sqlite3.connect("")
    database.execute("create table template (name text primary key, content text)")
    for shop in range(SHOPS):
        parts = [
            PART % {"place": draw.randrange(6), "cents": draw.randrange(9000)}
            for _ in range(draw.randint(2, 6))
        ]
        database.execute("insert into template values (?, ?)", (f"shop-{shop}", "".join(parts)))
    database.commit()
    return database


def main():
    draw = random.Random(seed())
    database = store(draw)

    def load(name):
        return database.execute("select content from template where name = ?", (name,)).fetchone()[0]

    environment = Environment(loader=FunctionLoader(load), autoescape=True)
    goods = [{"name": f"good thing {number}", "cents": draw.randrange(10_000)} for number in range(6)]
    sent = 0
    for _ in arrivals(18):
        shop = f"shop-{draw.randrange(SHOPS)}"
        sent += len(environment.get_template(shop).render(shop=shop, goods=goods))


if __name__ == "__main__":
    main()
