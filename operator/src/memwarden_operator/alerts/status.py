"""A policy's status out of what was made of it and what is said of that."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from memwarden_api import names
from memwarden_api.v1alpha1.alert_policy import MemoryAlertPolicy
from memwarden_api.v1alpha1.alert_policy_status import Accepted, Generated, MemoryAlertPolicyStatus
from memwarden_operator.controller.conditions import Said, State, merged

_ACCEPTED: Final[dict[State, Accepted]] = {"True": "Yes", "False": "No", "Unknown": "Unknown"}


def status_of(
    policy: MemoryAlertPolicy, said: Sequence[Said], generated: Sequence[Generated], now: datetime
) -> MemoryAlertPolicyStatus:
    """One that is refused counts before one that is not known, and that before what is well."""
    by_state = {one.status: one for one in reversed(said)}
    worst = by_state.get("False") or by_state.get("Unknown") or said[0]
    message = "" if worst.status == "True" else worst.message
    ready = Said(names.CONDITION_READY, worst.status, worst.reason, worst.message)
    generation = policy.metadata.generation
    return MemoryAlertPolicyStatus(
        observed_generation=generation,
        accepted=_ACCEPTED[worst.status],
        message=message[:1024],
        conditions=merged(policy.status.conditions, (ready, *said), generation, now),
        generated=tuple(generated),
    )
