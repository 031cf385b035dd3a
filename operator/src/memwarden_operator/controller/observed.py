"""What is known of one profile at one moment: what `reconcile` decides from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from memwarden_api.v1alpha1 import MemoryProfile
from memwarden_operator.controller.breaker import Stop
from memwarden_operator.controller.owners import Owned, Workload
from memwarden_operator.controller.pods import Pod, Reference
from memwarden_operator.controller.verdicts import Verdict

_NOT_SAID: Final = datetime.min.replace(tzinfo=UTC)
REPORTING_AFTER: Final = timedelta(seconds=90)
"""So long after its app's start a pod is expected to have sent data."""


@dataclass(frozen=True, slots=True)
class Missed:
    """A pod that is meant and not injected."""

    pod: str
    reason: str
    message: str
    workload: Reference | None = None
    """What to tell of it; None: the pod itself."""
    uid: str = ""
    version: str = ""
    """Of the template that it was made from."""
    made_at: datetime = _NOT_SAID
    curable: bool = False
    """Made anew, it would be injected."""

    @property
    def name(self) -> str:
        return self.pod


@dataclass(frozen=True, slots=True)
class Scan:
    """What the last look over the pods of a namespace found for one profile."""

    matched: int
    injected: int
    missed: tuple[Missed, ...]
    at: datetime
    generation: int
    """Of the profile that it was made by."""


@dataclass(frozen=True, slots=True)
class Collector:
    """Whether the collector answers, and since when that is so."""

    answers: bool
    since: datetime
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """All of it. Nothing here changes while it is looked at."""

    profile: MemoryProfile
    pods: tuple[Pod, ...]
    owners: Mapping[str, Owned]
    """By pod uid; a pod whose owner is not known yet is not in it."""
    verdicts: tuple[Verdict, ...]
    """Of workloads that this profile's pods belong to."""
    scan: Scan | None
    collector: Collector
    reporting: int | None
    """Pods from which samples came in the last two minutes, as the collector counts them; None: not known."""
    ever_reported: frozenset[str] = frozenset()
    """Uids of pods from which data came at all."""
    stops: Mapping[Workload, Stop] = field(default_factory=dict)
    """What the breaker says now."""
    denying: tuple[str, ...] = ()
    """Network policies that rule where its pods may connect to."""
    collector_at: tuple[str, int] = ("memwarden-system", 4318)
    """Namespace and port: what a policy has to let through."""
    stalled: tuple[str, str] | None = None
    """(reason, message): the spec can't be read, or a right is missing."""

    def expected(self, now: datetime) -> tuple[Pod, ...]:
        """Injected pods that run for so long that data should have come."""
        return tuple(pod for pod in self.pods if pod.running and now - pod.created_at >= REPORTING_AFTER)
