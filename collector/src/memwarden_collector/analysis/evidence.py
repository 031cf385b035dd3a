"""Evidence of one pod, taken step by step: each step finds in the database how far it is, and goes on.

1. Begun: is anything heard of the container, has it room, is the budget not spent? Then its sidecar gets a command for
   each kind, and it is noted how new the newest data of that kind were before.
2. Gone on with: the commands are done and newer data have come. Then the recording is kept as it is at that moment.

Whoever asks does the step; two at once do it once.
"""

import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from memwarden_api import names
from memwarden_api.evidence import EvidenceRequest
from memwarden_api.scopes import container_scope
from memwarden_collector.analysis.judging import NotJudged, UnknownScope
from memwarden_collector.settings import Limits
from memwarden_collector.store import commands, evidence
from memwarden_collector.store.connection import Connection, Database
from memwarden_collector.store.evidence import EvidenceRow
from memwarden_core.recording import Recording, SeriesKey
from memwarden_core.recording_file import write_recording

COMMAND: Final = {"Profile": "Profile", "Histogram": "Census"}
"""What the sidecar is told for each kind."""
ESTIMATE: Final = {"Profile": 0, "Histogram": 8 << 20}
"""Bytes that a process takes for it, from above: a profile is read from what lies in shared memory, a census keeps
tables of types and containers for as long as it counts."""
_UNDONE: Final = {
    "Pending": "its sidecar did not fetch the command",
    "Delivered": "its sidecar did not answer",
}


@dataclass(frozen=True, slots=True)
class No:
    """Why it is not taken."""

    reason: str
    message: str


class Capturing:
    """`load` gives a scope's recording. Raises StoreError."""

    def __init__(
        self, database: Database, load: Callable[[str], Recording], limits: Limits, poke: Callable[[], None]
    ) -> None:
        self._database = database
        self._load = load
        self._limits = limits
        self._poke = poke

    def go_on(self, evidence_id: UUID, wanted: EvidenceRequest, cluster: str = "") -> EvidenceRow | None:
        """Begin it, or take the next step of what was begun; None where it was deleted meanwhile."""
        with self._database.lend() as connection:
            row = evidence.find(connection, evidence_id)
        if row is None:
            self._begin(evidence_id, wanted, cluster)
        elif row.state == evidence.CAPTURING:
            self._step(row)
        else:
            return row
        with self._database.lend() as connection:
            return evidence.find(connection, evidence_id)

    # ── The first step ─────────────────────────────────────────────────────────────────────────────────
    def _begin(self, evidence_id: UUID, wanted: EvidenceRequest, cluster: str) -> None:
        prefix = container_scope(wanted.namespace, wanted.pod, wanted.pod_uid, wanted.container, "")
        with self._database.lend() as connection:
            scope = evidence.scope_of(connection, prefix)
            taken, kept = evidence.spent(connection, wanted.pod_uid)
        recording = None if scope is None else self._recording(scope)
        no = self._forbids(wanted, recording, taken, kept)
        with self._database.lend() as connection, connection.transaction():
            if no is not None or scope is None or recording is None:
                why = no or No(names.CAPTURE_SILENT, "nothing is known of the container")
                evidence.begin(
                    connection, evidence_id, wanted, cluster=cluster, scope=scope or "", state=evidence.REFUSED,
                    reason=why.reason, message=why.message,
                )  # fmt: skip
                return
            waits: dict[str, dict[str, Any]] = {
                kind: {"before": newest(recording, kind)} for kind in wanted.kinds
            }
            if not evidence.begin(connection, evidence_id, wanted, cluster=cluster, scope=scope, waits=waits):
                return
            for kind in wanted.kinds:
                waits[kind]["command"] = str(_order(connection, wanted, COMMAND[kind]))
            evidence.await_(connection, evidence_id, waits)
        self._poke()

    def _recording(self, scope: str) -> Recording | None:
        try:
            return self._load(scope)
        except (UnknownScope, NotJudged):
            return None

    def _forbids(
        self, wanted: EvidenceRequest, recording: Recording | None, taken: int, kept: int
    ) -> No | None:
        limits, what = self._limits, f"container {wanted.container} of pod {wanted.pod}"
        if recording is None:
            return No(
                names.CAPTURE_SILENT,
                f"nothing was heard of {what}: see the condition Collecting of its profile",
            )
        needed = limits.min_evidence_headroom_ratio * sum(ESTIMATE[kind] for kind in wanted.kinds)
        free = headroom(recording)
        if free is not None and free < needed:
            return No(
                names.CAPTURE_NO_HEADROOM,
                f"{what} has {max(free, 0) / 2**20:.0f} MiB left below its memory limit and must have "
                f"{needed / 2**20:.0f} MiB; a Profile alone takes none of it",
            )
        if taken >= limits.max_pod_evidence:
            return No(
                names.CAPTURE_BUDGET,
                f"of pod {wanted.pod} evidence was taken {taken} times in the last hour: over"
                f" max_pod_evidence={limits.max_pod_evidence}",
            )
        if kept + limits.max_evidence_bytes > limits.max_all_evidence_bytes:
            return No(
                names.CAPTURE_NO_SPACE,
                f"{kept} bytes of evidence are kept: with another one it may be over"
                f" max_all_evidence_bytes={limits.max_all_evidence_bytes}; delete HeapSnapshots",
            )
        return None

    # ── The next ones ──────────────────────────────────────────────────────────────────────────────────
    def _step(self, row: EvidenceRow) -> None:
        with self._database.lend() as connection:
            state, text = _commands(connection, row.waits)
        if state == "Failed":
            self._fail(row, No(names.CAPTURE_NOT_DONE, text))
            return
        recording = self._recording(row.scope)
        if state == "Done" and recording is not None and _has_come(recording, row.waits):
            self._keep(row, recording)
        elif row.is_late:
            lacks = text if state != "Done" else "what its sidecar sent has not come"
            self._fail(row, No(names.CAPTURE_LATE, f"it took too long: {lacks}"))

    def _keep(self, row: EvidenceRow, recording: Recording) -> None:
        file = io.BytesIO()
        write_recording(recording, file)
        content, most = file.getvalue(), self._limits.max_evidence_bytes
        if len(content) > most:
            text = f"the recording has {len(content)} bytes: over max_evidence_bytes={most}"
            self._fail(row, No(names.CAPTURE_TOO_LARGE, text))
            return
        digest = hashlib.sha256(content).digest()
        text = f"{' and '.join(row.kinds)} of container {row.container} of pod {row.pod}"
        with self._database.lend() as connection:
            evidence.finish(connection, row.evidence_id, content, digest, names.CAPTURED, text)

    def _fail(self, row: EvidenceRow, why: No) -> None:
        with self._database.lend() as connection:
            evidence.fail(connection, row.evidence_id, why.reason, why.message)


