"""Conditions as metav1.Condition has them: the time changes with the status alone, each says of which generation."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from memwarden_api.v1alpha1 import Condition

State = Literal["True", "False", "Unknown"]


@dataclass(frozen=True, slots=True)
class Said:
    """A condition before it is known since when."""

    type: str
    status: State
    reason: str
    message: str


def merged(
    before: Iterable[Condition], said: Iterable[Said], generation: int, now: datetime
) -> tuple[Condition, ...]:
    """Today's conditions with the time of their last transition; those that nobody says any more are gone."""
    known = {condition.type: condition for condition in before}
    return tuple(_one(known.get(new.type), new, generation, now) for new in said)


def _one(old: Condition | None, new: Said, generation: int, now: datetime) -> Condition:
    same = old is not None and old.status == new.status
    return Condition(
        type=new.type,
        status=new.status,
        reason=new.reason,
        message=new.message[:4096],
        last_transition_time=old.last_transition_time
        if old is not None and same
        else now.replace(microsecond=0),
        observed_generation=generation,
    )
