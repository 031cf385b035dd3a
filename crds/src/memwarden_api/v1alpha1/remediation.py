"""What may be done to pods that leak: `spec.remediation` of a MemoryProfile, and what its status says of it."""

from datetime import datetime
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from memwarden_api.v1alpha1.fields import Duration, Message, Object, Rule, durations, keyed

MAX_DECISIONS: Final = 10
MAX_WORKLOADS: Final = 100
MAX_ACTIONS: Final = 20

Mode = Literal["Off", "Recommend", "DryRun", "Act"]
Action = Literal["Evict", "RolloutRestart"]
Deed = Literal["Evict", "RolloutRestart", "RolloutToInject"]
CaptureEvidence = Literal["Required", "BestEffort", "Off"]
Result = Literal["Done", "WouldDo", "Refused", "Blocked", "Failed"]
Day = Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", max_length=5)]
WorkloadName = Annotated[str, Field(min_length=1, max_length=317)]


class When(Object):
    """What must be so of a pod before anything is done. All that is given must hold."""

    verdict: tuple[Literal["Leaking", "Growing", "Fragmented", "CacheFilling"], ...] = Field(
        default=("Leaking",),
        min_length=1,
        max_length=4,
        description="The pod's verdict is one of these",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    oom_within: Annotated[Duration, durations("1m", "168h")] | None = Field(
        default=None, description="Its limit is met within this time, in one case of two"
    )
    # No fraction as a bound: the API server cuts it off where a whole number is given, and would take 0 for 0.01.
    usage_above_ratio: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="It uses more than this share of its limit"
    )


class Breaker(Object):
    """When it is given up, since the leak comes back."""

    returns: int = Field(
        default=3, ge=1, le=10, description="So often pods that came instead may need it too"
    )
    within: Annotated[Duration, durations("10s", "168h")] = Field(
        default="24h", description="Returns that are longer ago don't count"
    )


