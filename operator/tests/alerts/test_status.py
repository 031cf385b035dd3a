"""What a policy becomes, who selects it, and what its status says of the answers of Prometheus and Alertmanager."""

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from memwarden_api import names
from memwarden_api.v1alpha1 import MemoryAlertPolicyStatus, MemoryProfile
from memwarden_api.v1alpha1.alert_policy import MemoryAlertPolicy
from memwarden_operator.alerts import acceptance
from memwarden_operator.alerts.fragment import fragment
from memwarden_operator.alerts.objects import Kinds, is_of, wanted
from memwarden_operator.alerts.policies import read
from memwarden_operator.alerts.profiles import is_about_nobody, resolved
from memwarden_operator.alerts.rules import rule_groups
from memwarden_operator.alerts.selection import Placed, refusal
from memwarden_operator.alerts.status import status_of
from memwarden_operator.controller.conditions import Said

from .policies import EACH_RECEIVER, EACH_RULE, everything, policy

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
PATIENCE = timedelta(minutes=5)
LABELS = {"release": "monitoring"}
WITH_OPERATOR, WITHOUT = Kinds(rules=True, routes=True), Kinds()


# ── What it becomes ──────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("kinds", "made"),
    [
        (WITH_OPERATOR, [("PrometheusRule", "memwarden-shop"), ("AlertmanagerConfig", "memwarden-shop")]),
        (WITHOUT, [("ConfigMap", "memwarden-shop-rules"), ("ConfigMap", "memwarden-shop-routes")]),
        (Kinds(rules=True), [("PrometheusRule", "memwarden-shop"), ("ConfigMap", "memwarden-shop-routes")]),
    ],
)
def test_objects_are_of_the_kinds_that_are_there_and_go_with_the_policy(
    kinds: Kinds, made: list[tuple[str, str]]
) -> None:
    objects = wanted(everything(), kinds, LABELS)
    assert [(one.resource.kind, one.name) for one in objects] == made
    for one, part in zip(objects, ("rules", "routes"), strict=True):
        metadata = one.fields["metadata"]
        assert metadata["labels"].items() >= {**LABELS, names.ALERTS: part}.items()
        [owner] = metadata["ownerReferences"]
        assert (owner["kind"], owner["uid"], metadata["namespace"]) == ("MemoryAlertPolicy", "4711", "shop")
        assert is_of(everything(), one.fields)
        assert not is_of(everything(), {"metadata": {"name": one.name}})


def test_files_in_config_maps_are_what_the_kinds_hold() -> None:
    rules, routes = wanted(everything(), WITHOUT, {})
    assert yaml.safe_load(rules.fields["data"]["rules.yaml"]) == rule_groups(everything())
    assert yaml.safe_load(routes.fields["data"]["routes.yaml"]) == fragment(everything())


def test_a_policy_without_receivers_becomes_rules_alone() -> None:
    for kinds in (WITH_OPERATOR, WITHOUT):
        assert len(wanted(policy(EACH_RULE[:1]), kinds, {})) == 1


def test_a_spec_of_a_newer_version_is_told_by_its_field() -> None:
    about = {"name": "shop", "namespace": "shop", "uid": "1", "generation": 3}
    known = read({"metadata": about, "spec": {"rules": [{"name": "a", "verdict": "Melting"}]}, "status": {}})
    assert known.stalled.startswith("spec.rules.0.verdict: ")
    assert (known.key, known.policy.metadata.generation) == (("shop", "shop"), 3)
    good = {"metadata": about, "spec": {"rules": [{"name": "a", "verdict": "Leaking", "moon": 1}]}}
    assert read(good | {"status": {"accepted": "Perhaps"}}).policy.status == MemoryAlertPolicyStatus()


# ── Which profiles it is about ───────────────────────────────────────────────────────────────────────────
def labelled(name: str, **labels: str) -> MemoryProfile:
    return MemoryProfile.from_cluster({"metadata": {"name": name, "namespace": "shop", "labels": labels}})


