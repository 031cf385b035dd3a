"""Evidence of one pod's memory: `/api/v1/evidence`. The controller asks, the collector has it taken and keeps it.

`PUT /api/v1/evidence/{id}` begins it, or goes on with what was begun by that id: whoever asks again until it is no
longer `Capturing` gets it, whatever dies in between. The kept file is what `memwarden report` reads.
"""

from datetime import datetime
from typing import Literal

from pydantic import Field

from memwarden_api.cluster import Name
from memwarden_api.report import Model

EvidenceKind = Literal["Profile", "Histogram"]
EvidenceState = Literal["Capturing", "Done", "Refused", "Failed"]


def recording_path(evidence: str) -> str:
    """Where its recording is, below the collector's address."""
    return f"/api/v1/evidence/{evidence}/recording"


class EvidenceRequest(Model):
    """Of which container, and what. Asked again with the same id, what was asked first counts."""

    namespace: Name
    pod: Name
    pod_uid: Name
    container: Name
    pid: int | None = Field(
        None,
        ge=1,
        le=2**31 - 1,
        description="As the sidecar reports it; null: all processes of the container",
    )
    kinds: tuple[EvidenceKind, ...] = Field(
        ("Profile", "Histogram"),
        min_length=1,
        max_length=2,
        description="Profile: what each line holds, now; Histogram: how many objects of each type",
    )
    keep_seconds: float = Field(ge=60, le=90 * 86_400, description="From when it is done")
    wait_seconds: float = Field(60.0, ge=5, le=600, description="So long it may take")


class Evidence(Model):
    """How far it is."""

    id: str
    cluster: str = Field(
        "",
        description="Of which cluster's HeapSnapshot it is, by its namespace kube-system's uid; \"\": not known",
    )
    namespace: str
    pod: str
    pod_uid: str
    container: str
    scope: str = Field(description='Of the container; "" where nothing was heard of it')
    kinds: tuple[EvidenceKind, ...]
    state: EvidenceState = Field(
        description="Capturing: ask again; Refused: it was not begun; Failed: it did not come"
    )
    reason: str
    message: str
    size: int = Field(description="Bytes of the kept file")
    sha256: str = Field(description="Of the kept file, in hexadecimal")
    made_at: datetime
    done_at: datetime | None
    expires_at: datetime = Field(description="When it is deleted")


class EvidencePage(Model):
    items: tuple[Evidence, ...]
    next_cursor: str | None = None
