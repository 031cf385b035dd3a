"""What the collector says of workloads: `/api/v1/workloads`, their changes, and leaks.

A workload is namespace + top owner + container, whatever its pods are called and however often they are made anew. A
run on a laptop, and a container whose owner is not known, is a workload of its own.
"""

from datetime import datetime
from typing import Literal

from pydantic import Field

from memwarden_api.report import Forecast, Frame, Model, VerdictName

LeakState = Literal["open", "growing", "quiet", "closed"]


class WorkloadScope(Model):
    """One container of the workload, in one of its lives."""

    scope: str
    pod: str = Field(description='"" where it is no pod')
    pod_uid: str
    version: str = Field(description='Of the workload: its pod template\'s hash, or "" where it is not known')
    verdict: VerdictName
    confidence: float = Field(ge=0, le=1)
    growth_bytes_per_second: float | None
    usage_ratio: float | None = Field(description="Anonymous memory over the limit; null: no limit is known")
    oom_forecast_seconds: Forecast | None
    first_seen: datetime
    last_sample_at: datetime


class Workload(Model):
    """What is known of a workload, over all its containers that live."""

    workload: str = Field(
        description="Its id: NAMESPACE/KIND/NAME/CONTAINER, or the scope of a run", max_length=512
    )
    namespace: str
    kind: str = Field(
        description='"Deployment", "StatefulSet", …, "Pod" where it has no owner, "Run" on a laptop'
    )
    name: str
    container: str
    runtime: str = Field(description='"cpython 3.11.7", or "" where it is not known')
    verdict: VerdictName
    reason: str
    headline: str = Field(description="The verdict in one sentence")
    at_risk: bool
    confidence: float = Field(ge=0, le=1)
    since: datetime | None = Field(description="Since when memory grows; null where it does not")
    growth_bytes_per_second: float | None = Field(description="Of the container that grows fastest")
    usage_ratio: float | None = Field(description="The highest of its containers")
    oom_forecast_seconds: Forecast | None = Field(description="Of the container whose limit is met first")
    leak: str | None = Field(description="Id of the leak that is open; null: none")
    site: Frame | None = Field(description="The line that is likeliest to leak")
    cause: str
    judged_at: datetime = Field(description="Time of the newest sample that the verdict rests on")
    version: str = Field(description='The newest version that was seen, or ""')
    scopes: tuple[WorkloadScope, ...] = Field(description="The worst first; at most 100 of them")
    scope_count: int


class WorkloadPage(Model):
    items: tuple[Workload, ...]
    next_cursor: str | None = None


class WorkloadChanges(Model):
    """What changed since a cursor, the oldest change first; a workload stands in it once, as it is now.

    `GET /api/v1/workloads/changes?after=CURSOR&wait=SECONDS`: without `after`, everything; with `wait`, the answer
    comes as soon as something changes, or empty when the time is up. Going on with `cursor` misses nothing.
    """

    items: tuple[Workload, ...]
    cursor: str
    more: bool = Field(description="There is more already: ask again at once")


class LeakStateChange(Model):
    at: datetime
    state: LeakState
    version: str
    reason: str


class Leak(Model):
    """One incident of a workload: its fingerprint survives restarts and deploys, from first seen to closed."""

    leak: str = Field(description="Its id")
    workload: str
    fingerprint: str
    state: LeakState = Field(
        description="open: called, growth not seen at the moment; growing; quiet: no growth for a while, or no data; "
        "closed: the line no longer grows, or nothing was heard of it for long"
    )
    returns: int = Field(description="How often it came back after it had been quiet or closed")
    first_seen: datetime
    last_seen: datetime
    closed_at: datetime | None
    first_version: str
    last_version: str
    site: Frame | None
    growth_bytes_per_second: float | None
    headline: str
    history: tuple[LeakStateChange, ...]


class LeakPage(Model):
    items: tuple[Leak, ...]
    next_cursor: str | None = None
