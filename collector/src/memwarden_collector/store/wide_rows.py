"""Rows of the wide table as binary COPY: those with the same columns are laid out all at once.

Senders of one kind have the same columns, so a group of thousands of rows has a handful of layouts. What does not
vary (lengths, columns that are NULL, the source of the limit) is written once a layout and copied.
"""

import struct
from collections.abc import Iterable, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from memwarden_collector.columns import NUMBERS
from memwarden_collector.store.copying import POSTGRES_EPOCH, null, text

if TYPE_CHECKING:
    import numpy as np

Values = Mapping[str, float | str]
"""Column → value; one of text at most."""
TEXT: Final = "limit_source"
COLUMNS: Final = ("ts", "resource_id", *NUMBERS, TEXT)
_FIELD: Final = struct.Struct("!iq")
_LENGTH: Final = 4
_EIGHT: Final = 8


class _Layout(NamedTuple):
    names: tuple[str, ...]
    """The numbers, in the order of the table."""
    kind: "np.dtype[np.void]"
    """A row, with a field for all that varies."""
    blank: bytes
    """A row without it."""


def wide_rows(rows: Iterable[tuple[int, int, Values]]) -> list[bytes]:
    """Of times in Unix microseconds, resource ids and values; in pieces, for `copy_in`."""
    groups: dict[tuple[tuple[str, ...], float | str | None], list[tuple[int, int, Values]]] = {}
    for one in rows:
        values = one[2]
        groups.setdefault((tuple(values), values.get(TEXT)), []).append(one)
    return [_laid_out(_layout(*key), some) for key, some in groups.items()]


def _laid_out(layout: _Layout, rows: list[tuple[int, int, Values]]) -> bytes:
    import numpy as np

    data = bytearray(layout.blank * len(rows))
    table = np.frombuffer(data, layout.kind)
    times, ids, values = zip(*rows, strict=True)
    table["ts"] = np.array(times, np.int64) - POSTGRES_EPOCH
    table["resource_id"] = ids
    for name in layout.names:
        table[name] = list(map(itemgetter(name), values))
    return bytes(data)


@lru_cache(256)
def _layout(columns: tuple[str, ...], source: float | str | None) -> _Layout:
    import numpy as np

    blank = struct.pack("!h", len(COLUMNS))
    places: dict[str, int] = {}
    for name in COLUMNS[:-1]:
        if name in columns or name not in NUMBERS:
            places[name] = len(blank) + _LENGTH
            blank += _FIELD.pack(_EIGHT, 0)
        else:
            blank += null()
    blank += text(source if isinstance(source, str) else None)
    formats = [">f8" if name in NUMBERS else ">i8" for name in places]
    kind = np.dtype(
        {
            "names": list(places),
            "formats": formats,
            "offsets": list(places.values()),
            "itemsize": len(blank),
        }
    )
    return _Layout(tuple(name for name in places if name in NUMBERS), kind, blank)
