"""The analysis as a job: one thread that judges scopes with new data, and a door to judge one now.

The moment of a verdict is the time of the scope's last sample, not this machine's: the same data gives the
same verdict, and a clock that jumps changes nothing. Several collectors on one database: the one that holds
the advisory lock runs the job, any of them may judge when asked. An error is logged once for each cause,
counted, and never ends the job.
"""

import json
import logging
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from memwarden_api import report
from memwarden_collector.analysis.discoveries import Discoveries
from memwarden_collector.analysis.schedule import Schedule
from memwarden_collector.clock import Clock
from memwarden_collector.errors import CollectorError
from memwarden_collector.otlp.identity import KIND_SERVICE
from memwarden_collector.settings import Analysis
from memwarden_collector.store import verdicts as store
from memwarden_collector.store.changes import ChangeFeed
from memwarden_collector.store.connection import Connection, Database
from memwarden_collector.store.ownership import Job, Ownership
from memwarden_collector.store.recordings import RecordingLoader, read_scope
from memwarden_collector.telemetry import Telemetry
from memwarden_collector.verdicts import core_verdict, report_verdict
from memwarden_core.judge import judge
from memwarden_core.recording import Recording
from memwarden_core.settings import JudgeSettings
from memwarden_core.verdict import Verdict

_log = logging.getLogger(__name__)
_POLL_SECONDS: Final = 1.0
_PREVIOUS: Final = 4  # the judge reads the last one before its moment
_NOTABLE_CONFIDENCE: Final = 0.1
_MAX_CAUSES: Final = 200


class UnknownScope(CollectorError):
    """There is no such scope."""


class NotJudged(CollectorError):
    """The scope can't be judged; the text says why."""


class Analyst:
    """Start it, ask it, stop it. Safe to use from any thread; one judgement at a time."""

    def __init__(self, database: Database, settings: Analysis, telemetry: Telemetry, clock: Clock) -> None:
        self._database = database
        self._settings = settings
        self._telemetry = telemetry
        self._clock = clock
        self._loader = RecordingLoader(database, settings)
        self._schedule = Schedule(settings)
        self._judge_settings = JudgeSettings.of(settings.sensitivity)
        self._discoveries = Discoveries(settings.false_discovery_rate)
        self._previous: dict[str, deque[Verdict]] = {}
        self._kept: dict[str, Verdict] = {}
        self._causes: set[str] = set()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="analysis", daemon=True)

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
            recording = self._load(scope)
            document, scope_id = self._judge(recording)
            with self._database.lend() as connection:
                rows = store.history(connection, [scope_id])[scope_id]
        return document.model_copy(update={"history": history_entries(rows)})

    def recording(self, scope: str) -> Recording:
        """Everything that is committed, as the judge sees it. Raises UnknownScope, NotJudged, StoreError."""
        with self._lock:
            return self._load(scope)

    def _load(self, scope: str) -> Recording:
        with self._database.lend() as connection:
            row = read_scope(connection, scope)
        recording = None if row is None or row.kind == KIND_SERVICE else self._loader.load(scope)
        if row is None or (row.kind != KIND_SERVICE and recording is None):
            raise UnknownScope(f"there is no scope {scope!r}; GET /api/v1/scopes lists them")
        if recording is None:
            raise NotJudged(
                f"{scope!r} is not watched by a sidecar of Memwarden: its metrics are kept, not judged"
            )
        if not recording.series and not recording.profiles:
            raise NotJudged(f"{scope!r} has no samples yet")
        return recording

    def _judge(self, recording: Recording) -> tuple[report.Verdict, int]:
        """Judge and keep."""
        scope = recording.scope
        with self._database.lend() as connection:
            row = read_scope(connection, scope)
            if row is None:
                raise UnknownScope(f"the scope {scope!r} was deleted")
            before = self._previous.get(scope)
            if before is None:
                before = deque(_last(connection, scope), maxlen=_PREVIOUS)
                if before:
                    self._kept[scope] = before[-1]
        verdict = judge(
            recording,
            now=recording.ended,
            previous=tuple(before),
            settings=self._judge_settings,
            allowed_chance=self._discoveries.allowed(scope),
        )
        self._discoveries.note(scope, verdict.chance)
        document = report_verdict(verdict, recording)
        with_history = self._is_notable(scope, verdict)
        with self._database.lend() as connection:
            store.save(connection, row.scope_id, verdict, _plain(document), with_history=with_history)
        if not before or before[-1].at < verdict.at:
            before.append(verdict)
        else:
            before[-1] = verdict
        self._previous[scope] = before
        if with_history:
            self._kept[scope] = verdict
        self._forget_some()
        self._telemetry.count("judgements_total", verdict=verdict.kind.value)
        return document, row.scope_id

    def _is_notable(self, scope: str, verdict: Verdict) -> bool:
        """Whether it belongs into the history: something changed, or time passed."""
        last = self._kept.get(scope)
        return (
            last is None
            or last.kind != verdict.kind
            or last.at_risk != verdict.at_risk
            or abs(last.confidence - verdict.confidence) >= _NOTABLE_CONFIDENCE
            or verdict.at - last.at >= self._settings.history_seconds
        )

    def _forget_some(self) -> None:
        """Scopes whose verdicts are remembered are bounded; what is forgotten is read again from the
        database.
        """
        while len(self._previous) > self._settings.max_cached_scopes:
            oldest = next(iter(self._previous))
            del self._previous[oldest]
            self._kept.pop(oldest, None)

    def _run(self) -> None:
        ownership = Ownership(self._database, Job.ANALYSIS)
        feed = ChangeFeed(self._database)
        while not self._stopping.is_set():
            with self._errors("analysis"):
                if ownership.holds():
                    self._tick(feed)
            self._stopping.wait(_POLL_SECONDS)
        ownership.release()

    def _tick(self, feed: ChangeFeed) -> None:
        for changed in feed.poll():
            if changed.kind != KIND_SERVICE:
                self._schedule.changed(changed.name, changed.interval)
        now = self._clock.monotonic()
        for scope in self._schedule.due(now):
            if self._stopping.is_set():
                return
            self._schedule.judged(scope, now)
            with self._errors("judge"), self._lock:
                self._judge(self._load(scope))
        self._schedule.forget(now)
        self._discoveries.forget_but(self._schedule.remembered())

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


def _last(connection: Connection, scope: str) -> list[Verdict]:
    """The verdict that was kept last, as the judge wants it."""
    kept = store.last(connection, scope)
    return [] if kept is None else [core_verdict(document_of(kept), kept.at.timestamp())]


def document_of(kept: store.LastVerdict) -> report.Verdict:
    """The public verdict, with an empty history."""
    return report.Verdict.model_validate_json(json.dumps({**kept.document, "history": ()}))


def _plain(document: report.Verdict) -> dict[str, Any]:
    """JSON without the history, which grows and stands in its own table."""
    return document.model_dump(mode="json", exclude={"history"})
