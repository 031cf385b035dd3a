"""Evidence before an action: what is to be done next, by what the profile asks for and by what has come so far. Pure.

It is a HeapSnapshot whose name follows from the decision, so a controller that is made anew finds it and asks for no
other. `Required`: without it nothing is touched. `BestEffort`: it is waited for, and then done without.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from memwarden_api.v1alpha1.heap_snapshot import Phase
from memwarden_api.v1alpha1.remediation import CaptureEvidence, Pending
from memwarden_operator.controller.owners import Workload
from memwarden_operator.snapshots.known import KnownSnapshot

PATIENCE: Final = timedelta(seconds=80)
"""From the decision on; the collector lets a sidecar take a minute."""
_NAME_LENGTH: Final = 200


@dataclass(frozen=True, slots=True)
class Taken:
    """A HeapSnapshot that was asked for."""

    snapshot: str
    phase: Phase
    path: str = ""
    why: str = ""
    """Of one that is Refused or Failed."""


@dataclass(frozen=True, slots=True)
class Next:
    """Take: have it made; Wait; Go: act, with what there is; Stop: don't. `why` there is none, where that is so."""

    step: Literal["Take", "Wait", "Go", "Stop"]
    why: str = ""


def following(wanted: CaptureEvidence, taken: Taken | None, pending: Pending, now: datetime) -> Next:
    """Before the action that is pending."""
    if wanted == "Off" or (taken is not None and taken.phase == "Done"):
        return Next("Go")
    is_late = now - pending.since > PATIENCE
    if taken is not None and taken.phase in ("Refused", "Failed"):
        return without(wanted, f"{taken.snapshot}: {taken.why}")
    if is_late:
        text = "could not be asked for" if taken is None else f"{taken.snapshot} is still {taken.phase}"
        return without(wanted, f"after {PATIENCE.seconds} s {text}")
    return Next("Take") if taken is None else Next("Wait")


def without(wanted: CaptureEvidence, why: str) -> Next:
    """There is none."""
    return Next("Stop" if wanted == "Required" else "Go", why)


def name_of(profile: str, pending: Pending) -> str:
    """Of its HeapSnapshot."""
    return f"{profile[:_NAME_LENGTH].rstrip('-.')}-{pending.id}"


def taken(known: KnownSnapshot | None) -> Taken | None:
    if known is None:
        return None
    status = known.snapshot.status
    return Taken(known.key[1], status.phase, status.path, f"{status.reason}: {status.message}")


def wanted_of(workload: Workload) -> dict[str, Any]:
    """The spec of its HeapSnapshot."""
    return {"workload": {"kind": workload.kind, "name": workload.name}, "kinds": ["Profile", "Histogram"]}


Evidence = Mapping[str, Taken]
"""By the id of what is pending."""