class Window(Object):
    """Hours in which something may be done, UTC."""

    days: tuple[Day, ...] = Field(
        default=(),
        max_length=7,
        description="Days on which it begins. Empty: every day",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    start: Clock = Field(description="HH:MM, UTC")
    end: Clock = Field(description="HH:MM, UTC; before the start: of the next day")

    rules: ClassVar = (
        Rule(
            "self.start != self.end",
            "start and end must differ; leave windows out for all day",
            lambda self: self.start != self.end,
        ),
    )


class RemediationLimits(Object):
    """How much may be done."""

    minimum_ready_replicas: int = Field(
        default=2,
        ge=1,
        le=10_000,
        description="So many pods of the workload must be ready, or nothing is done",
    )
    max_per_hour: int = Field(default=3, ge=1, le=MAX_ACTIONS, description="To one workload")
    cooldown: Annotated[Duration, durations("10s", "168h")] = Field(
        default="30m", description="Between two actions on one workload"
    )
    breaker: Breaker = Field(default=Breaker(), description="When it is given up")
    windows: tuple[Window, ...] = Field(
        default=(),
        max_length=14,
        description="Hours in which something may be done. Empty: at any time",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )


class Remediation(Object):
    """What is done about pods that leak."""

    mode: Mode = Field(
        default="Recommend",
        description="Off: nothing. Recommend: the status says what would help. DryRun: the status says what would be "
        "done and what forbids it, nothing is touched. Act: it is done",
    )
    action: Action = Field(
        default="Evict",
        description="Evict: one pod goes by the eviction API, which honours disruption budgets. RolloutRestart: the "
        "workload makes all of its pods anew, by its own strategy",
    )
    when: When = Field(default=When(), description="What must be so of a pod. All that is given must hold")
    limits: RemediationLimits = Field(default=RemediationLimits(), description="How much may be done")
    capture_evidence: CaptureEvidence = Field(
        default="Required",
        description="In Act, before anything is done: a HeapSnapshot of the youngest pod that shows the growth. "
        "Required: nothing is done without it. BestEffort: it is waited for, and done without. Off: none is taken",
    )


# ── Status ───────────────────────────────────────────────────────────────────────────────────────────────


class Recommendation(Object):
    """What would help a workload."""

    workload: WorkloadName = Field(description="KIND/NAME")
    kind: Literal["Restart", "RollBack"] = Field(
        description="Restart: pods that leak give back what they hold. RollBack: restarts did not help for long"
    )
    message: Message = Field(description="What to do, with the command")
    bytes_at_stake: int = Field(ge=0, description="Memory that would come back, about")
    since: datetime = Field(description="Since when it is recommended")


class DecisionEvidence(Object):
    """What was taken before."""

    snapshot: Annotated[str, Field(max_length=253)] = Field(description="Name of the HeapSnapshot")
    path: Annotated[str, Field(max_length=512)] = Field(
        default="", description="Below the collector's address: the recording, which `memwarden report` reads"
    )


class Decision(Object):
    """What was decided about a workload: done, or refused and why."""

    time: datetime = Field(description="When")
    workload: WorkloadName = Field(description="KIND/NAME")
    pod: Annotated[str, Field(max_length=253)] = Field(
        default="", description="The one that was meant; empty where it is all of them"
    )
    action: Deed = Field(
        description="What was meant to be done. RolloutToInject: the workload makes all of its pods anew, so that "
        "those that the injector missed are watched (spec.injection.missedPods)"
    )
    result: Result = Field(
        description="Done; WouldDo: in DryRun; Refused: a guard forbids it; Blocked: a disruption budget keeps the "
        "pod; Failed: the API server did not do it. Of both it is tried again"
    )
    reason: Annotated[str, Field(max_length=128)] = Field(description="Why, in one word for programs")
    message: Message = Field(default="", description="Why, and what to do, for people")
    evidence: DecisionEvidence | None = Field(default=None, description="What was taken before")


class Acted(Object):
    """One action that counts for budgets, cooldown and breaker."""

    time: datetime = Field(description="When it was known to be done")
    decided: datetime = Field(
        description="When it was decided on: pods that were made since then came after it"
    )
    dry_run: bool = Field(default=False, description="Nothing was touched: it counts for DryRun alone")
    returned: bool = Field(default=False, description="The pod had come instead of another one of these")
    injects: bool = Field(
        default=False, description="It was a RolloutToInject: a pod that came by it has not returned"
    )


class Pending(Object):
    """An action that is decided and not yet known to be done: written before anything is touched."""

    id: Annotated[str, Field(max_length=63)] = Field(description="Of the decision")
    pod: Annotated[str, Field(max_length=253)] = Field(default="", description="Empty: all of the workload's")
    pod_uid: Annotated[str, Field(max_length=63)] = Field(default="", description="That very pod's")
    action: Deed = Field(description="What is to be done")
    since: datetime = Field(description="When it was decided on")
    returned: bool = Field(default=False, description="The pod had come instead of an earlier one")


class WorkloadActions(Object):
    """What was done to one workload: budgets are counted by it."""

    workload: WorkloadName = Field(description="KIND/NAME")
    acted: tuple[Acted, ...] = Field(
        default=(),
        max_length=MAX_ACTIONS,
        description="Actions that still count, the last of them",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    pending: Pending | None = Field(default=None, description="What is about to be done")


class RemediationStatus(Object):
    """What remediation says and did; part of a MemoryProfile's status."""

    recommendations: tuple[Recommendation, ...] = Field(
        default=(),
        max_length=MAX_WORKLOADS,
        description="What would help, the most bytes first",
        json_schema_extra=keyed("workload"),
    )
    remediations: tuple[Decision, ...] = Field(
        default=(),
        max_length=MAX_DECISIONS,
        description="The last decisions, done or refused, the newest last",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    actions: tuple[WorkloadActions, ...] = Field(
        default=(),
        max_length=MAX_WORKLOADS,
        description="What was done to each workload, as budgets, cooldown and breaker count it",
        json_schema_extra=keyed("workload"),
    )