def test_profiles_are_chosen_by_their_labels_and_none_is_not_all() -> None:
    profiles = [labelled("web", team="a", tier="1"), labelled("jobs", team="a"), labelled("other", team="b")]
    of_team = policy(EACH_RULE[:1], profileSelector={"matchLabels": {"team": "a"}})
    chosen = resolved(of_team, profiles)
    assert chosen.spec.profiles == ("jobs", "web")
    [group] = rule_groups(chosen)["groups"]
    assert 'profile=~"jobs|web"' in group["rules"][0]["expr"]
    narrow = policy(
        EACH_RULE[:1], profileSelector={"matchExpressions": [{"key": "tier", "operator": "Exists"}]}
    )
    assert resolved(narrow, profiles).spec.profiles == ("web",)
    of_nobody = resolved(of_team, profiles[2:])
    assert is_about_nobody(of_nobody)
    [group] = rule_groups(of_nobody)["groups"]
    assert 'profile="-"' in group["rules"][0]["expr"]
    by_name = policy(EACH_RULE[:1], profiles=["web"])
    assert resolved(by_name, profiles) == by_name
    assert not is_about_nobody(resolved(policy(EACH_RULE[:1]), profiles))


# ── Who selects it ───────────────────────────────────────────────────────────────────────────────────────
def prometheus(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "monitoring", "name": "k8s"}, "spec": spec}


RELEASE = {"matchLabels": {"release": "stack"}}


@pytest.mark.parametrize(
    ("spec", "labels", "why"),
    [
        ({"ruleSelector": {}, "ruleNamespaceSelector": {}}, {}, ""),
        ({"ruleSelector": RELEASE, "ruleNamespaceSelector": {}}, {"release": "stack"}, ""),
        ({"ruleSelector": RELEASE, "ruleNamespaceSelector": {}}, {}, "asks for release=stack"),
        ({"ruleNamespaceSelector": {}}, {}, "has no ruleSelector"),
        ({"ruleSelector": {}}, {}, "leaves out namespace shop"),
        ({"ruleSelector": {}, "ruleNamespaceSelector": {"matchLabels": {"watched": "no"}}}, {}, "leaves out"),
        ({"ruleSelector": {}, "ruleNamespaceSelector": {"matchLabels": {"watched": "yes"}}}, {}, ""),
        (
            {"ruleSelector": {"matchExpressions": [{"key": "role", "operator": "Exists"}]}},
            {},
            "asks for role Exists",
        ),
    ],
)
def test_a_selector_that_does_not_match_is_told(
    spec: dict[str, Any], labels: dict[str, str], why: str
) -> None:
    placed = Placed(labels, "shop", {"watched": "yes"})
    said = refusal([prometheus(**spec)], "ruleSelector", "ruleNamespaceSelector", placed)
    assert (why in said) if why else said == ""
    assert refusal([], "ruleSelector", "ruleNamespaceSelector", placed) == ""


# ── What Prometheus says ─────────────────────────────────────────────────────────────────────────────────
def loaded(made: MemoryAlertPolicy, **more: Any) -> list[dict[str, Any]]:
    """The answer of /api/v1/rules to a Prometheus that has loaded it."""
    [group] = rule_groups(made)["groups"]
    rules = [
        {
            "name": rule["alert"],
            "query": "in its own way",
            "duration": {"0s": 0, "1m": 60, "2m": 120, "10m": 600}[rule["for"]],
            "labels": rule["labels"],
            "annotations": rule["annotations"],
            "health": "ok",
            "type": "alerting",
        }
        | more
        for rule in group["rules"]
    ]
    return [{"name": "other", "rules": []}, {"name": group["name"], "file": "/etc/x.yaml", "rules": rules}]


@pytest.mark.parametrize(
    ("groups", "status", "reason", "told"),
    [
        (loaded(everything()), "True", names.REASON_LOADED, "evaluates 9 rules"),
        ([], "Unknown", names.REASON_NOT_LOADED, "no group memwarden/shop/shop yet"),
        (loaded(everything(), health="unknown"), "Unknown", names.REASON_NOT_LOADED, "not evaluated"),
        (loaded(everything(), duration=1), "Unknown", names.REASON_NOT_LOADED, "another version"),
        (loaded(policy(EACH_RULE[:2])), "Unknown", names.REASON_NOT_LOADED, "another version"),
        (loaded(everything(), health="err", lastError="too many"), "False", names.REASON_RULES_FAIL, "too many"),
    ],
)  # fmt: skip
def test_rules_are_accepted_as_prometheus_has_them(
    groups: list[dict[str, Any]], status: str, reason: str, told: str
) -> None:
    said = acceptance.of_rules(everything(), groups)
    assert (said.type, said.status, said.reason) == (names.CONDITION_RULES_ACCEPTED, status, reason)
    assert told in said.message


