"""What Prometheus and Alertmanager say of a policy: loaded as it is, refused, or not known.

Prometheus is asked for its rules (/api/v1/rules), Alertmanager for the configuration that it runs with
(/api/v2/status). A rule counts as loaded when name, time, labels and annotations are those of the policy: the
expression is left out, since Prometheus writes it in its own way, and every number of it stands in an annotation too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from memwarden_api import names
from memwarden_api.quantities import duration_seconds
from memwarden_api.v1alpha1 import Condition
from memwarden_api.v1alpha1.alert_policy import MemoryAlertPolicy
from memwarden_operator.alerts.fragment import fragment, receiver_name
from memwarden_operator.alerts.routing import NOBODY, told
from memwarden_operator.alerts.rules import group_name, rule_groups
from memwarden_operator.controller.conditions import Said

_RULES, _ROUTES = names.CONDITION_RULES_ACCEPTED, names.CONDITION_ROUTES_ACCEPTED
Groups = Sequence[Mapping[str, Any]]


def of_rules(policy: MemoryAlertPolicy, groups: Groups, refuses: str = "") -> Said:
    """`groups` as Prometheus lists them; `refuses`: it can't load its new configuration, and keeps that of then."""
    said = _as_listed(policy, groups)
    if not refuses or said.reason != names.REASON_NOT_LOADED:
        return said
    return Said(
        _RULES,
        "False",
        names.REASON_CONFIGURATION_REFUSED,
        f"Prometheus can't load its new configuration, and goes on with that of {refuses}, without what this policy "
        "says now: its log has the reason, which may be somebody else's rule",
    )


def _as_listed(policy: MemoryAlertPolicy, groups: Groups) -> Said:
    name = group_name(policy)
    found = [group for group in groups if group.get("name") == name]
    loaded = [rule for group in found for rule in group.get("rules", ())]
    if not found:
        return Said(
            _RULES,
            "Unknown",
            names.REASON_NOT_LOADED,
            f"Prometheus has no group {name} yet. If it stays so, see which rule files it reads, and which labels its "
            "ruleSelector asks for",
        )
    [made] = rule_groups(policy)["groups"]
    if sorted(map(_loaded_rule, loaded)) != sorted(map(_wanted_rule, made["rules"])):
        return Said(
            _RULES,
            "Unknown",
            names.REASON_NOT_LOADED,
            f"Prometheus has another version of the group {name}; the new one is loaded with its next configuration. "
            "If it stays so, Prometheus refuses it: its log has the reason",
        )
    failed = [rule for rule in loaded if rule.get("health") == "err"]
    if failed:
        said = str(failed[0].get("lastError", ""))[:500]
        return Said(
            _RULES,
            "False",
            names.REASON_RULES_FAIL,
            f"Prometheus can't evaluate {failed[0]['name']}: {said}",
        )
    if any(rule.get("health") != "ok" for rule in loaded):
        return Said(_RULES, "Unknown", names.REASON_NOT_LOADED, "Prometheus has not evaluated all rules yet")
    return Said(_RULES, "True", names.REASON_LOADED, f"Prometheus evaluates {len(loaded)} rules")


def _wanted_rule(rule: Mapping[str, Any]) -> tuple[str, ...]:
    return _compared(rule["alert"], duration_seconds(rule["for"]), rule["labels"], rule["annotations"])


def _loaded_rule(rule: Mapping[str, Any]) -> tuple[str, ...]:
    seconds = float(rule.get("duration", 0))
    return _compared(str(rule.get("name")), seconds, rule.get("labels") or {}, rule.get("annotations") or {})


def _compared(
    name: str, seconds: float, labels: Mapping[str, str], annotations: Mapping[str, str]
) -> tuple[str, ...]:
    return name, str(seconds), str(sorted(labels.items())), str(sorted(annotations.items()))


def of_routes(policy: MemoryAlertPolicy, configuration: Mapping[str, Any], by_kind: bool) -> Said:
    """`configuration` is the one that Alertmanager runs with; `by_kind`: an AlertmanagerConfig was made."""
    made = fragment(policy)
    there = {str(one.get("name")) for one in configuration.get("receivers") or ()}
    existing = {one.receiver.existing.name for one in told(policy) if one.receiver.existing is not None}
    if absent := sorted(existing - there):
        return Said(
            _ROUTES,
            "False",
            names.REASON_NO_SUCH_RECEIVER,
            f"Alertmanager's own configuration has no receiver {', '.join(absent)}: name one that it has, or add it",
        )
    own = {str(one["name"]) for one in made.get("receivers", ())}
    if by_kind and own == {receiver_name(policy, NOBODY)}:
        own = set()
    routed = set(_receivers_of(configuration.get("route") or {}))
    if missing := sorted((own - there) | (own - routed)):
        return Said(
            _ROUTES,
            "Unknown",
            names.REASON_NOT_LOADED,
            f"Alertmanager's configuration has no receiver with a route {missing[0]} yet. If it stays so, see what its "
            "configuration is put together from; its log says why a new one is refused",
        )
    if not _kept_back(configuration, made):
        return Said(
            _ROUTES,
            "Unknown",
            names.REASON_NOT_LOADED,
            "Alertmanager's configuration has not yet what keeps alerts of growth back while a workload leaks; its log "
            "says why a new one is refused",
        )
    if by_kind and existing:
        return Said(
            _ROUTES,
            "True",
            names.REASON_LOADED,
            f"Route alerts with memalert_policy={policy.metadata.name} to {', '.join(sorted(existing))} in "
            "Alertmanager's own configuration: an AlertmanagerConfig can't name a receiver of it",
        )
    return Said(_ROUTES, "True", names.REASON_LOADED, "Alertmanager has the policy's routes")


def _kept_back(configuration: Mapping[str, Any], made: Mapping[str, Any]) -> bool:
    there = [
        set(map(str, one.get("target_matchers") or ())) for one in configuration.get("inhibit_rules") or ()
    ]
    return all(
        any(set(one["target_matchers"]) <= found for found in there) for one in made.get("inhibit_rules", ())
    )


def overdue(
    said: Said, before: Sequence[Condition], generation: int, now: datetime, patience: timedelta
) -> Said:
    """What has not been loaded for that long is refused, as far as anybody can tell from outside."""
    if said.status != "Unknown" or said.reason != names.REASON_NOT_LOADED:
        return said
    last = next((one for one in before if one.type == said.type), None)
    if last is None or last.observed_generation != generation or last.reason != names.REASON_NOT_LOADED:
        return said
    late = last.status == "False" or now - last.last_transition_time >= patience
    return replace(said, status="False") if late else said


def _receivers_of(route: Mapping[str, Any]) -> Iterator[str]:
    yield str(route.get("receiver", ""))
    for child in route.get("routes") or ():
        yield from _receivers_of(child)