def newest(recording: Recording, kind: str) -> float:
    """Unix seconds of the newest data of that kind; 0 where there are none."""
    if kind == "Profile":
        return max((one.time for one in recording.profiles), default=0.0)
    counts = [series for key, series in recording.series.items() if key.metric == names.OBJECTS_COUNT]
    return max((float(series.time[-1]) for series in counts if len(series.time)), default=0.0)


def headroom(recording: Recording) -> float | None:
    """Bytes between what the container used last and its limit; None where one of them is not known."""
    used = recording.series.get(SeriesKey(names.MEMORY_ANON))
    if recording.limit is None or used is None or not len(used.value):
        return None
    return recording.limit.bytes - float(used.value[-1])


def _has_come(recording: Recording, waits: Mapping[str, Mapping[str, Any]]) -> bool:
    return all(newest(recording, kind) > wait["before"] for kind, wait in waits.items())


def _order(connection: Connection, wanted: EvidenceRequest, kind: str) -> UUID:
    made = commands.make(
        connection,
        {
            "pod_uid": wanted.pod_uid,
            "container": wanted.container,
            "pid": wanted.pid,
            "kind": kind,
            "expires_in_seconds": wanted.wait_seconds,
        },
    )
    return made.command_id


def _commands(connection: Connection, waits: Mapping[str, Mapping[str, Any]]) -> tuple[str, str]:
    """Done, Failed or Open, all in all, and why."""
    found = [commands.find(connection, UUID(wait["command"])) for wait in waits.values()]
    for one in found:
        if one is not None and one.state == "Failed":
            return "Failed", f"its sidecar could not do {one.kind}: {one.message}"
    for one in found:
        if one is None or one.state == "Expired":
            return "Open", "its sidecar did not answer before the command expired"
        if one.state != "Done":
            return "Open", _UNDONE[one.state]
    return "Done", ""
