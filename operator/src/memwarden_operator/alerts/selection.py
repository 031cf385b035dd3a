"""Whether a Prometheus or Alertmanager of the Prometheus operator selects what we make: by labels, and by namespace.

https://prometheus-operator.dev/docs/developer/alerting/: without a selector nothing is selected, an empty one selects
everything; without a selector of namespaces it is the own one alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from memwarden_kube.objects import Object
from memwarden_operator.injector.selector import Selector


@dataclass(frozen=True, slots=True)
class Placed:
    """What we make: its labels, its namespace, and that one's labels."""

    labels: Mapping[str, str]
    namespace: str
    namespace_labels: Mapping[str, str]


def refusal(those: Sequence[Object], selector: str, namespaces: str, placed: Placed) -> str:
    """Why none of them selects it, "" where one does or none is there. The fields are those of their spec."""
    if any(_selects(one["spec"], selector, namespaces, placed) for one in those):
        return ""
    reasons = []
    for one in those:
        where = f"{one['metadata']['namespace']}/{one['metadata']['name']}"
        wanted = one["spec"].get(selector)
        if wanted is None:
            reasons.append(f"{where} has no {selector}")
        elif not Selector.of(wanted).matches(placed.labels):
            reasons.append(f"the {selector} of {where} asks for {_words(wanted)}")
        else:
            reasons.append(f"the {namespaces} of {where} leaves out namespace {placed.namespace}")
    return "; ".join(reasons)


def _selects(spec: Object, selector: str, namespaces: str, placed: Placed) -> bool:
    wanted, where = spec.get(selector), spec.get(namespaces)
    if wanted is None or not Selector.of(wanted).matches(placed.labels):
        return False
    if where is None:
        return bool(spec.get("namespace") == placed.namespace)
    return Selector.of(where).matches(placed.namespace_labels)


def _words(selector: Mapping[str, object]) -> str:
    parsed = Selector.of(selector)
    labels = [f"{key}={value}" for key, value in parsed.labels]
    labels += [
        f"{key} {operator} {','.join(sorted(values))}".rstrip()
        for key, operator, values in parsed.requirements
    ]
    return ", ".join(labels)
