"""Label selectors, as Kubernetes evaluates them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Selector:
    """All of it must hold; an empty one matches everything."""

    labels: tuple[tuple[str, str], ...] = ()
    requirements: tuple[tuple[str, str, frozenset[str]], ...] = ()
    """(label, operator, values)"""

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Selector":
        return cls(
            tuple(sorted((document.get("matchLabels") or {}).items())),
            tuple(
                (one["key"], one["operator"], frozenset(one.get("values") or ()))
                for one in document.get("matchExpressions") or ()
            ),
        )

    @property
    def is_empty(self) -> bool:
        return not self.labels and not self.requirements

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(labels.get(key) == value for key, value in self.labels) and all(
            _holds(labels, key, operator, values) for key, operator, values in self.requirements
        )


def _holds(labels: Mapping[str, str], key: str, operator: str, values: frozenset[str]) -> bool:
    if operator == "In":
        return labels.get(key) in values
    if operator == "NotIn":
        return labels.get(key) not in values
    # An operator of a newer version matches nothing: a pod too few is better than one too many.
    return key in labels if operator == "Exists" else operator == "DoesNotExist" and key not in labels
