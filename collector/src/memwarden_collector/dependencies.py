"""The state of everything that a collector depends on, for probes and people: asked at most once a second."""

import asyncio
from collections.abc import Callable
from typing import Final

from memwarden_collector.clock import Clock
from memwarden_collector.errors import CollectorError
from memwarden_collector.settings import Limits
from memwarden_collector.snapshot_folder import SnapshotFolder
from memwarden_collector.store.connection import Database
from memwarden_collector.store.migrate import load_migrations
from memwarden_collector.store.ownership import Job
from memwarden_collector.store.pulse import Pulse, feel
from memwarden_collector.store.tier import Store

OK: Final = "ok"
States = dict[str, dict[str, object]]
"""Name → `status`, `detail` (a sentence where it is not ok), and facts."""


class Dependencies:
    """`interface` tells its status and a detail. For the event loop."""

    def __init__(
        self,
        database: Database,
        store: Store,
        interface: Callable[[], tuple[str, str]],
        folder: SnapshotFolder | None,
        limits: Limits,
        clock: Clock,
    ) -> None:
        self._database = database
        self._store = store
        self._interface = interface
        self._folder = folder
        self._limits = limits
        self._clock = clock
        self._lock = asyncio.Lock()
        self._known: States = {}
        self._known_at = float("-inf")
        self._migrations = len(load_migrations())

    def last_known(self) -> States:
        """Without asking anybody."""
        return self._with_interface(self._known)

    async def states(self) -> States:
        async with self._lock:
            if self._clock.monotonic() - self._known_at >= 1:
                self._known = await asyncio.to_thread(self._ask)
                self._known_at = self._clock.monotonic()
        return self._with_interface(self._known)

    def _with_interface(self, states: States) -> States:
        status, detail = self._interface()
        return {**states, "interface": {"status": status, "detail": detail}}

    def _ask(self) -> States:
        pulse, trouble = None, ""
        try:
            with self._database.lend() as connection:
                pulse = feel(connection)
        except CollectorError as error:
            trouble = str(error)
        database: dict[str, object] = {
            "status": "away" if pulse is None else OK,
            "detail": trouble,
            "tier": str(self._store.tier),
            "layout": str(self._store.layout),
        }
        states: States = {"database": database, "migrations": self._schema(pulse)}
        for name, job in (("analysis", Job.ANALYSIS), ("upkeep", Job.UPKEEP)):
            held = pulse is not None and job in pulse.jobs
            detail = "" if held else "no collector holds its lock at the moment"
            states[name] = {
                "status": "unknown" if pulse is None else OK if held else "free",
                "detail": detail,
            }
        if self._folder is not None:
            states["snapshots"] = self._disk(self._folder)
        return states

    def _schema(self, pulse: Pulse | None) -> dict[str, object]:
        if pulse is None:
            return {"status": "unknown", "detail": "", "known": self._migrations}
        status = OK if pulse.migration == self._migrations else "other"
        detail = (
            ""
            if status == OK
            else f"the schema has migration {pulse.migration}, this version knows {self._migrations}: run one version"
        )
        return {"status": status, "detail": detail, "applied": pulse.migration, "known": self._migrations}

    def _disk(self, folder: SnapshotFolder) -> dict[str, object]:
        least = self._limits.min_snapshot_free_bytes
        try:
            free = folder.free_bytes()
        except OSError as error:
            return {"status": "away", "detail": f"{folder.path}: {error.strerror}"}
        detail = (
            f"less than min_snapshot_free_bytes={least} is free: no snapshots are taken"
            if free < least
            else ""
        )
        return {"status": "low" if detail else OK, "detail": detail, "free_bytes": free}
