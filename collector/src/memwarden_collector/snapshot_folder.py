"""Files of snapshots, named by their id: `ID.part` with `ID.chunks` during the upload, `ID.snapshot` when it is whole.

A chunk is written to its place in the part, which is flushed to the disk, and then noted in the list of chunks, which
is flushed, too: what is noted is there, whatever is killed. A note is 40 bytes with a check sum of its own, so that one
that was half written is none. One process at a time has the folder.
"""

import fcntl
import hashlib
import os
import shutil
import struct
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from memwarden_collector.errors import SnapshotFolderUnusable
from memwarden_collector.snapshots import Chunk

_NOTE: Final = struct.Struct("!I32s")
_SUM: Final = struct.Struct("!I")
_NOTE_BYTES: Final = _NOTE.size + _SUM.size
_READ_BYTES: Final = 1 << 20
_PART, _CHUNKS, _WHOLE = ".part", ".chunks", ".snapshot"
_MODE: Final = 0o600
"""Memory of other people's programs: for nobody else's eyes."""


class SnapshotFolder:
    """Raises OSError where the disk does not do what it should.

    `write` and `finish` of one snapshot exclude each other: the caller sees to that.
    """

    def __init__(self, path: Path) -> None:
        """Raises SnapshotFolderUnusable."""
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
        except OSError as error:
            raise SnapshotFolderUnusable(
                f"--snapshot-folder {path} can't be used ({error.strerror}); name a folder that can be written"
            ) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise SnapshotFolderUnusable(
                f"--snapshot-folder {path} is used by another collector; give each its own, or only one of them any"
            ) from None
        self.name = self._own_name()
        """What this folder is called in the database, for ever."""

    def _own_name(self) -> str:
        file = self.path / ".name"
        with suppress(OSError):
            if name := file.read_text().strip():
                return name
        name = str(uuid4())
        try:
            _write_whole(file, name.encode())
        except OSError as error:
            raise SnapshotFolderUnusable(
                f"--snapshot-folder {self.path} can't be written ({error.strerror}); name another"
            ) from None
        return name

    def close(self) -> None:
        os.close(self._lock)

    def free_bytes(self) -> int:
        return shutil.disk_usage(self.path).free

    def present(self, snapshot_id: UUID) -> dict[int, bytes]:
        """The chunks that are on the disk, each with its sha256."""
        with suppress(FileNotFoundError):
            return dict(_notes(self._file(snapshot_id, _CHUNKS).read_bytes()))
        return {}

    def write(self, snapshot_id: UUID, chunks: Sequence[Chunk]) -> None:
        """Put them to their places; on return they are on the disk."""
        part, notes = self._file(snapshot_id, _PART), self._file(snapshot_id, _CHUNKS)
        is_new = not notes.exists()
        with _opened(part) as file:
            for chunk in chunks:
                if chunk.offset is None:
                    raise ValueError("a chunk that has no place")
                _write_at(file, chunk.body, chunk.offset)
            os.fdatasync(file)
        with _opened(notes) as file:
            known = len(list(_notes(notes.read_bytes()))) * _NOTE_BYTES
            os.ftruncate(file, known)  # a note that was half written
            added = b"".join(_note(chunk.index, hashlib.sha256(chunk.body).digest()) for chunk in chunks)
            _write_at(file, added, known)
            os.fdatasync(file)
        if is_new:
            self._flush_names()

    def finish(self, snapshot_id: UUID, size: int, sha256: bytes) -> bool:
        """Compare the whole and give it its name; False where it is not what was promised."""
        part, whole = self._file(snapshot_id, _PART), self._file(snapshot_id, _WHOLE)
        if not whole.exists():
            with part.open("rb") as file:
                digest = hashlib.sha256()
                while block := file.read(_READ_BYTES):
                    digest.update(block)
                if file.tell() != size or digest.digest() != sha256:
                    return False
            part.rename(whole)
            self._flush_names()
        self._file(snapshot_id, _CHUNKS).unlink(missing_ok=True)
        return True

    def whole(self, snapshot_id: UUID) -> Path | None:
        """The file of a snapshot that is complete."""
        file = self._file(snapshot_id, _WHOLE)
        return file if file.exists() else None

    def remove(self, snapshot_id: UUID) -> None:
        for kind in (_WHOLE, _PART, _CHUNKS):
            self._file(snapshot_id, kind).unlink(missing_ok=True)
        self._flush_names()

    def idle_seconds(self) -> dict[UUID, float]:
        """Snapshots of which there is any file, and how long ago the last of them was written."""
        found: dict[UUID, float] = {}
        now = time.time()
        for entry in os.scandir(self.path):
            stem, dot, kind = entry.name.rpartition(".")
            if dot and f".{kind}" in (_PART, _CHUNKS, _WHOLE):
                with suppress(ValueError, FileNotFoundError):
                    age = now - entry.stat().st_mtime
                    found[UUID(stem)] = min(age, found.get(UUID(stem), age))
        return found

    def _file(self, snapshot_id: UUID, kind: str) -> Path:
        return self.path / f"{snapshot_id}{kind}"

    def _flush_names(self) -> None:
        folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _note(index: int, sha256: bytes) -> bytes:
    note = _NOTE.pack(index, sha256)
    return note + _SUM.pack(zlib.crc32(note))


def _notes(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Up to the first that is not whole."""
    for start in range(0, len(raw) - _NOTE_BYTES + 1, _NOTE_BYTES):
        note = raw[start : start + _NOTE.size]
        if _SUM.unpack_from(raw, start + _NOTE.size)[0] != zlib.crc32(note):
            return
        index, sha256 = _NOTE.unpack(note)
        yield index, sha256


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
    try:
        yield file
    finally:
        os.close(file)


def _write_at(file: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, offset)
        view, offset = view[written:], offset + written


def _write_whole(path: Path, data: bytes) -> None:
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    with _opened(partial) as file:
        _write_at(file, data, 0)
        os.fsync(file)
    partial.rename(path)
