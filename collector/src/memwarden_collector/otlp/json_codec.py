"""JSON bodies: the JSON of OTLP becomes the same protobuf messages that the other doors give.

OTLP's JSON is protobuf's with three differences: trace and span ids are hex, enums are numbers, and unknown fields
are ignored. Readers are made from the descriptors, once for each message, and walk what `json` has parsed;
protobuf's own json_format takes several times longer.
"""

import base64
import binascii
import json
from collections.abc import Callable
from functools import cache
from typing import Any, Final, NoReturn, TypeVar

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

Reader = Callable[[Any], Any]
M = TypeVar("M", bound=Message)

_HEX: Final = frozenset({"trace_id", "span_id", "parent_span_id"})
_INTEGERS: Final = frozenset(
    {
        FieldDescriptor.CPPTYPE_INT32,
        FieldDescriptor.CPPTYPE_INT64,
        FieldDescriptor.CPPTYPE_UINT32,
        FieldDescriptor.CPPTYPE_UINT64,
    }
)
_FLOATS: Final = frozenset({FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT})


def message_from_json(kind: type[M], body: bytes) -> M:
    """Raises ValueError, whose text names the field, for what is not JSON or not this message."""
    try:
        value = json.loads(body.decode(), parse_constant=_no_constant)
        return kind(**_reader_of(kind.DESCRIPTOR)(value))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except (
        TypeError,
        OverflowError,
    ) as error:  # a number outside of its field's range, text that is not Unicode
        raise ValueError(str(error)) from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON; it is written as a text")


@cache
def _reader_of(descriptor: Descriptor) -> Reader:
    """From a JSON object to the arguments of the message's class."""
    # Filled when first used: messages hold themselves (an AnyValue holds arrays of AnyValue).
    fields: dict[str, tuple[str, Reader]] = {}

    def read(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise ValueError(f"a {descriptor.name} is not an object")
        if not fields:
            fields.update(
                (field.json_name, (field.name, _field_reader(field))) for field in descriptor.fields
            )
        result = {}
        for key, item in value.items():
            known = fields.get(key)
            if known is not None and item is not None:
                result[known[0]] = known[1](item)
        return result

    return read


def _field_reader(field: FieldDescriptor) -> Reader:
    one = _value_reader(field)
    if not field.is_repeated:
        return one

    def read(value: Any) -> list[Any]:
        if type(value) is not list:
            raise ValueError(f"{field.json_name} is not an array")
        return [one(item) for item in value]

    return read


def _value_reader(field: FieldDescriptor) -> Reader:
    if field.message_type is not None:
        return _reader_of(field.message_type)
    if field.cpp_type in _INTEGERS:
        return _scalar(field, "an integer", _integer)
    if field.cpp_type in _FLOATS:
        return _scalar(field, "a number", _float)
    if field.enum_type is not None:
        return _scalar(field, "the number of its enum", _integer)
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return _scalar(field, "true or false", _exactly(bool))
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _scalar(field, *(("hex", _hex) if field.name in _HEX else ("base64", _base64)))
    return _scalar(field, "a text", _exactly(str))


def _scalar(field: FieldDescriptor, what: str, convert: Reader) -> Reader:
    name = field.json_name

    def read(value: Any) -> Any:
        try:
            return convert(value)
        except (ValueError, TypeError, OverflowError):
            raise ValueError(f"{name} is not {what}") from None

    return read


def _exactly(kind: type) -> Reader:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise TypeError
        return value

    return read


def _integer(value: Any) -> int:
    """64 bits come as text, because JavaScript's numbers would lose some of them."""
    if type(value) is int:
        return value
    if type(value) is str:
        return int(value)
    if type(value) is float and value.is_integer():
        return int(value)
    raise TypeError


def _float(value: Any) -> float:
    if type(value) is bool:
        raise TypeError
    return float(value)


def _hex(value: Any) -> bytes:
    return bytes.fromhex(value)


def _base64(value: Any) -> bytes:
    """Both alphabets, with or without padding, as protobuf's JSON allows."""
    text = value.replace("-", "+").replace("_", "/") if type(value) is str else _no_text()
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def _no_text() -> NoReturn:
    raise TypeError
