"""A condition, as all of Kubernetes writes it (metav1.Condition)."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from memwarden_api.v1alpha1.fields import Object

ConditionType = Literal[
    "Ready", "Reconciling", "Stalled", "Injected", "Collecting", "LeakFree", "RulesAccepted", "RoutesAccepted"
]


class Condition(Object):
    """One thing that is so, is not so, or is not known."""

    type: Annotated[str, Field(max_length=63, pattern=r"^[A-Za-z]+$")] = Field(
        description="Ready, Reconciling, Stalled, Injected, Collecting, LeakFree, RulesAccepted, RoutesAccepted"
    )
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it is so")
    reason: Annotated[str, Field(max_length=128, pattern=r"^[A-Za-z]+$")] = Field(
        description="Why, in one word for programs"
    )
    message: Annotated[str, Field(max_length=4096)] = Field(description="Why, and what to do, for people")
    last_transition_time: datetime = Field(description="When the status last changed")
    observed_generation: int = Field(
        default=0, ge=0, description="The generation of the spec that it was said of"
    )
