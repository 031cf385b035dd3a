"""Snapshots that sidecars upload in chunks, and events that they tell: `/api/v1/snapshots`, `/api/v1/events`."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from memwarden_api.report import Model

SnapshotState = Literal["Receiving", "Complete", "Damaged", "Lost"]


class ChunkRange(Model):
    """Chunks from the first to the last, both included."""

    first: int
    last: int


class Snapshot(Model):
    """A file of bytes of one scope. Its chunks come by OTLP logs, in any order, each as often as it takes."""

    id: str = Field(description="UUIDv7")
    scope: str
    kind: str = Field(description="What the bytes are")
    size: int
    sha256: str = Field(description="Of the whole, in hexadecimal")
    chunks: int
    state: SnapshotState = Field(
        description="Receiving: chunks are missing, or the whole is being compared with its sha256; Damaged: it had "
        "another one; Lost: its file is gone"
    )
    message: str
    missing: tuple[ChunkRange, ...] | None = Field(
        description="What is not there yet, at most 1000 ranges of it; null: another collector knows"
    )
    made_at: datetime
    updated_at: datetime


class SnapshotPage(Model):
    items: tuple[Snapshot, ...]
    next_cursor: str | None = None


class Event(Model):
    """What a sidecar told that is no number: that the kernel killed a process for memory, for example."""

    at: datetime
    scope: str
    pid: int | None
    name: str
    body: str
    attributes: dict[str, object]


class EventPage(Model):
    items: tuple[Event, ...]
    next_cursor: str | None = None
