"""The upkeep of the store as a job: one thread, which does a round now and then while it holds the lock."""

import logging
import threading
import time
from typing import Final

from memwarden_collector.errors import StoreError
from memwarden_collector.settings import Retention
from memwarden_collector.store.connection import Database
from memwarden_collector.store.ownership import Job, Ownership
from memwarden_collector.store.tier import Store
from memwarden_collector.store.upkeep import Done, Upkeep
from memwarden_collector.telemetry import Telemetry

_log = logging.getLogger(__name__)
_FIRST: Final = 1 / 6
"""Of the time between two rounds, before the first one: a run of some seconds needs none."""


class UpkeepJob:
    """Start it, stop it. Errors are counted, logged once for each cause, and end nothing."""

    def __init__(self, database: Database, store: Store, retention: Retention, telemetry: Telemetry) -> None:
        self._database = database
        self._upkeep = Upkeep(store, retention)
        self._seconds = retention.upkeep_seconds
        self._telemetry = telemetry
        self._done_at: float | None = None
        self._lag = 0.0
        self._causes: set[str] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)
        telemetry.gauge("rollup_lag_seconds", self._lag_now)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns within a second; a round that is being done is undone by the database when the process ends."""
        self._stopping.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        ownership = Ownership(self._database, Job.UPKEEP)
        wait = self._seconds * _FIRST
        while not self._stopping.wait(wait):
            wait = self._seconds
            try:
                if ownership.holds() and ownership.connection is not None:
                    self._note(self._upkeep.round(ownership.connection, self._failed))
                else:
                    self._done_at = None
            except StoreError as error:
                self._failed("connection", error)
                ownership.release()
            except Exception as error:
                self._telemetry.count("errors_total", job="upkeep", cause=type(error).__name__)
                if self._is_new(f"{type(error).__name__}: {error}"):
                    _log.exception("upkeep failed; please report it")
                ownership.release()
        ownership.release()

    def _note(self, done: Done) -> None:
        self._lag, self._done_at = done.lag_seconds, time.monotonic()
        self._telemetry.count("upkeep_rounds_total")
        for what in ("made", "dropped", "compressed"):
            if getattr(done, what):
                self._telemetry.count("partitions_total", getattr(done, what), done=what)
        self._telemetry.count("rows_rolled_up_total", done.rolled_up)
        self._telemetry.count("rows_moved_total", done.moved)

    def _lag_now(self) -> float:
        return 0.0 if self._done_at is None else self._lag + time.monotonic() - self._done_at

    def _failed(self, step: str, error: StoreError) -> None:
        self._telemetry.count("errors_total", job=f"upkeep {step}", cause=type(error).__name__)
        if self._is_new(f"{step}: {type(error).__name__}"):
            _log.warning("upkeep could not do %s and tries again: %s", step, error)

    def _is_new(self, cause: str) -> bool:
        new = cause not in self._causes
        self._causes.add(cause)
        return new
