"""Columns of numbers in a kept file: whole numbers as steps from one to the next, which gzip packs well."""

import math
from typing import Any, Final

import numpy as np

from memwarden_core.recording import FloatArray, IntArray

_LARGEST: Final = 2**53
"""Beyond this a float holds no whole numbers."""


class Fields:
    """One JSON object, read by name and type; complaints name the field."""

    def __init__(self, content: Any) -> None:
        if not isinstance(content, dict):
            raise ValueError("an object is missing")
        self.content: dict[str, Any] = content

    def _get(self, name: str) -> Any:
        if name not in self.content:
            raise ValueError(f"field {name!r} is missing")
        return self.content[name]

    def integer(self, name: str) -> int:
        value = self._get(name)
        if type(value) is not int or abs(value) > _LARGEST:
            raise ValueError(f"field {name!r} is no whole number")
        return value

    def optional_integer(self, name: str) -> int | None:
        return None if self._get(name) is None else self.integer(name)

    def number(self, name: str) -> float:
        value = self._get(name)
        if type(value) not in (int, float) or not math.isfinite(value):
            raise ValueError(f"field {name!r} is no number")
        return float(value)

    def text(self, name: str) -> str:
        value = self._get(name)
        if not isinstance(value, str):
            raise ValueError(f"field {name!r} is no text")
        return value

    def flag(self, name: str) -> bool:
        value = self._get(name)
        if not isinstance(value, bool):
            raise ValueError(f"field {name!r} is neither true nor false")
        return value

    def list(self, name: str) -> list[Any]:
        value = self._get(name)
        if not isinstance(value, list):
            raise ValueError(f"field {name!r} is no list")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.list(name)
        if not all(isinstance(item, str) for item in value):
            raise ValueError(f"field {name!r} holds more than text")
        return tuple(value)

    def text_map(self, name: str) -> dict[str, str]:
        value = self._get(name)
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            raise ValueError(f"field {name!r} holds more than text")
        return value


def steps(values: IntArray) -> list[int]:
    """First value, then differences."""
    return np.diff(values, prepend=0).tolist() if values.size else []


def decode_steps(coded: list[Any]) -> IntArray:
    """What `steps` made."""
    return np.cumsum(_whole_numbers(coded), dtype=np.int64)


def _whole_numbers(coded: list[Any]) -> IntArray:
    if not set(map(type, coded)) <= {int}:  # not isinstance: True is no number here
        raise ValueError("a column holds more than whole numbers")
    numbers = np.array(coded, dtype=np.int64)
    if numbers.size and float(np.abs(numbers.astype(np.float64)).sum()) > 2.0**62:
        raise ValueError("a column's numbers are too large")
    return numbers


def encode_times(time: FloatArray) -> list[int]:
    """Seconds as steps of milliseconds."""
    if not np.isfinite(time).all() or (time.size and np.abs(time).max() > _LARGEST / 1000):
        raise ValueError("a time is not finite")
    return steps(np.round(np.asarray(time, dtype=np.float64) * 1000).astype(np.int64))


def decode_times(coded: Any) -> FloatArray:
    """Seconds from steps of milliseconds; they must rise."""
    if not isinstance(coded, list):
        raise ValueError("times are no list")
    whole = decode_steps(coded)
    if whole.size and (np.diff(whole) < 0).any():
        raise ValueError("times do not rise")
    return whole / 1000.0


def encode_values(value: FloatArray) -> tuple[int, list[Any]]:
    """(decimals, steps): whole numbers where all are, else thousandths; what is not finite becomes null."""
    value = np.asarray(value, dtype=np.float64)
    finite = np.isfinite(value) & (np.abs(np.nan_to_num(value)) < _LARGEST / 1000)
    known = value[finite]
    decimals = (
        0 if known.size == 0 or np.array_equal(known, np.round(known)) or np.abs(known).min() > 1e5 else 3
    )
    whole = np.round(known * 10**decimals).astype(np.int64)
    coded = iter(steps(whole))
    return decimals, [next(coded) if known_here else None for known_here in finite.tolist()]


def decode_values(decimals: int, coded: list[Any], delta: bool = True) -> FloatArray:
    """What `encode_values` made; null becomes NaN."""
    if decimals not in (0, 3):
        raise ValueError(f"{decimals} decimals were never written")
    if None in coded:
        missing = np.array([item is None for item in coded], dtype=bool)
        whole = _whole_numbers([item for item in coded if item is not None])
    else:
        missing, whole = np.zeros(len(coded), dtype=bool), _whole_numbers(coded)
    value = np.full(len(coded), np.nan)
    value[~missing] = (np.cumsum(whole) if delta else whole) / 10**decimals
    return value


def round_digits(value: FloatArray, digits: int = 4) -> list[int]:
    """Whole numbers with so many digits that count: estimates hold no more."""
    value = np.asarray(value, dtype=np.float64)
    if not np.isfinite(value).all():
        raise ValueError("an estimate of a profile is not finite")
    size = np.maximum(np.abs(value), 1.0)
    unit = 10.0 ** np.maximum(0, np.floor(np.log10(size)) - (digits - 1))
    rounded: list[int] = (np.round(value / unit) * unit).astype(np.int64).tolist()
    return rounded
