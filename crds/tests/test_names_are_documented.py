"""Whatever a person may meet in a status, an event or a pod has its place in the reference, and nothing else has."""

import re
from pathlib import Path

import pytest

from memwarden_api import names

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
PAGE = (REFERENCE / "conditions.md").read_text()
SECTIONS = {title: body for title, _, body in (part.partition("\n") for part in PAGE.split("\n## ")[1:])}
PLACES = {
    "Conditions": ("CONDITION_", "REASON_"),
    "Why a pod is not watched": ("SKIP_", "MISSED_"),
    "Why injection of a workload was stopped": ("STOP_",),
    "Why a workload is left alone": ("DECIDED", "REFUSED_"),
    "How far a HeapSnapshot is": ("CAPTURE",),
    "Events": ("EVENT_",),
}


@pytest.mark.parametrize("section", PLACES)
def test_every_word_has_a_row_and_every_row_is_a_word(section: str) -> None:
    given = {value for name, value in vars(names).items() if name.startswith(PLACES[section])}
    words = {value for value in given if re.fullmatch(r"\w+", value)}  # names of OTLP's events have dots
    rows = re.findall(r"^\| `(\w+)`", SECTIONS[section], re.MULTILINE)
    assert sorted(rows) == sorted(words)


def test_every_key_of_pods_and_namespaces_has_a_row() -> None:
    keys = {
        value
        for value in vars(names).values()
        if isinstance(value, str) and value.startswith(f"{names.GROUP}/")
    }
    rows = set(re.findall(r"^\| `([\w./-]+)`", SECTIONS["Labels and annotations"], re.MULTILINE))
    assert rows == keys - {names.API_VERSION}


@pytest.mark.parametrize("kind", [value for name, value in vars(names).items() if name.startswith("KIND_")])
def test_every_kind_has_a_page(kind: str) -> None:
    assert f"# {kind}" in (REFERENCE / f"{kind.lower()}.md").read_text()
