"""Judging one scope with everything that is committed, and keeping what was said. For one thread at a time.

The moment of a verdict is the time of the scope's last sample, not this machine's: the same data gives the same
verdict, and a clock that jumps changes nothing.
"""

import json
from collections import deque
from dataclasses import dataclass, replace
from typing import Any, Final

from memwarden_api import report
from memwarden_collector.analysis.digest import Digest, digest
from memwarden_collector.analysis.discoveries import Discoveries
from memwarden_collector.analysis.placement import place
from memwarden_collector.errors import CollectorError
from memwarden_collector.otlp.identity import KIND_SERVICE
from memwarden_collector.settings import Analysis
from memwarden_collector.store import leaks
from memwarden_collector.store import verdicts as store
from memwarden_collector.store import workloads as workload_store
from memwarden_collector.store.connection import Connection, Database
from memwarden_collector.store.past import ScopeRow
from memwarden_collector.store.recordings import RecordingLoader, read_scope
from memwarden_collector.telemetry import Telemetry
from memwarden_collector.verdicts import core_verdict, report_verdict
from memwarden_core.judge import judge
from memwarden_core.recording import Recording
from memwarden_core.settings import JudgeSettings
from memwarden_core.verdict import Kind, Verdict

_PREVIOUS: Final = 4  # the judge reads the last one before its moment
_NOTABLE_CONFIDENCE: Final = 0.1


class UnknownScope(CollectorError):
    """There is no such scope."""


class NotJudged(CollectorError):
    """The scope can't be judged; the text says why."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A scope was judged."""

    scope_id: int
    workload_id: int
    verdict: Verdict
    document: report.Verdict


class Judging:
    """Remembers the pasts and the verdicts of the scopes that were judged last."""

    def __init__(self, database: Database, settings: Analysis, telemetry: Telemetry) -> None:
        self._database = database
        self._settings = settings
        self._telemetry = telemetry
        self._loader = RecordingLoader(database, settings)
        self._previous: dict[str, deque[Verdict]] = {}
        self._kept: dict[str, Verdict] = {}
        self.judge_settings = JudgeSettings.of(settings.sensitivity)
        self.discoveries = Discoveries(settings.false_discovery_rate)

    @property
    def past_bytes(self) -> int:
        """Memory for the pasts that are kept, about."""
        return self._loader.size

    def load(self, scope: str) -> Recording:
        """Everything that is committed. Raises UnknownScope, NotJudged, StoreError."""
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

    def judge(self, scope: str) -> Judged:
        """Judge and keep. Raises UnknownScope, NotJudged, StoreError."""
        recording = self.load(scope)
        with self._database.lend() as connection:
            row = read_scope(connection, scope)
            if row is None:
                raise UnknownScope(f"the scope {scope!r} was deleted")
            before = self._before(connection, scope, row)
            workload_id = place(connection, [row.scope_id])[row.scope_id]
            known = leaks.fingerprints_of_scope(connection, row.scope_id)
            recording = self._named(connection, recording, row, workload_id)
        with self._telemetry.span("judge", scope=scope):
            verdict = judge(
                recording,
                now=recording.ended,
                previous=tuple(before),
                settings=self.judge_settings,
                allowed_chance=self.discoveries.allowed(scope),
                known=known,
            )
        self.discoveries.note(scope, verdict.chance)
        document = report_verdict(verdict, recording)
        with_history = self._is_notable(scope, verdict)
        with self._database.lend() as connection, connection.transaction():
            store.save(connection, row.scope_id, verdict, _plain(document), with_history=with_history)
            workload_store.save_judged(
                connection,
                row.scope_id,
                at=verdict.at,
                kind=verdict.kind.value,
                anon_bytes=document.anon_bytes,
                limit_bytes=None if document.limit is None else document.limit.bytes,
                digest=digest(verdict, document, recording).model_dump(mode="json"),
            )
        if not before or before[-1].at < verdict.at:
            before.append(verdict)
        else:
            before[-1] = verdict
        self._remember(scope, before, verdict if with_history else None)
        self._telemetry.count("judgements_total", verdict=verdict.kind.value)
        return Judged(row.scope_id, workload_id, verdict, document)

    def forget(self) -> None:
        """Another process may have judged meanwhile: what is in the database counts."""
        self._previous.clear()
        self._kept.clear()

    def _before(self, connection: Connection, scope: str, row: ScopeRow) -> deque[Verdict]:
        before = self._previous.get(scope)
        if before is None:
            before = deque(_last(connection, scope, row.scope_id), maxlen=_PREVIOUS)
            if before:
                self._kept[scope] = before[-1]
        return before

    def _named(
        self, connection: Connection, recording: Recording, row: ScopeRow, workload_id: int
    ) -> Recording:
        """With its workload's name, which growth that no site explains is known by: all containers of it have one."""
        if row.kind != "container":
            return recording
        workload = workload_store.read_workloads(connection, [workload_id])[0].name
        return replace(recording, labels={**recording.labels, "workload": workload})

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

    def _remember(self, scope: str, verdicts: deque[Verdict], kept: Verdict | None) -> None:
        """Bounded; what is forgotten is read again from the database."""
        self._previous.pop(scope, None)
        self._previous[scope] = verdicts
        if kept is not None:
            self._kept[scope] = kept
        while len(self._previous) > self._settings.max_cached_scopes:
            oldest = next(iter(self._previous))
            del self._previous[oldest]
            self._kept.pop(oldest, None)


def _last(connection: Connection, scope: str, scope_id: int) -> list[Verdict]:
    """The verdict that was kept last, as the judge wants it."""
    kept = store.last(connection, scope)
    if kept is None:
        return []
    verdict = core_verdict(document_of(kept), kept.at.timestamp())
    for state in workload_store.read_states(connection, [scope_id]):
        told = Digest.model_validate(state.digest)
        if state.judged_at is not None and abs(state.judged_at - verdict.at) < 1e-3 and told.observed:
            verdict = replace(verdict, observed=Kind(told.observed), chance=told.chance)
    return [verdict]


def document_of(kept: store.LastVerdict) -> report.Verdict:
    """The public verdict, with an empty history."""
    return report.Verdict.model_validate_json(json.dumps({**kept.document, "history": ()}))


def _plain(document: report.Verdict) -> dict[str, Any]:
    """JSON without the history, which grows and stands in its own table."""
    return document.model_dump(mode="json", exclude={"history"})
