"""The fields of a label as they stand in a TOML table, each read once and checked."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from corpus.errors import LabelError

_SIZE: Final = re.compile(r"(\d+)(MiB|GiB)")


class Fields:
    """The fields of one table, each read once; what is left over is an error."""

    def __init__(self, name: str, table: Mapping[str, Any]) -> None:
        self.name = name
        self._table = dict(table)

    def take(self, field: str, kind: type, default: Any = None) -> Any:
        value = self._table.pop(field, default)
        if value is None:
            raise LabelError(f"{self.name}: {field} is missing")
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise LabelError(f"{self.name}: {field} is {value!r}, not a {kind.__name__}")
        return value

    def words(self, field: str, known: Iterable[str]) -> tuple[str, ...]:
        values = tuple(self.take(field, list))
        allowed = set(known)
        if not values or not set(values) <= allowed:
            raise LabelError(f"{self.name}: {field} is {list(values)}; use one or more of {sorted(allowed)}")
        return values

    def size(self, field: str, default: str) -> int:
        text = self.take(field, str, default)
        match = _SIZE.fullmatch(text)
        if match is None:
            raise LabelError(f"{self.name}: {field} is {text!r}, not a size such as 256MiB")
        return int(match[1]) << {"MiB": 20, "GiB": 30}[match[2]]

    def end(self) -> None:
        if self._table:
            raise LabelError(f"{self.name}: {', '.join(self._table)}: no such field")
