"""Reference pages: current, and nothing left out."""

import re
from pathlib import Path

import pytest

from memwarden import reference
from memwarden_api import names

ROOT = Path(__file__).parents[2]
SOURCES = ("crds/src", "core/src", "sidecar/src", "collector/src", "cli/src", "probes/python")


@pytest.mark.parametrize("page", sorted(reference.PAGES))
def test_the_page_is_current(page: str) -> None:
    file = ROOT / "docs" / "reference" / f"{page}.md"
    assert file.read_text() == reference.PAGES[page](), f"run: python -m memwarden.reference {page} > {file}"


def test_every_exit_code_has_its_meaning() -> None:
    assert set(reference.EXIT_CODES) == {name for name in vars(names) if name.startswith("EXIT_")}


def test_every_environment_variable_has_its_meaning() -> None:
    files = [
        file for folder in SOURCES for file in (ROOT / folder).rglob("*.py") if "tests" not in file.parts
    ]
    found = {
        name
        for file in files
        for name in re.findall(r'"(MEMWARDEN_[A-Z_]+)"', file.read_text(errors="replace"))
    }
    assert found
    assert found == {name for name in reference.ENVIRONMENT if name.startswith("MEMWARDEN_")}


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    for line in reference.commands().splitlines():
        if line.startswith("| `"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 3, line


def test_an_unknown_page_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert reference.main(["nonsense"]) == 2
    assert "exit-codes" in capsys.readouterr().err


def test_a_page_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert reference.main(["exit-codes"]) == 0
    assert capsys.readouterr().out == reference.exit_codes()
