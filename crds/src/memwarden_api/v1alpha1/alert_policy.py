"""MemoryAlertPolicy: when to alert on the memory of a namespace's workloads, and who hears of it."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from memwarden_api.v1alpha1.alert_policy_status import MemoryAlertPolicyStatus
from memwarden_api.v1alpha1.alert_receivers import PartName, Receiver, Severity, Url
from memwarden_api.v1alpha1.fields import (
    Duration,
    MemoryQuantity,
    Object,
    durations,
    exactly_one,
    names_differ,
    sizes,
)
from memwarden_api.v1alpha1.fields import Rule as Validation
from memwarden_api.v1alpha1.profile import Metadata
from memwarden_api.v1alpha1.selector import LabelSelector

CONDITIONS = (
    "verdict",
    "oom_within",
    "usage_above_ratio",
    "growth_above",
    "injection_missing",
    "data_missing",
)
"""Fields of a rule, of which one says when it fires."""
Weekday = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
GroupLabel = Literal["alertname", "severity", "namespace", "profile", "kind", "workload", "container"]
TimeOfDay = Annotated[
    str, Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", min_length=5, max_length=5)
]


ProfileName = Annotated[str, Field(pattern=r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$", min_length=1, max_length=253)]


class AlertRule(Object):
    """When an alert fires. One of the conditions is given."""

    name: PartName = Field(description="Becomes the alert's label memalert_rule")
    severity: Severity = Field(default="Warning", description="Becomes the alert's label severity")
    lasting: Annotated[Duration, durations("0s", "24h")] = Field(
        default="5m", alias="for", description="How long it must be so before the alert fires, up to 24h"
    )
    verdict: Literal["Leaking", "Growing", "CacheFilling", "Fragmented"] | None = Field(
        default=None, description="A workload has this verdict"
    )
    oom_within: Annotated[Duration, durations("1m", "168h")] | None = Field(
        default=None,
        description="A container will probably (P50) meet its memory limit within this time, from 1m to 168h",
    )
    usage_above_ratio: float | None = Field(
        default=None,
        ge=0,  # no fraction: see remediation.py
        le=1,
        description="A container's anonymous memory is above this share of its limit",
    )
    growth_above: Annotated[MemoryQuantity, sizes("1Ki", "1Ti")] | None = Field(
        default=None, description="A container's memory grows by more than this each hour"
    )
    injection_missing: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="At least so many pods that a profile selects are without probe and sidecar",
    )
    data_missing: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="At least so many injected pods of a profile send nothing, or nothing is known of any profile",
    )
    runbook_url: Url | None = Field(default=None, description="Becomes the alert's annotation runbook_url")

    rules: ClassVar = (exactly_one(*CONDITIONS),)


class Grouping(Object):
    """What comes as one message, and how often."""

    by: tuple[GroupLabel, ...] = Field(
        default=("namespace", "workload"),
        min_length=1,
        max_length=7,
        description="Alerts that are alike in these labels are one message",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    wait: Annotated[Duration, durations("0s", "1h")] = Field(
        default="30s", description="Before the first message of a group, up to 1h: for more to come together"
    )
    interval: Annotated[Duration, durations("1s", "24h")] = Field(
        default="5m", description="Before a message about what is new in a group, from 1s to 24h"
    )
    repeat: Annotated[Duration, durations("1m", "720h")] = Field(
        default="12h", description="Before the same is said again, from 1m to 720h"
    )


class MuteWindow(Object):
    """A time of the week in which nobody is told. In UTC."""

    name: PartName = Field(description="By which the policy's objects name it")
    days: tuple[Weekday, ...] = Field(
        default=(),
        max_length=7,
        description="On which it begins. Empty: on each",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    begins: TimeOfDay = Field(default="00:00", alias="from", description="HH:MM in UTC")
    ends: TimeOfDay = Field(
        default="24:00", alias="to", description="HH:MM in UTC; not after `from`: on the next day"
    )

    rules: ClassVar = (
        Validation(
            "!has(self.from) || self.from != '24:00'",
            "from must be before 24:00",
            lambda self: self.begins != "24:00",
        ),
    )


class MemoryAlertPolicySpec(Object):
    """When to alert, and who hears of it."""

    profiles: tuple[ProfileName, ...] = Field(
        default=(),
        max_length=32,
        description="Names of the MemoryProfiles whose pods it is about. Empty: all of the namespace",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    profile_selector: LabelSelector | None = Field(
        default=None,
        description="Labels of the MemoryProfiles whose pods it is about, those that come later too; instead of names",
        json_schema_extra={"x-kubernetes-map-type": "atomic"},
    )
    rules_: tuple[AlertRule, ...] = Field(
        alias="rules",
        min_length=1,
        max_length=32,
        description="When to alert",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    receivers: tuple[Receiver, ...] = Field(
        default=(),
        max_length=16,
        description="Who hears of it. Empty: as Alertmanager is set up otherwise",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    grouping: Grouping = Field(default=Grouping(), description="What comes as one message, and how often")
    mute_windows: tuple[MuteWindow, ...] = Field(
        default=(),
        max_length=16,
        description="When the policy's receivers are not told",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    inhibition: Literal["SameWorkload", "None"] = Field(
        default="SameWorkload",
        description="SameWorkload: while a workload leaks, nobody is told that it grows. None: all is told",
    )

    rules: ClassVar = (
        Validation(
            "!(has(self.profileSelector) && has(self.profiles) && self.profiles.size() > 0)",
            "profiles and profileSelector exclude each other: give one of them",
            lambda self: not (self.profile_selector is not None and self.profiles),
        ),
        names_differ("rules", lambda self: self.rules_),
        names_differ("receivers", lambda self: self.receivers),
        names_differ("muteWindows", lambda self: self.mute_windows),
    )


class MemoryAlertPolicy(Object):
    """Alerts on the memory of a namespace's workloads; its status says whether they are loaded."""

    api_version: Literal["memwarden.dev/v1alpha1"] = "memwarden.dev/v1alpha1"
    kind: Literal["MemoryAlertPolicy"] = "MemoryAlertPolicy"
    metadata: Metadata
    spec: MemoryAlertPolicySpec
    status: MemoryAlertPolicyStatus = Field(default=MemoryAlertPolicyStatus())
