"""Kubernetes' label selector, with bounds, and whether it matches."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from memwarden_api.v1alpha1.fields import Object, Rule

LabelKey = Annotated[str, Field(min_length=1, max_length=317)]
LabelValue = Annotated[str, Field(max_length=63)]


class Requirement(Object):
    """One requirement of a label selector."""

    key: LabelKey = Field(description="Name of the label")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = Field(description="How it is compared")
    values: tuple[LabelValue, ...] = Field(
        default=(),
        max_length=64,
        description="For In and NotIn, at least one",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )

    rules: ClassVar = (
        Rule(
            "(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)",
            "values are for the operators In and NotIn, which need at least one",
            lambda self: (self.operator in ("In", "NotIn")) == bool(self.values),
        ),
    )


class LabelSelector(Object):
    """All of it must hold. Empty: every pod of the namespace that opts in."""

    match_labels: dict[LabelKey, LabelValue] = Field(
        default_factory=dict, max_length=32, description="Labels and their values"
    )
    match_expressions: tuple[Requirement, ...] = Field(
        default=(),
        max_length=16,
        description="Requirements beyond equality",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
