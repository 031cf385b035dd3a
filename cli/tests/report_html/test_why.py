"""`memwarden why`: the check that decided, and all others with their numbers."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from memwarden.main import main
from memwarden_core.gates import NAMES

Kept = Callable[[str], Path]


def test_a_leak_names_the_check_that_it_passed_most_narrowly(kept: Kept, capsys: Any) -> None:
    assert main(["why", str(kept("leak"))]) == 0
    out = capsys.readouterr().out
    assert out.startswith("LEAKING")
    assert "The check passed most narrowly: " in out
    assert out.count("← passed most narrowly") == 1
    assert all(re.search(rf"\b{name}\b", out.replace("-\n      ", "-")) for name in NAMES)
    assert "\x1b" not in out, "colours are for terminals"


def test_what_is_no_leak_names_the_check_that_decided(kept: Kept, capsys: Any) -> None:
    assert main(["why", str(kept("steady")), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "Healthy"
    decided = next(gate for gate in told["gates"] if gate["name"] == told["decided_by"])
    assert decided["passed"] is False
    assert [gate["name"] for gate in told["gates"]] == list(NAMES)


def test_the_dial_moves_the_moment_and_not_the_facts(kept: Kept, capsys: Any) -> None:
    def told(*words: str) -> dict[str, Any]:
        assert main(["why", str(kept("leak")), "--json", *words]) == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    assert told("--to", "66s")["verdict"] == "Growing"
    assert told("--to", "120s")["verdict"] == "Leaking", "as the run was watched: eagerly"
    for sensitivity in ("low", "normal"):
        late = told("--to", "120s", "--sensitivity", sensitivity)
        assert (late["verdict"], late["decided_by"]) == ("Growing", "lasting")


@pytest.mark.parametrize("name", ["empty", "one-sample", "hostile"])
def test_too_little_and_hostile_names(kept: Kept, name: str, capsys: Any) -> None:
    assert main(["why", str(kept(name))]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 110


def test_it_needs_to_know_of_what(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MEMWARDEN_DATABASE_URL", raising=False)
    assert main(["why"]) == 125
    assert "name a file made with memwarden run --keep FILE" in capsys.readouterr().err
