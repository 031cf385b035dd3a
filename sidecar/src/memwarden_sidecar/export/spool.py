"""The spool: batches on disk that could not be sent, one file each, oldest first out.

A file's name is the batch's id and kind, so names sort by age and an id survives the sidecar. A file appears
whole, by rename; what a kill left half written starts with "." and is removed at the next start. Files are
not forced to the disk: the spool outlives the sidecar, not the machine's power.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from memwarden_sidecar.errors import CannotStart
from memwarden_sidecar.export.batch import Batch, Kind, is_whole
from memwarden_sidecar.settings import SPOOL_FILES

BLOCK_BYTES: Final = 4096
"""A file takes whole blocks."""
_LOCK: Final = ".lock"
_KINDS: Final = {f".{kind.value}": kind for kind in Kind}


class Spool:
    """Raises OSError from `add` when the disk does not take it. To be used under one lock."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self._limit = limit
        self._files: dict[str, int] = {}
        self._bytes = 0
        self._lock = _open(folder)
        self._load()

    def _load(self) -> None:
        for entry in sorted(os.scandir(self.folder), key=lambda entry: entry.name):
            if entry.name.startswith(".part-"):
                with suppress(OSError):
                    os.unlink(entry.path)
            elif _kind(entry.name) is not None and len(self._files) < SPOOL_FILES:
                self._take_in(entry.name, entry.stat().st_size)

    def _take_in(self, name: str, size: int) -> None:
        newest = next(reversed(self._files), "")
        self._files[name] = blocks = -(-size // BLOCK_BYTES) * BLOCK_BYTES
        self._bytes += blocks
        if name < newest:  # it was on its way while younger ones came here
            self._files = dict(sorted(self._files.items()))

    def __len__(self) -> int:
        return len(self._files)

    def add(self, batch: Batch, sending: str | None) -> int:
        """Write; returns how many of the oldest went out for it. The one with id `sending` is spared."""
        if len(batch.body) > self._limit:
            raise OSError(0, f"a batch of {len(batch.body)} bytes is larger than the spool")
        name = f"{batch.id}.{batch.kind.value}"
        lost = 0
        need = -(-len(batch.body) // BLOCK_BYTES) * BLOCK_BYTES
        while self._files and (self._bytes + need > self._limit or len(self._files) >= SPOOL_FILES):
            oldest = next((name for name in self._files if name.partition(".")[0] != sending), None)
            if oldest is None:
                break
            self._drop(oldest)
            lost += 1
        part = self.folder / f".part-{name}"
        try:
            part.write_bytes(batch.body)
            part.rename(self.folder / name)
        except OSError:
            with suppress(OSError):
                part.unlink()
            raise
        self._take_in(name, len(batch.body))
        return lost

    def oldest_id(self) -> str | None:
        return next((name.partition(".")[0] for name in self._files), None)

    def oldest(self) -> Batch | None:
        """Read it; one that can't be read any more, or is damaged, leaves the spool, and None comes back."""
        name = next(iter(self._files), None)
        kind = _kind(name) if name is not None else None
        if name is None or kind is None:
            return None
        try:
            body = (self.folder / name).read_bytes()
        except OSError:
            body = b""
        if not is_whole(body):
            self._drop(name)
            return None
        return Batch(name.partition(".")[0], kind, body)

    def remove(self, batch: Batch) -> None:
        self._drop(f"{batch.id}.{batch.kind.value}")

    def _drop(self, name: str) -> None:
        size = self._files.pop(name, None)
        if size is not None:
            self._bytes -= size
            with suppress(OSError):
                (self.folder / name).unlink()

    def close(self) -> None:
        """Give the folder free. May be called again."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _kind(name: str) -> Kind | None:
    return _KINDS.get(Path(name).suffix) if not name.startswith(".") else None


def _open(folder: Path) -> int:
    """Make the folder and lock it: two sidecars would send each other's batches."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotStart(
            f"the spool can't be used: {error.strerror}; give a --spool folder that you may write: {folder}"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise CannotStart(f"another sidecar uses this spool; give each its own --spool: {folder}") from None
    return lock
