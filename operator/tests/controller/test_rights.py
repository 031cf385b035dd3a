"""The rights that the controller names are those that the chart grants, no more and no less."""

from pathlib import Path

import yaml

from memwarden_operator.controller.rights import ALERT_FILES, ALERTS, RULES, cluster_role

TEMPLATES = Path(__file__).parents[3] / "charts" / "memwarden" / "templates"


def triples(rules: list[dict[str, list[str]]]) -> set[tuple[str, str, str]]:
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def granted(template: str) -> set[tuple[str, str, str]]:
    # Rules have no template in them: each stands on a line of its own.
    text = (TEMPLATES / template).read_text()
    lines = [line.strip() for line in text.splitlines() if "{apiGroups:" in line]
    return triples([yaml.safe_load(line)[0] for line in lines])


def test_the_chart_grants_what_is_needed() -> None:
    assert granted("controller.yaml") == triples(cluster_role()["rules"])


def test_the_chart_grants_what_alerts_need_by_roles_of_their_own() -> None:
    ours = triples([rule.document() for rule in (*ALERTS, *ALERT_FILES)])
    alertmanagers = {("memwarden.dev", "memoryalertpolicies/alerts", "create")}
    assert granted("alerts.yaml") == ours | alertmanagers


def test_nothing_is_granted_by_a_wildcard() -> None:
    assert all("*" not in (rule.group, *rule.resources, *rule.verbs) for rule in RULES)
    assert all(rule.why for rule in RULES)
    assert not any("secrets" in rule.resources for rule in RULES)
