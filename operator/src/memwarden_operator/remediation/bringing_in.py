"""Whether a workload is restarted so that pods which the injector missed come back injected. Pure.

What was missed is looked for by the controller's scan; only pods that the injector would change if they were made anew
are in a case. It is one rollout of the workload, by its own strategy, with the guards and budgets that leaks have.

Two things end it. The id of such a rollout begins with the hash of the template that it was decided for, and the
template carries the id: where it does already, and not one pod of the version that was missed is injected, another
rollout would not help either, however long ago the first was. Where some are, it may be tried as often within
`limits.breaker.within` as a leak may return.
"""

from datetime import datetime, timedelta
from typing import Final

from memwarden_api import names
from memwarden_api.v1alpha1 import MemoryProfileSpec
from memwarden_api.v1alpha1.remediation import Deed, WorkloadActions
from memwarden_operator.controller.words import restart
from memwarden_operator.remediation import guards, ledger
from memwarden_operator.remediation.case import Action, Around, Case, Refusal
from memwarden_operator.remediation.guards import Asked, Guard, forbidden

TO_INJECT: Final = "RolloutToInject"
SETTLES: Final = timedelta(seconds=10)
"""From the decision on: the injector's watch has the profile by then, and pods come back by its present spec."""
_SEPARATOR: Final = "-"


def is_asked_for(action: Deed, spec: MemoryProfileSpec) -> bool:
    """Whether the profile still wants what is pending to be done."""
    mode = spec.remediation.mode
    if action == TO_INJECT:
        return spec.injection.missed_pods == "Rollout" and mode != "DryRun"
    return mode == "Act"


def id_of(case: Case, decision: str) -> str:
    """Of what is pending."""
    assert case.template is not None  # it was known for the decision
    return f"{case.template.hash}{_SEPARATOR}{decision}"


def missed(
    case: Case,
    spec: MemoryProfileSpec,
    around: Around,
    entry: WorkloadActions | None,
    now: datetime,
) -> Action | Refusal | None:
    """What is to be done about its missed pods. None: there are none, or what brings them in is under way."""
    if not case.missed or spec.injection.missed_pods != "Rollout" or _is_under_way(case):
        return None
    asked = Asked(case, TO_INJECT, spec, around, entry, now)
    newest = case.missed[0]
    if (said := forbidden(asked, _GUARDS)) is not None:
        return Refusal(case, newest, TO_INJECT, *said)
    return Action(case, newest, TO_INJECT, False, f"{_counted(case)} not injected: {newest.reason}")


def still_missed(
    case: Case, spec: MemoryProfileSpec, around: Around, entry: WorkloadActions, now: datetime
) -> tuple[str, str] | None:
    """Right before it is done: why not, after all."""
    if not case.missed:
        return names.REFUSED_NO_LONGER, "no pod of it is missed any more"
    return forbidden(Asked(case, TO_INJECT, spec, around, entry, now), _STATE_GUARDS)


def _counted(case: Case) -> str:
    first = case.missed[0].name
    return f"{first} is" if len(case.missed) == 1 else f"{len(case.missed)} pods, {first} say, are"


def _is_under_way(case: Case) -> bool:
    return _carries(case) and case.replicas is not None and case.replicas.rolling


def _carries(case: Case) -> bool:
    """Its template was restarted for this already."""
    template, replicas = case.template, case.replicas
    return (
        template is not None
        and replicas is not None
        and replicas.restarted.startswith(f"{template.hash}{_SEPARATOR}")
    )


# ── Guards of its own ────────────────────────────────────────────────────────────────────────────────────
def _template(asked: Asked) -> str | None:
    template = asked.case.template
    assert template is not None  # the workload could be read
    if not template.skipped:
        return None
    return f"pods made from the workload's template would not be injected: {template.skipped}"


def _helped(asked: Asked) -> str | None:
    case, work = asked.case, asked.case.workload
    versions = {one.version for one in case.missed}
    if _carries(case) and not any(pod.version in versions and not pod.over for pod in case.pods):
        return (
            "the workload was restarted for this, and its pods came back without Memwarden: the injector is ready, and "
            "the API server does not reach it, or goes on without it (failurePolicy Ignore). Once that is mended: "
            f"{restart(work.kind, work.name, work.namespace)}"
        )
    breaker = asked.rules.limits.breaker
    since = asked.now - ledger.span(breaker.within)
    acted = ledger.counted(asked.entry, asked.dry_run)
    count = sum(1 for one in acted if one.injects and one.time > since)
    if count < breaker.returns:
        return None
    return f"{count} rollouts within {breaker.within} did not bring all pods in: see the injector's log and metrics"


_STATE_GUARDS: Final[tuple[Guard[Asked], ...]] = (
    (names.REFUSED_NOT_SWITCHED_ON, guards.switched_on),
    *guards.STATE,
    (names.REFUSED_TEMPLATE, _template),
    (names.REFUSED_NO_HELP, _helped),
)
_GUARDS: Final[tuple[Guard[Asked], ...]] = (*_STATE_GUARDS, *guards.BUDGETS)
