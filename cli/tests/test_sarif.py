"""SARIF 2.1.0, held against the parts of the standard that a report uses (OASIS SARIF 2.1.0, §3): which properties
an object may have, their types, and what its text says beyond the schema; test_public_schemas.py has the schema itself.
"""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from made_reports import HOSTILE, report, site, verdict

from memwarden.report.formats import sarif
from memwarden_api.report import Report, Site, Verdict
from memwarden_core.wording import amount

ROOT = Path("/srv/shop")
LEVELS = ("none", "note", "warning", "error")

# object: {property: (must it be there, its type, or the name of its object; a list of one holds many)}
OBJECTS: dict[str, dict[str, tuple[bool, Any]]] = {
    "log": {"$schema": (True, str), "version": (True, str), "runs": (True, ["run"])},
    "run": {
        "tool": (True, "tool"), "columnKind": (False, str), "originalUriBaseIds": (False, dict),
        "invocations": (False, ["invocation"]), "results": (True, ["result"]),
    },
    "tool": {"driver": (True, "driver")},
    "driver": {"name": (True, str), "semanticVersion": (False, str), "rules": (False, ["rule"])},
    "rule": {
        "id": (True, str), "name": (False, str), "shortDescription": (False, "text"),
        "fullDescription": (False, "text"), "help": (False, "text"),
        "defaultConfiguration": (False, "configuration"), "properties": (False, dict),
    },
    "configuration": {"level": (True, str)},
    "text": {"text": (True, str), "markdown": (False, str)},
    "invocation": {
        "executionSuccessful": (True, bool), "exitCode": (False, int), "startTimeUtc": (False, str),
        "endTimeUtc": (False, str), "toolExecutionNotifications": (False, ["notification"]),
    },
    "notification": {"level": (True, str), "message": (True, "text")},
    "result": {
        "ruleId": (True, str), "ruleIndex": (True, int), "level": (True, str), "message": (True, "text"),
        "locations": (True, ["location"]), "partialFingerprints": (False, dict), "stacks": (False, ["stack"]),
    },
    "stack": {"frames": (True, ["frame"])},
    "frame": {"location": (False, "location")},
    "location": {"physicalLocation": (False, "place"), "logicalLocations": (False, ["logical"])},
    "logical": {"name": (True, str), "kind": (False, str)},
    "place": {"artifactLocation": (True, "artifact"), "region": (False, "region")},
    "artifact": {"uri": (True, str), "uriBaseId": (False, str)},
    "region": {"startLine": (True, int)},
}  # fmt: skip


def hold(value: Any, kind: Any) -> None:
    if isinstance(kind, list):
        assert isinstance(value, list)
        for item in value:
            hold(item, kind[0])
    elif isinstance(kind, str):
        known = OBJECTS[kind]
        assert set(value) <= set(known), f"{kind} has no {set(value) - set(known)}"
        for name, (needed, inner) in known.items():
            assert name in value or not needed, f"{kind} needs {name}"
            if name in value:
                hold(value[name], inner)
        further(kind, value)
    else:
        assert type(value) is kind


def further(kind: str, value: Any) -> None:
    """What the standard says in words, and its patterns."""
    if "level" in value:
        assert value["level"] in LEVELS
    if kind == "artifact":
        assert re.fullmatch(r"[A-Za-z0-9._~/:%-]+", value["uri"]), "an URI is ASCII, the rest in per cent"
        if value.get("uriBaseId"):
            assert not value["uri"].startswith("/")
            assert ".." not in value["uri"].split("/")
        else:
            assert value["uri"].startswith("file:///")
    if kind == "region":
        assert value["startLine"] >= 1
    if kind == "text":
        assert value["text"]
        assert value["text"].isprintable()
    if kind == "stack":
        assert value["frames"]
    if kind == "invocation":
        for name in ("startTimeUtc", "endTimeUtc"):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value[name])


def parsed(made: Report) -> Any:
    """The only run of the file, if all of it is SARIF, and what GitHub asks for beside."""
    log = json.loads(sarif.render(made, ROOT).encode())
    hold(log, "log")
    assert log["version"] == "2.1.0"
    [run] = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        [location] = result["locations"]
        assert location["physicalLocation"]["artifactLocation"]["uri"]
    return run


