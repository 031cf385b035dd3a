"""A HeapSnapshot's status, step by step. Pure."""

from datetime import datetime, timedelta
from typing import Final

from memwarden_api import names
from memwarden_api.evidence import Evidence, recording_path
from memwarden_api.quantities import duration_seconds
from memwarden_api.v1alpha1.heap_snapshot import LAST_PHASES, HeapSnapshot, HeapSnapshotStatus, Phase
from memwarden_operator.controller.conditions import Said, State, merged
from memwarden_operator.snapshots.target import NoTarget, Target

_READY: Final[dict[str, State]] = {"Done": "True", "Refused": "False", "Failed": "False"}


def chosen(of: HeapSnapshot, target: Target, now: datetime) -> HeapSnapshotStatus:
    """The pod is known; the collector has not been asked yet."""
    text = f"evidence of container {target.container} of pod {target.pod.name} is being taken"
    where = {
        "pod": target.pod.name,
        "pod_uid": target.pod.uid,
        "container": target.container,
        "started_at": now.replace(microsecond=0),
    }
    return said(of, "Capturing", names.CAPTURE_GOES_ON, text, now, **where)


def refused(of: HeapSnapshot, why: NoTarget, now: datetime) -> HeapSnapshotStatus:
    return said(of, "Refused", why.reason, why.message, now)


def told(of: HeapSnapshot, evidence: Evidence, now: datetime) -> HeapSnapshotStatus:
    """As the collector says it."""
    if evidence.state == "Capturing":
        return said(of, "Capturing", names.CAPTURE_GOES_ON, of.status.message, now)
    found: dict[str, object] = {"expires_at": evidence.expires_at.replace(microsecond=0)}
    if evidence.state == "Done":
        path = recording_path(of.metadata.uid)
        found |= {"size": evidence.size, "sha256": evidence.sha256, "path": path}
    return said(of, evidence.state, evidence.reason, evidence.message, now, **found)


def said(
    of: HeapSnapshot, phase: Phase, reason: str, message: str, now: datetime, **more: object
) -> HeapSnapshotStatus:
    """With what was known before."""
    generation = of.metadata.generation
    ready = Said(names.CONDITION_READY, _READY.get(phase, "Unknown"), reason, message)
    if phase in LAST_PHASES:
        ttl = timedelta(seconds=duration_seconds(of.spec.ttl))
        more = {
            "completed_at": now.replace(microsecond=0),
            "expires_at": (now + ttl).replace(microsecond=0),
        } | more
    return of.status.model_copy(
        update={
            "observed_generation": generation,
            "phase": phase,
            "reason": reason,
            "message": message[:1024],
            "conditions": merged(of.status.conditions, (ready,), generation, now),
            **more,
        }
    )
