"""Who is watched: each container that lives, what was last said of it, and its memory as the screen reads it.

In memory; all of it is read again from the database when a process takes the job over. For one thread.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from memwarden_collector.analysis.floor_board import (
    DAY,
    FINE,
    FINE_SECONDS,
    SPANS,
    WEEK,
    FloorBoard,
    as_rows,
    fine_seconds,
)
from memwarden_collector.settings import Analysis
from memwarden_collector.store import memory, workloads
from memwarden_collector.store.changes import ChangedScope
from memwarden_collector.store.connection import Connection
from memwarden_collector.store.workloads import ScopeState
from memwarden_core.screen import screen
from memwarden_core.settings import JudgeSettings
from memwarden_core.verdict import Kind

_PAGE: Final = 2000
_SILENT_INTERVALS: Final = 10


@dataclass(slots=True)
class Watched:
    """One container. Moments of samples in Unix seconds, `…_by_clock` by the monotonic clock."""

    scope_id: int
    name: str
    workload_id: int
    interval: float
    first_seen: float
    at: float
    kind: Kind
    judged: bool
    judged_by_clock: float
    heard_by_clock: float
    resources: tuple[int, ...] = ()
    row: int | None = None
    """Of the floor board; None: its memory was not read yet."""
    since: float = np.inf
    """From when on there is something new."""
    grows_since: float | None = None
    """Since when it leaks, by its last judgement."""
    at_risk: bool = False


@dataclass(frozen=True, slots=True)
class Looked:
    """What the screen says of one container."""

    watched: Watched
    suspect_seconds: float | None
    """Over how long a time it seems to grow; None: it does not."""


class Watch:
    """Containers by the name of their scope."""

    def __init__(self, settings: Analysis, judge_settings: JudgeSettings) -> None:
        self._settings = settings
        self._judge_settings = judge_settings
        self._board = FloorBoard()
        self._all: dict[str, Watched] = {}

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, name: str) -> bool:
        return name in self._all

    def get(self, name: str) -> Watched | None:
        return self._all.get(name)

    def names(self) -> set[str]:
        return set(self._all)

    def load(self, connection: Connection, now: float) -> list[ScopeState]:
        """Everything that has not ended by what the database says; nobody is called silent before its time from now."""
        self._board, self._all = FloorBoard(), {}
        found: list[ScopeState] = []
        while page := workloads.read_living(connection, found[-1].scope_id if found else 0, _PAGE):
            found += page
        for state in found:
            self.add(state, now)
        return found

    def add(self, state: ScopeState, now: float) -> Watched:
        """`now` by the monotonic clock."""
        judged_ago = max(0.0, state.at - (state.judged_at or state.at))
        watched = Watched(
            scope_id=state.scope_id,
            name=state.name,
            workload_id=state.workload_id,
            interval=state.interval or 1.0,
            first_seen=state.first_seen,
            at=state.at,
            kind=Kind(state.kind),
            judged=state.judged_at is not None,
            judged_by_clock=now - judged_ago,
            heard_by_clock=now,
            grows_since=state.digest.get("since"),
            at_risk=bool(state.digest.get("at_risk")),
        )
        self._all[state.name] = watched
        return watched

    def heard(self, changed: ChangedScope, now: float) -> None:
        """It has sent something."""
        watched = self._all[changed.name]
        watched.heard_by_clock = now
        watched.since = min(watched.since, changed.since)
        if changed.interval:
            watched.interval = changed.interval

    def take_silent(self, now: float) -> list[Watched]:
        """Containers that have ended by all appearance; they are watched no more."""
        silent = [
            one
            for one in self._all.values()
            if now - one.heard_by_clock
            > max(self._settings.ended_after_seconds, _SILENT_INTERVALS * one.interval)
        ]
        for one in silent:
            del self._all[one.name]
            if one.row is not None:
                self._board.remove(one.row)
        return silent

    def look(self, connection: Connection, names: Iterable[str]) -> list[Looked]:
        """Read what is new of these, keep how far that was, and screen them."""
        chosen = [self._all[name] for name in names if name in self._all]
        if not chosen:
            return []
        self._open(connection, [one for one in chosen if one.row is None])
        self._read(connection, chosen)
        rows = as_rows([one.row for one in chosen if one.row is not None])
        fine, day, week = self._board.fine(rows), *(self._board.longer(span, rows) for span in SPANS)
        before_day = np.fmax.reduce(week[:, : -WEEK.overlap(DAY.whole)], axis=1)
        before_hour = np.fmax.reduce(day[:, : -DAY.overlap(FINE * FINE_SECONDS)], axis=1)
        before_hour = np.fmax(before_hour, before_day)
        found = np.full(len(chosen), np.nan)
        found[screen(week, self._judge_settings).suspect] = WEEK.whole
        found[screen(day, self._judge_settings, before_day).suspect] = DAY.whole
        found[screen(fine, self._judge_settings, before_hour).suspect] = FINE * FINE_SECONDS
        return [Looked(one, _known(seconds)) for one, seconds in zip(chosen, found, strict=True)]

    def _open(self, connection: Connection, fresh: Sequence[Watched]) -> None:
        """Rows for those that have none, with what rollups say of their last week. Nothing, where a query fails."""
        if not fresh:
            return
        resources = workloads.read_resources(connection, [one.scope_id for one in fresh])
        asked = [
            (place, number, one.at)
            for place, one in enumerate(fresh)
            for number in resources.get(one.scope_id, ())
        ]
        tables = {
            span: memory.floors(
                connection,
                span.seconds,
                [place for place, _, _ in asked],
                [number for _, number, _ in asked],
                [at - span.whole for _, _, at in asked],
            )
            for span in SPANS
        }
        for one in fresh:
            width = fine_seconds(one.interval, self._settings.judge_every_intervals)
            one.row = self._board.add(width)
            one.resources = resources.get(one.scope_id, ())
            one.since = min(one.since, one.at - FINE * width)
        rows = as_rows([one.row or 0 for one in fresh])
        for span, table in tables.items():
            self._board.note_floors(span, rows[table[:, 0].astype(np.int64)], table[:, 1], table[:, 2])

    def _read(self, connection: Connection, chosen: Sequence[Watched]) -> None:
        rows, wanted, since = [], [], []
        for place, one in enumerate(chosen):
            for number in one.resources:
                rows.append(place)
                wanted.append(number)
                since.append(min(one.since, one.at + one.interval))
        table = memory.samples(connection, rows, wanted, since)
        for one in chosen:
            one.since = np.inf  # only now: what could not be read is read the next time
        if not len(table):
            return
        places = table[:, 0].astype(np.int64)
        board_rows = as_rows([one.row or 0 for one in chosen])
        self._board.note(board_rows[places], table[:, 1], table[:, 2])
        last = np.flatnonzero(np.append(np.diff(places) > 0, True))
        ids, at, anon, limit = [], [], [], []
        for index in last:
            one, moment = chosen[places[index]], float(table[index, 1])
            one.at = max(one.at, moment)
            ids.append(one.scope_id)
            at.append(moment)
            anon.append(_known(table[index, 2]))
            limit.append(_known(table[index, 3]))
        workloads.save_screened(connection, ids, at, anon, limit)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