def with_sites(*sites: Site, kind: str = "Leaking", text: str = "python app.py") -> Verdict:
    return verdict(kind, text=text, sites=sites)


def artifact(file: str) -> dict[str, str]:
    [result] = parsed(report(with_sites(site(file))))["results"]
    found: dict[str, str] = result["locations"][0]["physicalLocation"]["artifactLocation"]
    return found


def test_a_leaking_line_is_an_error() -> None:
    [result] = parsed(report(with_sites(site())))["results"]
    assert (result["ruleId"], result["level"]) == ("memory-leak", "error")
    place = result["locations"][0]["physicalLocation"]
    assert place == {
        "artifactLocation": {"uri": "app.py", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 7},
    }
    assert amount(5_000_000) in result["message"]["text"]
    assert len(result["stacks"][0]["frames"]) == 2


def test_each_verdict_has_a_rule_with_help_and_those_without_a_fault_no_result() -> None:
    levels = {}
    for kind in ("Leaking", "Growing", "CacheFilling", "Fragmented", "Healthy", "WarmingUp", "Unknown"):
        run = parsed(report(with_sites(site(), kind=kind)))
        levels[kind] = [result["level"] for result in run["results"]]
        told = [note["message"]["text"] for note in run["invocations"][0]["toolExecutionNotifications"]]
        assert any(kind in text for text in told) is not bool(levels[kind]), "told once, here or there"
    assert levels == {
        "Leaking": ["error"], "Growing": ["warning"], "CacheFilling": ["note"], "Fragmented": ["note"],
        "Healthy": [], "WarmingUp": [], "Unknown": [],
    }  # fmt: skip
    assert all(rule["help"]["text"] for rule in run["tool"]["driver"]["rules"])


@pytest.mark.parametrize(
    ("file", "uri", "below"),
    [
        ("/srv/shop/a b/ü#?.py", "a%20b/%C3%BC%23%3F.py", True),
        ("lib/app.py", "lib/app.py", True),
        ("./app.py", "app.py", True),
        ("a:b.py", "a%3Ab.py", True),
        ("/srv/shop/../other/app.py", "file:///srv/other/app.py", False),
        ("/srv/shopping/app.py", "file:///srv/shopping/app.py", False),
        ("../app.py", "file:///srv/app.py", False),
    ],
)
def test_paths(file: str, uri: str, below: bool) -> None:
    found = artifact(file)
    assert found["uri"] == uri
    assert ("uriBaseId" in found) is below


def test_a_verdict_without_a_line_is_a_notification() -> None:
    for sites in ((), (site("<string>"),), (site(""),), (site(growth_bytes_per_second=-1.0),)):
        run = parsed(report(with_sites(*sites)))
        assert run["results"] == []
        [note] = run["invocations"][0]["toolExecutionNotifications"]
        assert note["level"] == "error"


def test_small_parts_of_the_growth_are_left_out() -> None:
    sites = (site(line=1, growth_share=0.01), site(line=2, growth_share=0.5), site(line=3, growth_share=0.01))
    results = parsed(report(with_sites(*sites)))["results"]
    assert [item["locations"][0]["physicalLocation"]["region"]["startLine"] for item in results] == [1, 2]


def test_a_leak_keeps_its_fingerprint_when_its_line_moves() -> None:
    results = parsed(report(with_sites(site(line=1), site(line=2), site(line=1, function="other"))))[
        "results"
    ]
    first, moved, other = (item["partialFingerprints"]["memwardenSite/v1"] for item in results)
    assert first == moved != other


def test_hostile_names() -> None:
    run = parsed(report(with_sites(site(f"/srv/shop/{HOSTILE}.py", function=HOSTILE, line=0), text=HOSTILE)))
    [result] = run["results"]
    assert "region" not in result["locations"][0]["physicalLocation"]
    assert "<script>" in unquote(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])


def test_braces_and_brackets_are_not_placeholders_and_links() -> None:
    made = with_sites(site()).model_copy(update={"headline": "LEAKING in {0} and [here](1)"})
    [result] = parsed(report(made))["results"]
    assert "{{0}}" in result["message"]["text"]
    assert "\\[here\\](1)" in result["message"]["text"]


def test_without_a_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert "file:///srv/shop/app.py" in sarif.render(report(with_sites(site())))
