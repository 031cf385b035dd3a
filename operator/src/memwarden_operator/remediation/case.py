"""What `plan` decides from, and what it decides.

From a workload with its pods, and from what is so of everything else at this moment; an Action or a Refusal of it.
"""

from dataclasses import dataclass
from typing import Protocol

from memwarden_api.v1alpha1.remediation import Deed
from memwarden_operator.controller.observed import Collector, Missed
from memwarden_operator.controller.owners import Workload
from memwarden_operator.controller.pods import Pod, Reference
from memwarden_operator.controller.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Replicas:
    """What the workload's object says of its pods."""

    desired: int
    ready: int
    rolling: bool
    """A rollout is on its way: pods of the newest version are not all there, or older ones are."""
    restarted: str = ""
    """Which of our restarts its pod template carries."""
    held: str = ""
    """Why its pods are not made anew when the template changes; "": they are."""


@dataclass(frozen=True, slots=True)
class Template:
    """What the workload makes its pods from now."""

    hash: str
    """Of it and the profile, whatever restarts of ours it carries."""
    skipped: str = ""
    """Why the injector would leave a pod of it alone; "": it would not."""


@dataclass(frozen=True, slots=True)
class Case:
    """One workload that the profile's pods belong to."""

    workload: Workload
    reference: Reference
    verdicts: tuple[Verdict, ...]
    """Of its containers."""
    pods: tuple[Pod, ...]
    """Injected ones of the profile; those on their way out too."""
    replicas: Replicas | None
    """None: it could not be asked for."""
    injection_stopped: bool = False
    missed: tuple[Missed, ...] = ()
    """Pods that would come back injected; none where nobody asks for that."""
    template: Template | None = None
    """Known where pods were missed."""


@dataclass(frozen=True, slots=True)
class Around:
    """What holds for all workloads."""

    switched_on: bool
    collector: Collector
    injector: str
    """Why an evicted pod would come back without a sidecar; "": it would have one."""
    cluster_left: int
    """Actions that the cluster's budget has left in this hour."""


class Target(Protocol):
    """A pod that is meant: one that leaks, or one that was missed."""

    @property
    def name(self) -> str: ...

    @property
    def uid(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Action:
    """It is to be done, unless the mode is DryRun."""

    case: Case
    pod: Target
    """The one that is meant, or for a rollout the one that is worst off."""
    action: Deed
    returned: bool
    """The pod came after an earlier action."""
    message: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """It would be done, if a guard did not forbid it."""

    case: Case
    pod: Target
    action: Deed
    reason: str
    message: str
