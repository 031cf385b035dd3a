"""HeapSnapshot: evidence of one pod's memory, taken once, kept for a while."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from memwarden_api.evidence import EvidenceKind
from memwarden_api.v1alpha1.conditions import Condition
from memwarden_api.v1alpha1.fields import (
    ContainerName,
    Duration,
    Message,
    Name,
    Object,
    Rule,
    durations,
    exactly_one,
    keyed,
)
from memwarden_api.v1alpha1.profile import Metadata

Phase = Literal["Pending", "Capturing", "Done", "Refused", "Failed"]
LAST_PHASES = frozenset(("Done", "Refused", "Failed"))


class SnapshotWorkload(Object):
    """A workload of the namespace."""

    kind: Annotated[str, Field(pattern=r"^[A-Z][A-Za-z]*$", min_length=1, max_length=63)] = Field(
        description="Of the top owner: Deployment, StatefulSet, DaemonSet, CronJob, Job, …"
    )
    name: Name = Field(description="Its name")


class HeapSnapshotSpec(Object):
    """Of what it is taken. It can't be changed: another one is made instead."""

    pod: Name | None = Field(default=None, description="A pod of the namespace")
    workload: SnapshotWorkload | None = Field(
        default=None,
        description="Of its pods the youngest that shows the growth; while none does, the youngest that runs",
    )
    container: ContainerName | None = Field(
        default=None, description="Empty: the one that grows, else the only one of the pod"
    )
    process: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = Field(
        default=None, description="Process id, as the sidecar reports it. Empty: all of the container"
    )
    kinds: tuple[EvidenceKind, ...] = Field(
        default=("Profile", "Histogram"),
        min_length=1,
        max_length=2,
        description="Profile: what each line holds, now; Histogram: how many objects of each type there are",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    ttl: Annotated[Duration, durations("10m", "2160h")] = Field(
        default="336h", description="So long after it is over it is kept: then object and data are deleted"
    )

    rules: ClassVar = (
        exactly_one("pod", "workload"),
        Rule("self == oldSelf", "a HeapSnapshot can't be changed: make another one", lambda _: True),
    )


class HeapSnapshotStatus(Object):
    """How far it is, and where to get it."""

    observed_generation: int = Field(
        default=0, ge=0, description="The generation of the spec that this is said of"
    )
    phase: Phase = Field(
        default="Pending",
        description="Pending: it waits; Capturing: the sidecar is at it; Done; Refused: it was not begun; Failed: it "
        "did not come",
    )
    reason: Annotated[str, Field(max_length=128)] = Field(
        default="", description="Why, in one word for programs"
    )
    message: Message = Field(default="", description="Why, and what to do, for people")
    pod: Annotated[str, Field(max_length=253)] = Field(default="", description="The pod that it is of")
    pod_uid: Annotated[str, Field(max_length=63)] = Field(default="", description="That very pod's")
    container: Annotated[str, Field(max_length=63)] = Field(
        default="", description="The container that it is of"
    )
    size: int = Field(default=0, ge=0, description="Bytes of the recording")
    sha256: Annotated[str, Field(max_length=64)] = Field(
        default="", description="Of the recording, in hexadecimal"
    )
    path: Annotated[str, Field(max_length=512)] = Field(
        default="", description="Below the collector's address: the recording, which `memwarden report` reads"
    )
    started_at: datetime | None = Field(default=None, description="When the pod was chosen")
    completed_at: datetime | None = Field(default=None, description="When it was over")
    expires_at: datetime | None = Field(default=None, description="When object and data are deleted")
    conditions: tuple[Condition, ...] = Field(
        default=(), max_length=16, description="Ready", json_schema_extra=keyed("type")
    )


class HeapSnapshot(Object):
    """Evidence of one pod's memory."""

    api_version: Literal["memwarden.dev/v1alpha1"] = "memwarden.dev/v1alpha1"
    kind: Literal["HeapSnapshot"] = "HeapSnapshot"
    metadata: Metadata
    spec: HeapSnapshotSpec
    status: HeapSnapshotStatus = Field(default=HeapSnapshotStatus())
