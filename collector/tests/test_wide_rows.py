"""Rows of the wide table that are laid out together are what each would be, field by field."""

import random

from memwarden_collector.columns import LIMIT_SOURCES, NUMBERS
from memwarden_collector.store.copying import float8, int8, row, text, timestamp
from memwarden_collector.store.wide_rows import TEXT, Values, wide_rows

HEAD = 2 + 12 + 12
"""Bytes of the number of fields, a time and an id."""
NUMBERS_TO_TRY = (0.0, -0.0, 1.5, -7.25, 5e-324, 1.7e308, float(2**53))


def fields(at: int, resource_id: int, values: Values) -> bytes:
    numbers = [values.get(name) for name in NUMBERS]
    source = values.get(TEXT)
    return row(
        timestamp(at),
        int8(resource_id),
        *(float8(one if isinstance(one, float) else None) for one in numbers),
        text(source if isinstance(source, str) else None),
    )


def some_row(source: random.Random) -> tuple[int, int, Values]:
    names = source.sample(NUMBERS, source.randrange(len(NUMBERS) + 1))
    values: dict[str, float | str] = {name: source.choice(NUMBERS_TO_TRY) for name in names}
    if source.random() < 0.5:
        values[TEXT] = source.choice(LIMIT_SOURCES)
    items = list(values.items())
    source.shuffle(items)
    return source.randrange(2**52), source.randrange(1, 2**62), dict(items)


def test_rows_of_any_columns_are_as_packed_one_by_one() -> None:
    source = random.Random(3)
    shapes = [some_row(source) for _ in range(40)]
    rows = [
        (
            at + number,
            number + 1,
            {name: source.choice(NUMBERS_TO_TRY) if name != TEXT else one for name, one in values.items()},
        )
        for number, (at, _, values) in enumerate(source.choices(shapes, k=500))
    ]
    laid_out = b"".join(wide_rows(rows))
    wanted = [fields(*one) for one in rows]
    assert len(laid_out) == sum(map(len, wanted))
    place, found = 0, []
    by_start = {one[:HEAD]: one for one in wanted}
    while place < len(laid_out):
        one = by_start[laid_out[place : place + HEAD]]
        assert laid_out[place : place + len(one)] == one
        found.append(one)
        place += len(one)
    assert sorted(found) == sorted(wanted)


def test_nothing_is_nothing() -> None:
    assert wide_rows([]) == []
