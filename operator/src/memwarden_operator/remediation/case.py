"""What `plan` decides from: a workload with its pods, and what is so of everything else at this moment."""

from dataclasses import dataclass

from memwarden_operator.controller.observed import Collector
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


@dataclass(frozen=True, slots=True)
class Around:
    """What holds for all workloads."""

    switched_on: bool
    collector: Collector
    injector: str
    """Why an evicted pod would come back without a sidecar; "": it would have one."""
    cluster_left: int
    """Actions that the cluster's budget has left in this hour."""
