"""The analysis as a job: one thread that judges what has new data, and a door to judge one scope now.

Few containers are all judged in full. Of many, a screen of their memory chooses: suspects, those that were not
healthy, those that were never judged, and a slow rotation of the rest. What was said is in the database: who takes the
job over (the one that holds the advisory lock) goes on from there. Any collector may judge when asked. An error is
logged once for each cause, counted, and never ends the job.
"""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from memwarden_api import report
from memwarden_collector.analysis.digest import Digest
from memwarden_collector.analysis.judging import Judging, NotJudged, UnknownScope, document_of
from memwarden_collector.analysis.placement import place, place_again
from memwarden_collector.analysis.queue import Queue, wish
from memwarden_collector.analysis.schedule import Schedule
from memwarden_collector.analysis.watch import Watch
from memwarden_collector.analysis.workloads import refresh
from memwarden_collector.clock import Clock
from memwarden_collector.errors import CollectorError
from memwarden_collector.otlp.identity import KIND_SERVICE
from memwarden_collector.settings import Analysis
from memwarden_collector.store import leaks, workloads
from memwarden_collector.store import verdicts as store
from memwarden_collector.store.changes import ChangedScope, ChangeFeed
from memwarden_collector.store.connection import Database
from memwarden_collector.store.ownership import Job, Ownership
from memwarden_collector.telemetry import Telemetry
from memwarden_core.recording import Recording

__all__ = ["Analyst", "NotJudged", "UnknownScope", "document_of", "history_entries"]

_log = logging.getLogger(__name__)
_POLL_SECONDS: Final = 1.0
_SCREEN_SECONDS: Final = 5.0
"""Between two looks at many containers: one query for all that are due by then."""
_AT_ONCE: Final = 1000
_LOOKED_AT_ONCE: Final = 250
"""What is read of these for the first time takes a second of the database, and a statement ends after thirty: on a
machine that does much else it must still come to an end.
"""
_JUDGING_SECONDS: Final = 0.5
"""Between two polls, for judging in full what the screen passed on: the doors need the interpreter, too."""
_SWEEP_SECONDS: Final = 60.0
_MAX_CAUSES: Final = 200
_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)


