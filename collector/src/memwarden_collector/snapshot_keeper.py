"""Takes chunks of snapshots: what is acknowledged is on the disk; what is not taken has its reason.

Two threads: one writes, one compares whole snapshots with their check sum and looks after the folder now and then, so
that a snapshot of some gigabytes keeps nobody waiting. The database knows what was promised, the disk what is there.
"""

import errno
import logging
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from memwarden_collector.errors import Overloaded, StoreError
from memwarden_collector.settings import Limits, Retention
from memwarden_collector.snapshot_folder import SnapshotFolder
from memwarden_collector.snapshots import Chunk, Declared, NotKept
from memwarden_collector.store import snapshots
from memwarden_collector.store.connection import Connection, Database
from memwarden_collector.store.snapshots import SnapshotRow
from memwarden_collector.telemetry import Telemetry

_log = logging.getLogger(__name__)
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class SnapshotKeeper:
    """One for a collector. `keep` is for the threads of `executor` alone; the rest is for any thread."""

    def __init__(
        self,
        database: Database,
        folder: SnapshotFolder,
        limits: Limits,
        retention: Retention,
        telemetry: Telemetry,
    ) -> None:
        self._database = database
        self._folder = folder
        self._limits = limits
        self._retention = retention
        self._telemetry = telemetry
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="snapshots")
        self.executor: Executor = self._threads
        self._checks: dict[UUID, Declared] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._checker = threading.Thread(target=self._check, name="snapshot-checks", daemon=True)
        telemetry.gauge("snapshot_free_bytes", lambda: float(folder.free_bytes()))

    @property
    def folder(self) -> SnapshotFolder:
        return self._folder

    def start(self) -> None:
        self._checker.start()

    def close(self) -> None:
        """Returns soon: a comparison that is cut off is made at the next start."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._checker.join(1.0)

    # ── Chunks ───────────────────────────────────────────────────────────────────────────────────────

    def keep(self, chunks: Sequence[Chunk]) -> list[tuple[NotKept, int]]:
        """Write them; those that were not kept, by reason and with their number. Raises StoreError, Overloaded."""
        groups: dict[Declared, list[Chunk]] = {}
        for chunk in chunks:
            groups.setdefault(chunk.declared, []).append(chunk)
        refused = []
        for declared, group in groups.items():
            why = self._keep(declared, group)
            self._telemetry.count(
                "snapshot_chunks_total", len(group), result="kept" if why is None else why.reason
            )
            if why is not None:
                refused.append((why, len(group)))
        return refused

    def _keep(self, declared: Declared, chunks: list[Chunk]) -> NotKept | None:
        with self._database.lend() as connection:
            row = snapshots.find(connection, declared.snapshot_id)
            if row is None:
                if (why := self._no_room(connection, declared)) is not None:
                    return why
                snapshots.begin(connection, declared, self._folder.name)
                row = snapshots.find(connection, declared.snapshot_id)
        if row is None:
            return NotKept("snapshot", f"snapshot {declared.snapshot_id} was deleted meanwhile")
        if (why := self._contradicts(row, declared)) is not None or row.state == snapshots.COMPLETE:
            return why
        try:
            return self._write(declared, chunks)
        except OSError as error:
            if error.errno in _FULL:
                return NotKept(
                    "snapshot_disk", f"the disk of snapshots is full ({error.strerror}); send it later"
                )
            raise Overloaded(
                f"snapshots can't be written ({error.strerror}); send it again later", reason="snapshot_disk"
            ) from error

    def _no_room(self, connection: Connection, declared: Declared) -> NotKept | None:
        there, receiving = snapshots.promised(connection, self._folder.name)
        limits = self._limits
        if there + declared.size > limits.max_snapshots_bytes:
            return NotKept(
                "snapshots_bytes",
                f"{declared.size} bytes more than the {there} that are kept or promised are over"
                f" max_snapshots_bytes={limits.max_snapshots_bytes}; delete snapshots, or send it later",
            )
        if receiving >= limits.max_receiving_snapshots:
            return NotKept(
                "receiving_snapshots",
                f"{receiving} snapshots are being received, as many as"
                f" max_receiving_snapshots={limits.max_receiving_snapshots}; send it later",
            )
        return self._no_space(declared.size)

    def _no_space(self, size: int) -> NotKept | None:
        free, least = self._folder.free_bytes(), self._limits.min_snapshot_free_bytes
        if free - size >= least:
            return None
        return NotKept(
            "snapshot_free_bytes",
            f"{size} bytes more would leave less than min_snapshot_free_bytes={least} on the disk, which has {free};"
            " send it later",
        )

    def _contradicts(self, row: SnapshotRow, declared: Declared) -> NotKept | None:
        name = f"snapshot {declared.snapshot_id}"
        if row.declared != declared:
            return NotKept(
                "snapshot", f"{name} was begun with another size, sha256, kind or scope; make a new one"
            )
        if row.folder != self._folder.name:
            return NotKept("snapshot", f"{name} was begun at another collector; send it there")
        if row.state not in (snapshots.RECEIVING, snapshots.COMPLETE):
            return NotKept("snapshot", f"{name} is {row.state}: {row.message}; make a new one")
        return None

    def _write(self, declared: Declared, chunks: list[Chunk]) -> NotKept | None:
        there = self._folder.present(declared.snapshot_id)
        new = list({chunk.index: chunk for chunk in chunks if chunk.index not in there}.values())
        if new:
            if (why := self._no_space(sum(len(chunk.body) for chunk in new))) is not None:
                return why
            self._folder.write(declared.snapshot_id, new)
        if len(there) + len(new) == declared.chunks:
            with self._changed:
                self._checks[declared.snapshot_id] = declared
                self._changed.notify()
        return None

    # ── Whole snapshots ──────────────────────────────────────────────────────────────────────────────

    def missing(self, row: SnapshotRow) -> set[int] | None:
        """Chunks that are not there yet; None where another collector knows."""
        if row.folder != self._folder.name:
            return None
        if row.state != snapshots.RECEIVING:
            return set()
        return set(range(row.chunks)) - self._folder.present(row.snapshot_id).keys()

    def content(self, row: SnapshotRow) -> Path | None:
        """The file of a complete one, where it is here."""
        mine = row.folder == self._folder.name and row.state == snapshots.COMPLETE
        return self._folder.whole(row.snapshot_id) if mine else None

    def delete(self, snapshot_id: UUID) -> None:
        """Somebody wants it gone. Raises StoreError, Overloaded, OSError."""
        with self._database.lend() as connection:
            self._delete(connection, [snapshot_id], "deleted")

    def _delete(self, connection: Connection, snapshot_ids: Iterable[UUID], what: str) -> None:
        """First the row: a file that is left over is found later, a row without a file would be a lie."""
        gone = list(snapshot_ids)
        if not gone:
            return
        snapshots.forget(connection, gone)
        for one in gone:
            self._folder.remove(one)
        self._telemetry.count("snapshots_total", len(gone), what=what)

    def _check(self) -> None:
        """The checker's thread."""
        tidied = float("-inf")
        while True:
            with self._changed:
                due = tidied + self._retention.upkeep_seconds - time.monotonic()
                if not self._checks and due > 0 and not self._closing:
                    self._changed.wait(due)
                if self._closing:
                    return
                found = next(iter(self._checks.values()), None)
            try:
                if found is not None:
                    self._finish(found)
                    with self._changed:
                        self._checks.pop(found.snapshot_id, None)
                elif time.monotonic() - tidied >= self._retention.upkeep_seconds:
                    tidied = time.monotonic()
                    self._tidy()
            except (StoreError, Overloaded, OSError) as error:
                with self._changed:
                    self._checks.clear()  # what is whole is found again
                self._telemetry.count("errors_total", job="snapshots", cause=type(error).__name__)
                _log.warning("snapshots could not be looked after and will be again: %s", error)

    def _finish(self, declared: Declared) -> None:
        is_right = self._folder.finish(declared.snapshot_id, declared.size, declared.sha256)
        with self._database.lend() as connection:
            if is_right:
                snapshots.settle(connection, declared.snapshot_id, snapshots.COMPLETE)
            else:
                text = "the whole does not have the sha256 that was promised"
                snapshots.settle(connection, declared.snapshot_id, snapshots.DAMAGED, text)
        if not is_right:
            self._folder.remove(declared.snapshot_id)
        self._telemetry.count("snapshots_total", what="complete" if is_right else "damaged")

    def _tidy(self) -> None:
        """What a crash left, what nobody goes on with, what is old or too many."""
        keep, idle = self._retention, self._folder.idle_seconds()
        patience = keep.partial_snapshot_hours * 3600
        with self._database.lend() as connection:
            rows = {row.snapshot_id: row for row in snapshots.of_folder(connection, self._folder.name)}
            old = snapshots.too_many(
                connection, self._folder.name, timedelta(days=keep.snapshots_days), keep.scope_snapshots
            )
            self._delete(connection, old, "old")
            abandoned = []
            for one in set(rows) - set(old):
                row = rows[one]
                if row.state == snapshots.COMPLETE and self._folder.whole(one) is None:
                    snapshots.settle(connection, one, snapshots.LOST, "its file is gone")
                elif row.state == snapshots.RECEIVING:
                    if self._folder.whole(one) is not None or not self.missing(row):
                        with self._changed:
                            self._checks[one] = row.declared
                    elif idle.get(one, time.time() - row.made_at.timestamp()) > patience:
                        abandoned.append(one)
            self._delete(connection, abandoned, "abandoned")
        for one in [one for one, age in idle.items() if one not in rows and age > patience]:
            self._folder.remove(one)
