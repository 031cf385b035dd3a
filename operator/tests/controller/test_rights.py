"""The rights that the controller names are those that the chart grants, no more and no less."""

from pathlib import Path

import yaml

from memwarden_operator.controller.rights import RULES, cluster_role

CHART = Path(__file__).parents[3] / "charts" / "memwarden" / "templates" / "controller.yaml"


def triples(rules: list[dict[str, list[str]]]) -> set[tuple[str, str, str]]:
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_the_chart_grants_what_is_needed() -> None:
    # Rules have no template in them: each stands on a line of its own.
    lines = [line.strip() for line in CHART.read_text().splitlines() if "{apiGroups:" in line]
    granted = triples([yaml.safe_load(line)[0] for line in lines])
    assert granted == triples(cluster_role()["rules"])


def test_nothing_is_granted_by_a_wildcard() -> None:
    assert all("*" not in (rule.group, *rule.resources, *rule.verbs) for rule in RULES)
    assert all(rule.why for rule in RULES)
    assert not any("secrets" in rule.resources for rule in RULES)
