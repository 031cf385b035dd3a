"""What came of a MemoryProfile: written by the controller, at most every 30 s and only when it differs."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import Field

from memwarden_api.report import VerdictName
from memwarden_api.v1alpha1.conditions import Condition
from memwarden_api.v1alpha1.fields import Message, Name, Object, keyed
from memwarden_api.v1alpha1.remediation import RemediationStatus, WorkloadName

MAX_SKIPPED: Final = 20
MAX_WORKLOADS: Final = 100
MAX_STOPPED: Final = 100


class Skipped(Object):
    """A pod that is selected and not watched."""

    pod: Name = Field(description="Its name")
    reason: Annotated[str, Field(max_length=128)] = Field(description="Why, in one word for programs")
    message: Message = Field(default="", description="Why, and what to do, for people")


class Coverage(Object):
    """Pods that the profile means, and what became of them."""

    matched: int = Field(default=0, ge=0, description="Pods that are selected and live")
    injected: int = Field(default=0, ge=0, description="… of which so many were changed")
    reporting: int = Field(default=0, ge=0, description="… of which so many send data")
    skipped: tuple[Skipped, ...] = Field(
        default=(),
        max_length=MAX_SKIPPED,
        description="Pods that are not watched and why, the first of them; the collector has all",
        json_schema_extra=keyed("pod"),
    )


class OutOfMemoryForecast(Object):
    """Seconds until the limit is met: in one case of ten earlier than p10, in one of two than p50."""

    p10: int | None = Field(default=None, ge=0, description="In one case of ten it is earlier")
    p50: int | None = Field(default=None, ge=0, description="In one case of two it is earlier")
    p90: int | None = Field(default=None, ge=0, description="In nine cases of ten it is earlier")


class WorkloadStatus(Object):
    """What is known of one container of one workload."""

    kind: Name = Field(description="Deployment, StatefulSet, …; Pod where nobody owns it")
    name: Name = Field(description="Of the workload")
    container: Name = Field(description="Name of the container")
    runtime: Annotated[str, Field(max_length=64)] = Field(default="", description="cpython 3.13.1")
    verdict: VerdictName = Field(description="The judgement")
    confidence: float = Field(default=0.0, ge=0, le=1, description="From 0 to 1")
    since: datetime | None = Field(default=None, description="Since when memory grows")
    growth_bytes_per_second: int | None = Field(default=None, description="How fast")
    oom_forecast_seconds: OutOfMemoryForecast | None = Field(
        default=None, description="Seconds until the limit is met, where it will be"
    )
    leak: Annotated[str, Field(max_length=128)] = Field(default="", description="Id of the open leak")
    site: Annotated[str, Field(max_length=512)] = Field(
        default="", description="The line that likely leaks: /app/shop/cart.py:31"
    )
    message: Message = Field(default="", description="The verdict in one sentence")


class StoppedInjection(Object):
    """A workload whose pods are not changed any more, since they did not start or live with it."""

    workload: WorkloadName = Field(description="KIND/NAME")
    reason: Annotated[str, Field(max_length=128)] = Field(description="Why, in one word for programs")
    message: Message = Field(default="", description="Why, and what to do, for people")
    since: datetime = Field(description="When it was stopped")


class MemoryProfileStatus(RemediationStatus):
    """What came of the profile."""

    observed_generation: int = Field(
        default=0, ge=0, description="The generation of the spec that this is said of"
    )
    conditions: tuple[Condition, ...] = Field(
        default=(),
        max_length=16,
        description="Ready, Reconciling, Stalled, Injected, Collecting, LeakFree",
        json_schema_extra=keyed("type"),
    )
    coverage: Coverage = Field(default=Coverage(), description="Pods that are meant, and their state")
    leaks: int = Field(default=0, ge=0, description="Workloads that leak")
    next_out_of_memory: datetime | None = Field(
        default=None, description="When the first container will meet its limit, as likely before as after"
    )
    workloads: tuple[WorkloadStatus, ...] = Field(
        default=(),
        max_length=MAX_WORKLOADS,
        description="What is known of each workload, the worst first",
        json_schema_extra=keyed("kind", "name", "container"),
    )
    injection_stopped: tuple[StoppedInjection, ...] = Field(
        default=(),
        max_length=MAX_STOPPED,
        description="Workloads whose pods are not changed any more. Remove an entry to try again",
        json_schema_extra=keyed("workload"),
    )
