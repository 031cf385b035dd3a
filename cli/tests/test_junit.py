"""JUnit XML. There is no standard; what is checked here is what the schema of Jenkins' xunit plugin allows
(junit-10.xsd), element by element; test_public_schemas.py has the schema itself.
"""

import re
from xml.etree import ElementTree

import pytest
from made_reports import HOSTILE, condition, report, site, verdict

from memwarden.report.formats import junit
from memwarden_api.report import Report

# element: (attributes it must have, attributes it may have, children in any number)
ALLOWED: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "disabled", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests"},
        {"failures", "errors", "skipped", "time", "timestamp", "hostname", "id"},
        {"properties", "testcase", "system-out", "system-err"},
    ),
    "testcase": ({"name"}, {"classname", "time", "status"}, {"skipped", "failure", "error", "system-out"}),
    "failure": (set(), {"message", "type"}, set()),
    "skipped": (set(), {"message", "type"}, set()),
    "system-out": (set(), set(), set()),
}


def parsed(made: Report) -> ElementTree.Element:
    """The root, if the whole file is what JUnit readers accept."""
    root = ElementTree.fromstring(junit.render(made).encode())
    assert root.tag == "testsuites"
    for element in root.iter():
        needed, possible, children = ALLOWED[element.tag]
        assert needed <= set(element.attrib) <= needed | possible, element.tag
        assert {child.tag for child in element} <= children
        for name in ("tests", "failures", "errors", "skipped"):
            assert element.get(name, "0").isdigit()
        assert re.fullmatch(r"\d+\.\d{3}", element.get("time", "0.000"))
    [suite] = root
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.attrib["timestamp"])
    assert int(suite.attrib["tests"]) == len(suite.findall("testcase"))
    assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure"))
    assert int(suite.attrib["skipped"]) == len(suite.findall("testcase/skipped"))
    return suite


def test_a_case_fails_when_a_condition_is_met() -> None:
    [case] = parsed(report(verdict(sites=(site("app.py"),)), conditions=(condition(True),)))
    failure = case.find("failure")
    assert failure is not None
    assert failure.attrib == {"message": "leak: the verdict is so", "type": "Leaking"}
    assert "app.py:7 handle" in (failure.text or "")


def test_without_a_condition_nothing_fails_and_the_verdict_is_told() -> None:
    for made in (report(verdict()), report(verdict(), conditions=(condition(False),))):
        [case] = parsed(made)
        assert [child.tag for child in case] == ["system-out"]
        assert "Leaking" in (case[0].text or "")


def test_what_could_not_be_checked_is_skipped() -> None:
    for made in (report(verdict("WarmingUp"), conditions=(condition(None),)), report(verdict("Unknown"))):
        [case] = parsed(made)
        assert case.find("skipped") is not None


def test_each_scope_is_a_case_with_its_own_conditions() -> None:
    made = report(
        verdict(scope="a"), verdict(scope="b"), conditions=(condition(True, "a"), condition(False, "b"))
    )
    assert [case.find("failure") is not None for case in parsed(made)] == [True, False]


def test_an_empty_report_is_an_empty_suite() -> None:
    assert parsed(report()).attrib["tests"] == "0"


@pytest.mark.parametrize("text", [HOSTILE, "", " "])
def test_hostile_names(text: str) -> None:
    made = report(verdict(text=text, scope=text), conditions=(condition(True),))
    [case] = parsed(made)
    assert 0 < len(case.attrib["name"]) <= 200
    rendered = junit.render(made)
    assert "<script>" not in rendered
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e\ufffe]", rendered)
