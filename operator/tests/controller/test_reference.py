"""docs/reference/controller.md names the breaker's reasons, the options and the rights."""

import re
from pathlib import Path

import pytest

from memwarden_api import names
from memwarden_operator.controller.rights import RULES
from memwarden_operator.controller.settings import Settings

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "controller.md").read_text()


@pytest.mark.parametrize("name", [value for key, value in vars(names).items() if key.startswith("STOP_")])
def test_each_reason_of_the_breaker_has_its_row(name: str) -> None:
    assert f"| `{name}` |" in PAGE


def test_options_on_the_page_are_those_that_exist() -> None:
    rows = re.findall(r"^\| `(--[a-z-]+)` \|", PAGE, re.MULTILINE)
    assert rows == ["--" + name.replace("_", "-") for name in Settings.model_fields]


def test_each_right_has_its_row() -> None:
    rows = PAGE.split("## Rights")[1]
    for rule in RULES:
        resources = ", ".join(f"`{resource}`" for resource in rule.resources)
        assert f"| {resources} | {', '.join(rule.verbs)} | {rule.why} |" in rows
