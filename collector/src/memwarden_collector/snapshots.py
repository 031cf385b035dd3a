"""A chunk of a snapshot as a door hands it on, and what became of it: plain values, known to `otlp` and `store`."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Declared:
    """What every chunk says of its snapshot; all of them say the same."""

    snapshot_id: UUID
    scope: str
    kind: str
    size: int
    chunks: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Chunk:
    """Its own check sum has been compared."""

    declared: Declared
    index: int
    body: bytes

    @property
    def offset(self) -> int | None:
        """Where it lies in the file; None where its size does not fit. All chunks but the last have one size."""
        whole, last = self.declared, self.declared.chunks - 1
        if self.index < last:
            fits = last * len(self.body) < whole.size <= (last + 1) * len(self.body)
            return self.index * len(self.body) if fits else None
        start = whole.size - len(self.body)
        if last == 0:
            return 0 if start == 0 else None
        size, rest = divmod(start, last)
        return start if rest == 0 and 0 < len(self.body) <= size else None


@dataclass(frozen=True, slots=True)
class NotKept:
    """Why a chunk was not kept: a short word, and a text that names the limit and its value."""

    reason: str
    text: str
