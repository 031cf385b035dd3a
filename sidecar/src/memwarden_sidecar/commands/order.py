"""One command as the sidecar has it, and what became of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

KINDS: Final = ("Profile", "Census", "SetSampling", "Flush")


@dataclass(frozen=True, slots=True)
class Order:
    id: str
    container: str
    pid: int | None
    """None: all processes of the container."""
    kind: str
    sampling_bytes: int
    """Of SetSampling, else 0."""
    seconds: float
    """Until it expires, from when it was fetched."""


@dataclass(frozen=True, slots=True)
class Result:
    id: str
    done: bool
    message: str


def orders(body: bytes, date: str) -> list[Order]:
    """Those of an answer that make sense; `date` is the header with the collector's clock. Raises ValueError."""
    document = json.loads(body)
    items = document.get("items") if isinstance(document, dict) else None
    if not isinstance(items, list):
        raise ValueError("it has no items")
    found = [_order(item, date) for item in items if isinstance(item, dict)]
    return [order for order in found if order is not None]


def _order(item: Mapping[str, object], date: str) -> Order | None:
    identity, container, kind, pid = (item.get(key) for key in ("id", "container", "kind", "pid"))
    if not isinstance(identity, str) or not isinstance(container, str) or not isinstance(kind, str):
        return None
    average = item.get("sampling_bytes")
    return Order(
        id=identity,
        container=container,
        pid=pid if type(pid) is int else None,
        kind=kind,
        sampling_bytes=average if type(average) is int else 0,
        seconds=_seconds_left(item, date),
    )


def _seconds_left(item: Mapping[str, object], date: str) -> float:
    """By the collector's clock alone: ours may be another one."""
    whole = item.get("expires_in_seconds")
    most = float(whole) if isinstance(whole, int | float) else 60.0
    try:
        end = datetime.fromisoformat(str(item.get("expires_at")))
        left = (end - parsedate_to_datetime(date)).total_seconds()
    except (ValueError, TypeError):
        return most
    return min(max(0.0, left), most)
