"""What came of a MemoryAlertPolicy: the objects that were made, and whether Prometheus and Alertmanager took them."""

from typing import Annotated, Literal

from pydantic import Field

from memwarden_api.v1alpha1.conditions import Condition
from memwarden_api.v1alpha1.fields import Message, Name, Object

Accepted = Literal["Yes", "No", "Unknown"]


class Generated(Object):
    """An object that the controller made for the policy, in its namespace. It goes with the policy."""

    api_version: Annotated[str, Field(max_length=253)] = Field(description="Group and version")
    kind: Annotated[str, Field(max_length=63)] = Field(description="PrometheusRule, ConfigMap, …")
    name: Name = Field(description="Its name")


class MemoryAlertPolicyStatus(Object):
    """What came of the policy."""

    observed_generation: int = Field(
        default=0, ge=0, description="The generation of the spec that this is said of"
    )
    accepted: Accepted = Field(
        default="Unknown",
        description="Whether Prometheus and Alertmanager have loaded what was made of it, as they say themselves",
    )
    message: Message = Field(default="", description="Why it is not, and what to do")
    conditions: tuple[Condition, ...] = Field(
        default=(),
        max_length=16,
        description="Ready, RulesAccepted, RoutesAccepted",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    generated: tuple[Generated, ...] = Field(
        default=(),
        max_length=8,
        description="Objects that were made of it",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