def test_what_is_not_loaded_is_refused_at_once_where_prometheus_can_not_load_its_configuration() -> None:
    said = acceptance.of_rules(everything(), [], "2026-11-22T12:00:00Z")
    assert (said.status, said.reason) == ("False", names.REASON_CONFIGURATION_REFUSED)
    assert "that of 2026-11-22T12:00:00Z" in said.message
    before = acceptance.of_rules(everything(), loaded(everything()), "2026-11-22T12:00:00Z")
    assert before.status == "True", "what it has it has"


# ── What Alertmanager says ───────────────────────────────────────────────────────────────────────────────
def running(made: MemoryAlertPolicy) -> dict[str, Any]:
    """Its configuration with the policy's fragment."""
    part = copy.deepcopy(fragment(made))
    routes = [part.pop("route")] if "route" in part else []
    return {
        "route": {"receiver": "team A", "routes": routes},
        "receivers": [{"name": "team A"}, *part.pop("receivers", [])],
        **part,
    }


def without(key: str, configuration: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in configuration.items() if name != key}


@pytest.mark.parametrize(
    ("configuration", "status", "reason"),
    [
        (running(everything()), "True", names.REASON_LOADED),
        ({"receivers": [{"name": "team A"}]}, "Unknown", names.REASON_NOT_LOADED),
        (without("route", running(everything())), "Unknown", names.REASON_NOT_LOADED),
        (without("inhibit_rules", running(everything())), "Unknown", names.REASON_NOT_LOADED),
        (without("receivers", running(everything())), "False", names.REASON_NO_SUCH_RECEIVER),
    ],
)
def test_routes_are_accepted_as_alertmanager_has_them(
    configuration: dict[str, Any], status: str, reason: str
) -> None:
    said = acceptance.of_routes(everything(), configuration, by_kind=False)
    assert (said.status, said.reason) == (status, reason), said


def test_by_the_operator_s_kind_a_receiver_of_alertmanager_s_own_is_left_to_people() -> None:
    existing = policy(EACH_RULE[:1], receivers=EACH_RECEIVER[:1])
    said = acceptance.of_routes(existing, {"receivers": [{"name": "team A"}]}, by_kind=True)
    assert said.status == "True"
    assert "Route alerts with memalert_policy=shop to team A" in said.message


# ── Its status ───────────────────────────────────────────────────────────────────────────────────────────
def waiting() -> Said:
    return acceptance.of_rules(everything(), [])


def after(said: Said, now: datetime, before: MemoryAlertPolicyStatus) -> MemoryAlertPolicyStatus:
    made = everything().model_copy(update={"status": before})
    judged = acceptance.overdue(said, before.conditions, 1, now, PATIENCE)
    return status_of(made, [judged], [], now)


def test_what_is_not_loaded_in_time_counts_as_refused_until_it_is_loaded() -> None:
    status = after(waiting(), NOON, MemoryAlertPolicyStatus())
    assert status.accepted == "Unknown"
    status = after(waiting(), NOON + PATIENCE / 2, status)
    assert status.accepted == "Unknown"
    status = after(waiting(), NOON + PATIENCE, status)
    assert (status.accepted, status.conditions[1].reason) == ("No", names.REASON_NOT_LOADED)
    status = after(waiting(), NOON + 2 * PATIENCE, status)
    assert status.accepted == "No"
    assert status.message.startswith("Prometheus has no group")
    status = after(acceptance.of_rules(everything(), loaded(everything())), NOON + 3 * PATIENCE, status)
    assert (status.accepted, status.message) == ("Yes", "")


def test_what_is_refused_counts_before_what_is_not_known() -> None:
    unknown, bad = (
        Said("RulesAccepted", "Unknown", "NotLoaded", "u"),
        Said("RoutesAccepted", "False", "X", "b"),
    )
    status = status_of(everything(), [unknown, bad], [], NOON)
    assert (status.accepted, status.message, status.conditions[0].type) == ("No", "b", "Ready")
    assert status_of(everything(), [unknown], [], NOON).accepted == "Unknown"
