"""Attributes of OTLP as JSON values, within the limits.

Long text and long arrays are cut with a warning, because a command line of 10 kB must not hide a process.
What PostgreSQL can't keep (U+0000) or what would be too many is refused, with the points that hang on it.
"""

import base64
import math
from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from memwarden_collector.batch import Attributes, Json
from memwarden_collector.otlp.rejections import Rejections
from memwarden_collector.settings import Limits

_MAX_NESTING: Final = 8
T = TypeVar("T")


class BadAttributes(Exception):
    """What hangs on these attributes can't be taken: a short reason and a text."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text


class AttributeReader:
    """Reads attributes of one request. `strings` is the dictionary of a profiles request, empty elsewhere."""

    def __init__(self, limits: Limits, rejections: Rejections, strings: Sequence[str] = ()) -> None:
        self._limits = limits
        self._rejections = rejections
        self._strings = strings

    def read(self, pairs: Iterable[KeyValue], most: int, limit_name: str) -> Attributes:
        """Raises BadAttributes; of equal keys the last one counts."""
        result: Attributes = {}
        for pair in pairs:
            key = pair.key or (self.string(pair.key_strindex) if pair.key_strindex else "")
            result[self.key(key)] = self.value(pair.value)
        if len(result) > most:
            raise BadAttributes("attributes", f"{len(result)} attributes, over {limit_name}={most}")
        return result

    def key(self, key: str) -> str:
        """A name that may be stored; raises BadAttributes."""
        if len(key.encode()) > self._limits.max_key_bytes:
            raise BadAttributes(
                "key_bytes", f"a name is longer than max_key_bytes={self._limits.max_key_bytes}"
            )
        return _without_nul(key)

    def value(self, value: AnyValue, nesting: int = 0) -> Json:
        """Raises BadAttributes."""
        kind = value.WhichOneof("value")
        if kind is None:
            return None
        if kind == "string_value":
            return self.text(value.string_value)
        if kind == "string_value_strindex":
            return self.text(self.string(value.string_value_strindex))
        if kind == "double_value":
            # JSON has neither NaN nor infinities.
            return value.double_value if math.isfinite(value.double_value) else repr(value.double_value)
        if kind == "bool_value":
            return bool(value.bool_value)
        if kind == "int_value":
            return int(value.int_value)
        if kind == "bytes_value":
            return self.text(base64.b64encode(value.bytes_value[: self._limits.max_value_bytes]).decode())
        if nesting >= _MAX_NESTING:
            raise BadAttributes("nesting", f"attributes are nested deeper than {_MAX_NESTING}")
        if kind == "array_value":
            return [self.value(item, nesting + 1) for item in self._cut(value.array_value.values)]
        pairs = self._cut(value.kvlist_value.values)
        return {self.key(pair.key): self.value(pair.value, nesting + 1) for pair in pairs}

    def text(self, text: str) -> str:
        """Cut to its limit; raises BadAttributes for U+0000."""
        limit = self._limits.max_value_bytes
        if len(text) * 4 > limit:
            raw = text.encode()
            if len(raw) > limit:
                self._rejections.warn("value_bytes", f"a text was cut to max_value_bytes={limit}")
                text = raw[:limit].decode(errors="ignore")
        return _without_nul(text)

    def string(self, index: int) -> str:
        """A string of the dictionary; raises BadAttributes for an index outside of it."""
        if not 0 <= index < len(self._strings):
            raise BadAttributes(
                "bad_index", f"string index {index} is outside the table of {len(self._strings)}"
            )
        return self._strings[index]

    def _cut(self, items: Sequence[T]) -> Sequence[T]:
        limit = self._limits.max_array_length
        if len(items) > limit:
            self._rejections.warn("array_length", f"an array was cut to max_array_length={limit}")
        return items[:limit]


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise BadAttributes("nul", "a text holds U+0000, which the store can't keep")
    return text
