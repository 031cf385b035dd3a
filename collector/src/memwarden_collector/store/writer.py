"""The one writer of a collector: batches in, one transaction for whatever waits, futures answered after
commit.

While a transaction commits, and as long as they keep coming up to 50 ms from its beginning, new batches gather
and go together into the next one: load makes groups, an idle collector commits each batch at once. The key of
each batch is inserted first, in the same transaction; a key that is there already means that the batch was
stored, so it is acknowledged and left out. After an error nothing of the group is stored; if the connection
broke while committing that is not known, and the client's second try finds the key or not.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from itertools import repeat
from typing import TYPE_CHECKING, Final

import psycopg

from memwarden_collector.batch import Batch, ProfileRow, ResourceBlock, SeriesId, SeriesInfo
from memwarden_collector.errors import DatabaseAway, DataRefused, Overloaded, StoreError
from memwarden_collector.store.connection import Connection, Database, translated
from memwarden_collector.store.copying import (
    array,
    copy_in,
    float8,
    int4,
    int8,
    narrow_rows,
    row,
    timestamp,
)
from memwarden_collector.store.dictionary import Dictionary, KnownResource, StackFrames, moment
from memwarden_collector.store.dictionary_upkeep import writing
from memwarden_collector.store.distributions import write_distributions
from memwarden_collector.store.events import write_events
from memwarden_collector.store.wide_rows import COLUMNS, wide_rows
from memwarden_collector.telemetry import Telemetry

if TYPE_CHECKING:
    from numpy import int64
    from numpy.typing import NDArray

_log = logging.getLogger(__name__)
_GROUP_ROWS: Final = 20_000
_GATHER_SECONDS: Final = 0.05
"""Between the beginnings of two transactions: a dozen statements cost the same for one batch and for thirty."""
_PAUSE_SECONDS: Final = 0.005
"""Nothing new for so long, and the group is whole: senders that wait for their answers send nothing meanwhile."""
_TRIES: Final = 3
_DAY: Final = 86_400
_UUID_BYTES: Final = 16
_UUID_TIMED: Final = 7
_OWN_TIME_BACK: Final = 2 * _DAY
"""The ledger keeps no less (`settings.Retention.ledger_days`)."""
_OWN_TIME_AHEAD: Final = _DAY
OnNew = Callable[[Mapping[str, int], Mapping[str, int]], None]
"""Told after a commit of new series and new resources by scope, which the database did not have before."""
_Entry = tuple[Batch, "Future[bool]"]


class Writer:
    """Start it, submit batches from any thread, close it. Implements `otlp.doors.Sink`."""

    def __init__(
        self,
        database: Database,
        max_queue_rows: int,
        max_dictionary_bytes: int,
        on_new: OnNew | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        self._database = database
        self._on_new = on_new
        self._telemetry = telemetry or Telemetry()
        self._max_rows = max_queue_rows
        self._queue: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._rows = 0
        self._closing = False
        self._connection: Connection | None = None
        self._dictionary = Dictionary(max_dictionary_bytes)
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    @property
    def dictionary_bytes(self) -> int:
        """Memory for ids of names, about."""
        return self._dictionary.weight

    @property
    def queue_rows(self) -> int:
        return self._rows

    def start(self) -> None:
        self._thread.start()

    def submit(self, batch: Batch) -> Future[bool]:
        """The future's result: True stored, False stored before; its error is a StoreError. Raises
        Overloaded.
        """
        future: Future[bool] = Future()
        with self._lock:
            if self._closing:
                raise Overloaded("the collector is stopping; send it again later", reason="stopping")
            if self._rows and self._rows + batch.rows > self._max_rows:
                raise Overloaded(
                    f"busy: {self._rows} rows wait for the database, {batch.rows} more would pass"
                    f" max_queue_rows={self._max_rows}; send it again later",
                    reason="queue_rows",
                )
            self._rows += batch.rows
            self._queue.put((batch, future))
        return future

    def close(self, seconds: float) -> None:
        """Commit what waits, within so many seconds, and end."""
        with self._lock:
            self._closing = True
            self._queue.put(None)
        self._thread.join(seconds)

    def _run(self) -> None:
        until = 0.0
        while (group := self._next_group(until)) is not None:
            # Who sends alone, one request after the other, must not wait for others who never come.
            until = time.monotonic() + (_GATHER_SECONDS if len(group) > 1 else 0.0)
            self._store(group)
            with self._lock:
                self._rows -= sum(batch.rows for batch, _ in group)
        if self._connection is not None:
            self._connection.close()

    def _next_group(self, until: float) -> list[_Entry] | None:
        """What waits and what comes until then without a pause, up to 20 000 rows; blocks for the first; None at the
        end.
        """
        first = self._queue.get()
        if first is None:
            return None
        group, rows = [first], first[0].rows
        while rows < _GROUP_ROWS:
            try:
                left = min(until - time.monotonic(), _PAUSE_SECONDS)
                entry = self._queue.get(timeout=left) if left > 0 else self._queue.get_nowait()
            except queue.Empty:
                break
            if entry is None:
                self._queue.put(None)
                break
            group.append(entry)
            rows += entry[0].rows
        return group

    def _store(self, group: list[_Entry]) -> None:
        try:
            stored = self._commit([batch for batch, _ in group])
        except DataRefused as error:
            if len(group) > 1:  # one bad batch must not take the others with it
                for entry in group:
                    self._store([entry])
                return
            _log.error("a batch was refused: %s", error)
            _fail(group, error)
        except StoreError as error:
            self._database.health.ill(error)
            _fail(group, error)
        except Exception as error:
            # A fault of ours: the batch is answered 400 and named once, the writer goes on.
            _log.exception("a batch could not be written")
            refused = DataRefused(
                f"the batch could not be written ({type(error).__name__}); please report it"
            )
            _fail(group, refused)
        else:
            self._database.health.well()
            for (_, future), new in zip(group, stored, strict=True):
                if future.set_running_or_notify_cancel():
                    future.set_result(new)

    def _commit(self, batches: Sequence[Batch]) -> list[bool]:
        """One transaction; deadlocks with another collector are tried again."""
        for attempt in range(1, _TRIES + 1):
            connection = self._connect()
            try:
                with (
                    self._telemetry.span("commit", batches=len(batches)),
                    translated(),
                    connection.transaction(),
                ):
                    stored = self._write(connection, batches)
                new_series, new_resources = self._dictionary.commit()
                if self._on_new is not None and (new_series or new_resources):
                    self._on_new(new_series, new_resources)
                return stored
            except DatabaseAway as error:
                self._dictionary.rollback()
                if isinstance(error.__cause__, psycopg.errors.TransactionRollback) and attempt < _TRIES:
                    continue
                self._drop()
                raise
            except BaseException:
                self._dictionary.rollback()
                if connection.broken or connection.closed:
                    self._drop()
                raise
        raise AssertionError("unreachable")

    def _connect(self) -> Connection:
        if self._connection is None or self._connection.closed or self._connection.broken:
            self._connection = self._database.connect("writer")
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
        self._connection = None

    def _write(self, connection: Connection, batches: Sequence[Batch]) -> list[bool]:
        self._dictionary.follow(writing(connection))
        new = _enter_ledger(connection, batches)
        stored = [batch for batch, is_new in zip(batches, new, strict=True) if is_new]
        blocks = [block for batch in stored for block in batch.blocks if block.rows]
        if blocks:
            resources = self._dictionary.resources(connection, blocks)
            _write_wide(connection, blocks, resources)
            self._write_narrow(connection, blocks, resources)
            write_distributions(connection, self._dictionary, blocks, resources)
            self._write_profiles(connection, blocks, resources)
            write_events(connection, blocks, resources)
            _write_changes(connection, blocks, resources)
        return new

    def _write_narrow(
        self, connection: Connection, blocks: Sequence[ResourceBlock], resources: dict[bytes, KnownResource]
    ) -> None:
        infos: dict[SeriesId, SeriesInfo] = {}
        for block in blocks:
            infos.update((series, info) for series, info in block.series.items() if not series.shape)
        packed = [block.packed for block in blocks if block.packed is not None]
        if not infos and not packed:
            return
        ids = self._dictionary.series(connection, infos, resources) if infos else {}
        rows = [
            row(timestamp(at), int8(ids[series]), float8(value))
            for block in blocks
            for at, series, value in block.narrow
        ]
        if packed:
            sets = self._dictionary.series_sets(connection, [one.of for one in packed], resources)
            of = [sets[one.of.key] for one in packed]
            rows.append(narrow_rows([one.times for one in packed], of, [one.values for one in packed]))
        copy_in(connection, "copy sample (ts, series_id, value) from stdin (format binary)", rows)

    def _write_profiles(
        self, connection: Connection, blocks: Sequence[ResourceBlock], resources: dict[bytes, KnownResource]
    ) -> None:
        profiles = [(block.identity.fp, profile) for block in blocks for profile in block.profiles]
        if not profiles:
            return
        stacks = [_Stacks(profile) for _, profile in profiles]
        ids = self._dictionary.stacks(
            connection, {fp: frames for one in stacks for fp, frames in one.wanted()}
        )
        rows = (
            row(
                timestamp(profile.time),
                int8(resources[fp].resource_id),
                int8(int(profile.live_bytes.sum())),
                int8(int(profile.samples.sum())),
                int4(len(profile.stacks)),
                array("int4", own.ids(ids)),
                array("int2", profile.ages),
                array("int8", profile.live_bytes),
                array("int8", profile.blocks),
                array("int8", profile.samples),
            )
            for (fp, profile), own in zip(profiles, stacks, strict=True)
        )
        copy_in(
            connection,
            "copy profile (ts, resource_id, live_bytes_total, samples_total, cells, stacks, ages,"
            " live_bytes, blocks,"
            " samples) from stdin (format binary)",
            rows,
        )


class _Stacks:
    """The stacks of a profile, each once: it stands in several cells."""

    def __init__(self, profile: ProfileRow) -> None:
        import numpy as np

        unique, self._places = np.unique(profile.stacks, return_inverse=True)
        self._table, self._indices = profile.table, unique.tolist()
        self._fingerprints = self._table.fingerprints(self._indices)

    def wanted(self) -> Iterator[tuple[bytes, StackFrames]]:
        return zip(self._fingerprints, zip(repeat(self._table), self._indices), strict=True)

    def ids(self, known: Mapping[bytes, int]) -> "NDArray[int64]":
        """Of each cell."""
        import numpy as np

        return np.array([known[fp] for fp in self._fingerprints], np.int64)[self._places]


def _enter_ledger(connection: Connection, batches: Sequence[Batch]) -> list[bool]:
    """For each batch whether it is new: its key was not there, nor comes earlier in the group."""
    now = time.time()
    keys = sorted({(batch.key, int(batch.signal), _time_of(batch.key, now)) for batch in batches})
    inserted = connection.execute(
        # The ledger is unique within a time only: a key may be known under another one.
        "insert into ingest_batch (batch_id, signal, at)"
        " select batch_id, signal, at from unnest(%s::bytea[], %s::smallint[], %s::timestamptz[])"
        "   v(batch_id, signal, at)"
        " where not exists (select from ingest_batch b where b.batch_id = v.batch_id and b.signal = v.signal)"
        " on conflict do nothing returning batch_id, signal",
        [[one[0] for one in keys], [one[1] for one in keys], [moment(one[2]) for one in keys]],
    ).fetchall()
    fresh = {(bytes(key), signal) for key, signal in inserted}
    result = []
    for batch in batches:
        key = (batch.key, int(batch.signal))
        result.append(key in fresh)
        fresh.discard(key)
    return result


def _time_of(key: bytes, now: float) -> int:
    """The partition that a key belongs to, in Unix microseconds: its own time (UUIDv7), else today's first moment.

    Two collectors that get one batch at once choose the same, so that only one of them stores it.
    """
    if len(key) == _UUID_BYTES and key[6] >> 4 == _UUID_TIMED:
        own = int.from_bytes(key[:6], "big") / 1000
        if now - _OWN_TIME_BACK <= own <= now + _OWN_TIME_AHEAD:
            return round(own * 1000) * 1000
    return int(now // _DAY * _DAY) * 1_000_000


def _write_wide(
    connection: Connection, blocks: Sequence[ResourceBlock], resources: dict[bytes, KnownResource]
) -> None:
    rows = wide_rows(
        (at, resources[block.identity.fp].resource_id, values)
        for block in blocks
        for at, values in block.wide.items()
    )
    if rows:
        copy_in(connection, f"copy mem_sample ({', '.join(COLUMNS)}) from stdin (format binary)", rows)


def _write_changes(
    connection: Connection, blocks: Sequence[ResourceBlock], resources: dict[bytes, KnownResource]
) -> None:
    since: dict[int, int] = {}
    for block in blocks:
        span = block.span()
        if span is not None:
            scope_id = resources[block.identity.fp].scope_id
            since[scope_id] = min(span[0], since.get(scope_id, span[0]))
    copy_in(
        connection,
        "copy ingest_change (scope_id, since) from stdin (format binary)",
        (row(int4(scope_id), timestamp(at)) for scope_id, at in since.items()),
    )


def _fail(group: Sequence[_Entry], error: StoreError) -> None:
    """A future that was cancelled has nobody who waits."""
    for _, future in group:
        if future.set_running_or_notify_cancel():
            future.set_exception(error)
