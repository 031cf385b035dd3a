"""Guards that ask nothing of a verdict: None, or what forbids an action on a workload. Pure.

Each looks at one case. `plan` and `bringing_in` put their own before and between; the first that forbids is the reason.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from memwarden_api import names
from memwarden_api.v1alpha1 import MemoryProfileSpec
from memwarden_api.v1alpha1.remediation import Deed, Remediation, WorkloadActions
from memwarden_operator.controller.words import restart
from memwarden_operator.remediation import ledger
from memwarden_operator.remediation.case import Around, Case
from memwarden_operator.remediation.windows import is_open

RESTARTED: Final = frozenset(("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"))
"""Kinds that make a pod anew as it was. Jobs lose their work; of others nobody knows."""
ROLLED_OUT: Final = frozenset(("Deployment", "StatefulSet", "DaemonSet"))


@dataclass(frozen=True, slots=True)
class Asked:
    """One workload's case with all that guards look at."""

    case: Case
    action: Deed
    spec: MemoryProfileSpec
    around: Around
    entry: WorkloadActions | None
    now: datetime

    @property
    def rules(self) -> Remediation:
        return self.spec.remediation

    @property
    def dry_run(self) -> bool:
        return self.rules.mode == "DryRun"


A = TypeVar("A", bound=Asked)
Guard = tuple[str, Callable[[A], str | None]]
"""The reason, and what says it."""


def forbidden(asked: A, guards: Iterable[Guard[A]]) -> tuple[str, str] | None:
    """Reason and message of the first that forbids it."""
    said = ((reason, guard(asked)) for reason, guard in guards)
    return next(((reason, message) for reason, message in said if message is not None), None)


def switched_on(asked: Asked) -> str | None:
    if asked.around.switched_on or asked.dry_run:
        return None
    return "remediation is not switched on in this cluster: set rbac.remediation=true in the chart's values"


def kind(asked: Asked) -> str | None:
    kind = asked.case.workload.kind
    kinds = RESTARTED if asked.action == "Evict" else ROLLED_OUT
    if kind in kinds:
        return None
    said = f"pods of a {kind} are left alone; {asked.action} is for {', '.join(sorted(kinds))}"
    if asked.action != "RolloutToInject":
        return said
    return f"{said}. {restart(kind, asked.case.workload.name, asked.case.workload.namespace)}"


def injection(asked: Asked) -> str | None:
    if not asked.case.injection_stopped:
        return None
    return "injection of the workload is stopped (status.injectionStopped): the new pod would not be watched"


def injector(asked: Asked) -> str | None:
    if not asked.around.injector:
        return None
    return f"the new pod might not be watched: {asked.around.injector}"


def known(asked: Asked) -> str | None:
    if asked.case.replicas is not None:
        return None
    return "the workload could not be read: how many pods it wants is not known"


def strategy(asked: Asked) -> str | None:
    assert asked.case.replicas is not None  # `known` has looked
    return asked.case.replicas.held or None if asked.action != "Evict" else None


def rollout(asked: Asked) -> str | None:
    assert asked.case.replicas is not None  # `known` has looked
    return "a rollout is in progress; it makes pods anew by itself" if asked.case.replicas.rolling else None


def leaving(asked: Asked) -> str | None:
    leaving = [pod.name for pod in asked.case.pods if pod.leaving]
    return f"{leaving[0]} is on its way out: one pod of a workload at a time" if leaving else None


def ready(asked: Asked) -> str | None:
    replicas, least = asked.case.replicas, asked.rules.limits.minimum_ready_replicas
    assert replicas is not None  # `known` has looked
    if replicas.ready < least:
        return (
            f"{replicas.ready} pods are ready and {least} must be; have more replicas, or set "
            "spec.remediation.limits.minimumReadyReplicas"
        )
    if replicas.ready < replicas.desired:
        return f"{replicas.ready} of {replicas.desired} pods are ready: one pod of a workload at a time"
    return None


def window(asked: Asked) -> str | None:
    if is_open(asked.rules.limits.windows, asked.now):
        return None
    return f"{asked.now:%a %H:%M} UTC is in none of spec.remediation.limits.windows"


def cooldown(asked: Asked) -> str | None:
    until = ledger.cools_until(ledger.counted(asked.entry, asked.dry_run), asked.rules.limits)
    if until is None or asked.now >= until:
        return None
    return f"the last action was less than {asked.rules.limits.cooldown} ago; the next may be at {until:%H:%M:%S} UTC"


def budget(asked: Asked) -> str | None:
    most = asked.rules.limits.max_per_hour
    if ledger.within_hour(ledger.counted(asked.entry, asked.dry_run), asked.now) < most:
        return None
    return f"spec.remediation.limits.maxPerHour ({most}) is spent"


def cluster_budget(asked: Asked) -> str | None:
    if asked.around.cluster_left > 0 or asked.dry_run:
        return None
    return "the cluster's budget for this hour is spent (--remediations-per-hour of the controller)"


STATE: Final[tuple[Guard[Asked], ...]] = (
    (names.REFUSED_KIND, kind),
    (names.REFUSED_INJECTION_STOPPED, injection),
    (names.REFUSED_INJECTOR, injector),
    (names.REFUSED_UNKNOWN_STATE, known),
    (names.REFUSED_STRATEGY, strategy),
    (names.REFUSED_ROLLOUT, rollout),
    (names.REFUSED_POD_LEAVING, leaving),
    (names.REFUSED_TOO_FEW, ready),
    (names.REFUSED_WINDOW, window),
)
"""Asked for the decision, and again right before it is done."""
BUDGETS: Final[tuple[Guard[Asked], ...]] = (
    (names.REFUSED_COOLDOWN, cooldown),
    (names.REFUSED_BUDGET, budget),
    (names.REFUSED_CLUSTER_BUDGET, cluster_budget),
)
"""Asked for the decision alone: what is decided is counted."""
