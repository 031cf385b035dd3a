"""COPY in binary, both ways.

Writing: rows are packed by `struct`, which is several times faster than adapting each value. Reading: a query
whose columns are all float8 has rows of one length, so numpy reads them without a loop. timestamptz travels
as int64 microseconds since 2000-01-01.
"""

import struct
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from memwarden_collector.store.connection import Connection

if TYPE_CHECKING:
    from numpy import float64, int64
    from numpy.typing import NDArray

POSTGRES_EPOCH: Final = 946_684_800_000_000
"""Unix microseconds of 2000-01-01."""
_HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + struct.pack("!ii", 0, 0)
_TRAILER: Final = struct.pack("!h", -1)
_NULL: Final = struct.pack("!i", -1)
_INT8: Final = struct.Struct("!iq")
_INT4: Final = struct.Struct("!ii")
_FLOAT8: Final = struct.Struct("!id")
_COUNT: Final = struct.Struct("!h")
_ARRAY: Final = struct.Struct("!iiiii")
_NUMPY_CODES: Final = {"h": ">i2", "i": ">i4", "q": ">i8", "d": ">f8"}
_MANY: Final = 64
_NARROW: Final = [
    ("count", ">i2"),
    ("time_length", ">i4"),
    ("time", ">i8"),
    ("id_length", ">i4"),
    ("id", ">i8"),
    ("value_length", ">i4"),
    ("value", ">f8"),
]
_ARRAY_TYPES: Final = {
    "int2": (21, 2, "h"),
    "int4": (23, 4, "i"),
    "int8": (20, 8, "q"),
    "float8": (701, 8, "d"),
}


def int8(value: int) -> bytes:
    """A bigint field."""
    return _INT8.pack(8, value)


def int4(value: int) -> bytes:
    """An integer field."""
    return _INT4.pack(4, value)


def float8(value: float | None) -> bytes:
    """A double precision field."""
    return _NULL if value is None else _FLOAT8.pack(8, value)


def text(value: str | None) -> bytes:
    """A text field."""
    if value is None:
        return _NULL
    raw = value.encode()
    return struct.pack("!i", len(raw)) + raw


def timestamp(microseconds: int) -> bytes:
    """A timestamptz field from Unix microseconds."""
    return _INT8.pack(8, microseconds - POSTGRES_EPOCH)


def null() -> bytes:
    """A field without a value."""
    return _NULL


def array(kind: str, values: "Sequence[float] | NDArray[int64]") -> bytes:
    """A one-dimensional array field of int2, int4, int8 or float8, without nulls."""
    oid, size, code = _ARRAY_TYPES[kind]
    if not len(values):
        return struct.pack("!iiii", 12, 0, 0, oid)
    if len(values) < _MANY:
        mixed: list[float] = [size] * (2 * len(values))
        mixed[1::2] = values
        body = struct.pack("!" + f"i{code}" * len(values), *mixed)
    else:
        body = _elements(size, _NUMPY_CODES[code], values)
    return struct.pack("!i", _ARRAY.size + len(body)) + _ARRAY.pack(1, 0, oid, len(values), 1) + body


def _elements(size: int, code: str, values: "Sequence[float] | NDArray[int64]") -> bytes:
    import numpy as np

    elements = np.empty(len(values), [("length", ">i4"), ("value", code)])
    elements["length"], elements["value"] = size, values
    return elements.tobytes()


def row(*fields: bytes) -> bytes:
    """One row of fields."""
    return _COUNT.pack(len(fields)) + b"".join(fields)


def copy_in(connection: Connection, statement: str, rows: Iterable[bytes]) -> None:
    """Run a `COPY … FROM STDIN (FORMAT BINARY)` with rows made by `row`."""
    with connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        copy.write(_HEADER + b"".join(rows) + _TRAILER)


def narrow_rows(
    times: "Sequence[NDArray[int64]]", ids: "Sequence[NDArray[int64]]", values: "Sequence[NDArray[float64]]"
) -> bytes:
    """Rows of (timestamptz from Unix microseconds, bigint, double precision), all at once."""
    import numpy as np

    time = np.concatenate(times)
    rows = np.empty(len(time), _NARROW)
    rows["count"], rows["time_length"], rows["id_length"], rows["value_length"] = 3, 8, 8, 8
    rows["time"], rows["id"], rows["value"] = (
        time - POSTGRES_EPOCH,
        np.concatenate(ids),
        np.concatenate(values),
    )
    return rows.tobytes()


def copy_floats(
    connection: Connection, query: str, parameters: Sequence[Any], columns: int
) -> "NDArray[float64]":
    """The result of a query whose columns are all float8 and not null, as an array (rows, columns).

    NULL must be made NaN by the query, or the rows would not have one length.
    """
    import numpy as np

    with connection.cursor() as cursor:
        statement = f"copy ({query}) to stdout (format binary)".encode()
        with cursor.copy(statement, parameters) as copy:
            data = b"".join(bytes(block) for block in copy)
    kind = np.dtype([("count", ">i2"), ("fields", [("length", ">i4"), ("value", ">f8")], (columns,))])
    table = np.frombuffer(
        data, dtype=kind, offset=len(_HEADER), count=(len(data) - len(_HEADER)) // kind.itemsize
    )
    if len(table) and not (np.all(table["count"] == columns) and np.all(table["fields"]["length"] == 8)):
        raise ValueError("a column of the query is not float8 or holds NULL")
    return table["fields"]["value"].astype(np.float64)
