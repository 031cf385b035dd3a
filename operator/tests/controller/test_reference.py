"""docs/reference/controller.md names all that people meet: conditions, reasons, events, metrics, options, rights."""

import re
from pathlib import Path

import pytest

from memwarden_api import names
from memwarden_operator.controller import metrics
from memwarden_operator.controller.rights import RULES
from memwarden_operator.controller.settings import Settings

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "controller.md").read_text()
NAMED = set(re.findall(r"`([^`]+)`", PAGE))


def of(*prefixes: str) -> list[str]:
    return [value for name, value in vars(names).items() if name.startswith(prefixes)]


@pytest.mark.parametrize("name", of("CONDITION_", "REASON_", "STOP_", "MISSED_"))
def test_each_condition_and_reason_has_its_place(name: str) -> None:
    assert name in NAMED


@pytest.mark.parametrize("name", [name for name in of("EVENT_") if name != names.EVENT_SKIPPED])
def test_each_event_has_its_place(name: str) -> None:
    assert name in NAMED


def test_metrics_on_the_page_are_those_that_exist() -> None:
    known = {
        family.name + ("_total" if family.type == "counter" else "") for family in metrics.REGISTRY.collect()
    }
    assert {name for name in NAMED if name.startswith("memwarden_controller_")} == known


def test_options_on_the_page_are_those_that_exist() -> None:
    rows = re.findall(r"^\| `(--[a-z-]+)` \|", PAGE, re.MULTILINE)
    assert rows == ["--" + name.replace("_", "-") for name in Settings.model_fields]


def test_each_right_has_its_row() -> None:
    rows = PAGE.split("## Rights")[1]
    for rule in RULES:
        resources = ", ".join(f"`{resource}`" for resource in rule.resources)
        assert f"| {resources} | {', '.join(rule.verbs)} | {rule.why} |" in rows