class Analyst:
    """Start it, ask it, stop it. Safe to use from any thread; one judgement at a time."""

    def __init__(self, database: Database, settings: Analysis, telemetry: Telemetry, clock: Clock) -> None:
        self._database = database
        self._settings = settings
        self._telemetry = telemetry
        self._clock = clock
        self._judging = Judging(database, settings, telemetry)
        self._watch = Watch(settings, self._judging.judge_settings)
        self._schedule = Schedule(settings)
        self._queue = Queue()
        self._touched: set[int] = set()
        """Workloads whose verdict is to be made anew."""
        self._owners_since = _LONG_AGO
        self._screened_by_clock = self._swept_by_clock = -1e9
        self._ownership = Ownership(database, Job.ANALYSIS)
        self._feed: ChangeFeed | None = None
        self._causes: set[str] = set()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="analysis", daemon=True)
        telemetry.gauge("watched_containers", lambda: float(len(self._watch)))
        telemetry.gauge("past_bytes", lambda: float(self._judging.past_bytes))
        telemetry.gauge("judgement_lag_seconds", lambda: self._queue.lag(self._clock.monotonic()))

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns within a second unless a judgement is being made."""
        self._stopping.set()
        self._thread.join(1.0)

    def judge_now(self, scope: str) -> report.Verdict:
        """Judge with everything that is committed, keep the verdict, return it with its history.

        Raises UnknownScope, NotJudged, StoreError.
        """
        with self._lock:
            judged = self._judging.judge(scope)
            self._refresh([judged.workload_id])
            with self._database.lend() as connection:
                rows = store.history(connection, [judged.scope_id])[judged.scope_id]
        return judged.document.model_copy(update={"history": history_entries(rows)})

    def recording(self, scope: str) -> Recording:
        """Everything that is committed, as the judge sees it. Raises UnknownScope, NotJudged, StoreError."""
        with self._lock:
            return self._judging.load(scope)

    # ── The job ──────────────────────────────────────────────────────────────────────────────────────────
    def _run(self) -> None:
        while not self._stopping.is_set():
            with self._errors("analysis"):
                self.tick()
            self._stopping.wait(_POLL_SECONDS)
        self._ownership.release()

    def tick(self) -> bool:
        """What the thread does each second: everything that is due; False where another collector has the job.

        Raises StoreError; what was not done is done the next time.
        """
        if not self._ownership.holds():
            self._feed = None
            return False
        if self._feed is None:
            self._take_over()
            self._feed = ChangeFeed(self._database)
        self._work(self._feed)
        return True

    def release(self) -> None:
        """Leave the job to another collector; for who calls `tick` in the thread's stead."""
        self._ownership.release()
        self._feed = None

    def _take_over(self) -> None:
        """What is known is what the database says."""
        now = self._clock.monotonic()
        with self._lock, self._database.lend() as connection:
            self._judging.forget()
            for state in self._watch.load(connection, now):
                self._judging.discoveries.note(state.name, Digest.model_validate(state.digest).chance)
                if state.judged_at is not None and state.judged_at >= state.last_seen:
                    self._schedule.up_to_date(state.name)
            self._touched |= set(workloads.unsettled(connection))
        self._owners_since = _LONG_AGO

    def _work(self, feed: ChangeFeed) -> None:
        now = self._clock.monotonic()
        self._take([one for one in feed.poll() if one.kind != KIND_SERVICE], now)
        self._follow_owners()
        if len(self._watch) <= self._settings.screen_above:
            self._judge(self._schedule.due(now))
        else:
            self._screen(now)
            self._judge_chosen()
        self._end_silent(now)
        self._sweep(now)
        self._refresh(())
        self._schedule.forget(now)
        with self._lock:
            self._judging.discoveries.forget_but(self._watch.names())

    def _take(self, changed: Sequence[ChangedScope], now: float) -> None:
        """New data came: who is new is watched from now on, and who had ended and is seen again."""
        new = [one.scope_id for one in changed if one.name not in self._watch]
        for start in range(0, len(new), _AT_ONCE):
            ids = new[start : start + _AT_ONCE]
            with self._database.lend() as connection:
                place(connection, ids)
                states = workloads.read_states(connection, ids)
                # What changed may be older than the end: a process that takes over is told of the last minutes.
                back = [one for one in states if not one.ended or one.last_seen > one.at]
                workloads.mark_ended(connection, [one.scope_id for one in back], ended=False)
            for state in back:
                self._watch.add(state, now)
                self._touched.add(state.workload_id)
        for one in changed:
            if one.name in self._watch:
                self._watch.heard(one, now)
                self._schedule.changed(one.name, one.interval)

    def _follow_owners(self) -> None:
        """The controller has said whose pods these are, or has said something else."""
        with self._database.lend() as connection:
            ids, since = workloads.owners_since(connection, self._owners_since)
            for start in range(0, len(ids), _AT_ONCE):
                moved = place_again(connection, ids[start : start + _AT_ONCE])
                for state in workloads.read_states(connection, list(moved)):
                    self._touched |= set(moved[state.scope_id])
                    watched = self._watch.get(state.name)
                    if watched is not None:
                        watched.workload_id = state.workload_id
        self._owners_since = since

    def _screen(self, now: float) -> None:
        if now - self._screened_by_clock < _SCREEN_SECONDS:
            return
        self._screened_by_clock = now
        due = self._schedule.due(now)
        for start in range(0, len(due), _LOOKED_AT_ONCE):
            with self._database.lend() as connection:
                looked = self._watch.look(connection, due[start : start + _LOOKED_AT_ONCE])
            for one in looked:
                self._schedule.judged(one.watched.name, now)
                self._touched.add(one.watched.workload_id)
                self._queue.want(
                    one.watched.name, wish(one, now, self._settings, self._judging.judge_settings), now
                )
            suspects = sum(one.suspect_seconds is not None for one in looked)
            self._telemetry.count("screened_total", len(looked) - suspects, suspect="no")
            self._telemetry.count("screened_total", suspects, suspect="yes")

    def _judge_chosen(self) -> None:
        """For a part of the time, the most urgent first; the others wait."""
        began = self._clock.monotonic()
        for scope in self._queue.next():
            if self._stopping.is_set() or self._clock.monotonic() - began > _JUDGING_SECONDS:
                return
            self._queue.done(scope)
            if scope in self._watch:
                self._judge([scope])

    def _judge(self, scopes: Sequence[str]) -> None:
        for scope in scopes:
            if self._stopping.is_set():
                return
            now = self._clock.monotonic()
            self._schedule.judged(scope, now)
            with self._errors("judge"), self._lock:
                judged = self._judging.judge(scope)
                self._touched.add(judged.workload_id)
                watched = self._watch.get(scope)
                if watched is not None:
                    watched.kind, watched.judged = judged.verdict.kind, True
                    watched.at = max(watched.at, judged.verdict.at)
                    watched.grows_since, watched.at_risk = judged.verdict.since, judged.verdict.at_risk
                    watched.judged_by_clock = now

    def _end_silent(self, now: float) -> None:
        silent = self._watch.take_silent(now)
        if silent:
            with self._database.lend() as connection:
                workloads.mark_ended(connection, [one.scope_id for one in silent], ended=True)
            self._touched |= {one.workload_id for one in silent}

    def _sweep(self, now: float) -> None:
        """Leaks that have been quiet for long enough."""
        if now - self._swept_by_clock < _SWEEP_SECONDS:
            return
        self._swept_by_clock = now
        with self._database.lend() as connection:
            quiet_before = workloads.now(connection) - timedelta(seconds=self._settings.leak_close_seconds)
            self._touched |= set(leaks.to_close(connection, quiet_before))

    def _refresh(self, more: Sequence[int]) -> None:
        """The verdicts of workloads follow those of their containers."""
        wanted = set(more) or self._touched
        if not wanted:
            return
        with self._database.lend() as connection:
            moment = workloads.now(connection).timestamp()
            refresh(connection, wanted, self._settings, self._judging.judge_settings, moment)
        if not more:
            self._touched = set()

    @contextmanager
    def _errors(self, job: str) -> Iterator[None]:
        """Errors end here: counted always, logged once for each cause."""
        try:
            yield
        except (UnknownScope, NotJudged):
            pass
        except CollectorError as error:
            # The state of the database is logged where it changes.
            self._telemetry.count("errors_total", job=job, cause=type(error).__name__)
            self._once(f"{job}:{type(error).__name__}", f"{job}: {error}", trace=False)
        except Exception as error:
            self._telemetry.count("errors_total", job=job, cause=type(error).__name__)
            self._once(f"{job}:{type(error).__name__}:{error}", f"{job} failed; please report it", trace=True)

    def _once(self, cause: str, text: str, *, trace: bool) -> None:
        if cause in self._causes or len(self._causes) >= _MAX_CAUSES:
            return
        self._causes.add(cause)
        if trace:
            _log.exception("%s", text)
        else:
            _log.debug("%s", text)


def history_entries(rows: list[store.HistoryRow]) -> tuple[report.HistoryEntry, ...]:
    """The history as the interface gives it."""
    return tuple(
        report.HistoryEntry.model_validate({"at": row.at, "verdict": row.kind, "confidence": row.confidence})
        for row in rows
    )
