"""Who hears of which alerts, before it is written down in one of Alertmanager's two languages.

One route for the policy, below it one for each receiver; what no receiver wants goes to nobody. Each goes on to the
next route, so that nothing of ours keeps an alert from routes of others.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from memwarden_api.v1alpha1.alert_policy import MemoryAlertPolicy
from memwarden_api.v1alpha1.alert_receivers import Receiver
from memwarden_operator.alerts.expressions import BY_CONTAINER
from memwarden_operator.alerts.rules import POLICY, RULE

NOBODY: Final = "to.nobody"
"""The receiver that does nothing."""


@dataclass(frozen=True, slots=True)
class Matcher:
    label: str
    operator: Literal["=", "=~"]
    value: str


@dataclass(frozen=True, slots=True)
class Told:
    """One receiver with the alerts that go to it."""

    receiver: Receiver
    matchers: tuple[Matcher, ...]


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While an alert of `source` fires, those of `targets` with the same labels `equal` are kept back."""

    source: tuple[Matcher, ...]
    targets: tuple[Matcher, ...]
    equal: tuple[str, ...]


def of_policy(policy: MemoryAlertPolicy) -> tuple[Matcher, ...]:
    """All alerts of the policy."""
    return (
        Matcher("namespace", "=", policy.metadata.namespace),
        Matcher(POLICY, "=", policy.metadata.name),
    )


def told(policy: MemoryAlertPolicy) -> Iterator[Told]:
    for receiver in policy.spec.receivers:
        severities = sorted(severity.lower() for severity in receiver.severities)
        matchers = (Matcher("severity", "=~", "|".join(severities)),) if severities else ()
        yield Told(receiver, matchers)


def inhibition(policy: MemoryAlertPolicy) -> Inhibition | None:
    """Who is told that a workload leaks need not be told that it grows."""
    if policy.spec.inhibition == "None":
        return None
    leaking = [rule.name for rule in policy.spec.rules_ if rule.verdict == "Leaking"]
    growing = [
        rule.name for rule in policy.spec.rules_ if rule.verdict == "Growing" or rule.growth_above is not None
    ]
    if not leaking or not growing:
        return None
    return Inhibition(
        (*of_policy(policy), Matcher(RULE, "=~", "|".join(leaking))),
        (*of_policy(policy), Matcher(RULE, "=~", "|".join(growing))),
        BY_CONTAINER,
    )
