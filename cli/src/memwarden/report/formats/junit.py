"""The report as JUnit XML, for the test view of a CI system: one test case a scope.

A case fails when a condition of --fail-on or --max-growth is met, and is skipped when nothing can be said about
it. Names from the watched program may hold anything: what XML does not allow is replaced.
"""

from collections.abc import Iterable
from xml.etree import ElementTree

from memwarden.terminal.summary import lines, printable
from memwarden_api.report import FailCondition, Report, Verdict

_NAME = 200
"""Names are cut here: some viewers show them in one line."""


def render(report: Report) -> str:
    seconds = f"{max(0.0, (report.ended_at - report.started_at).total_seconds()):.3f}"
    cases = [_case(report, verdict, seconds) for verdict in report.verdicts]
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "errors": "0",
        "skipped": str(sum(case.find("skipped") is not None for case in cases)),
        "time": seconds,
    }
    suite = ElementTree.Element(
        "testsuite", {"name": "memwarden", **counts, "timestamp": f"{report.started_at:%Y-%m-%dT%H:%M:%S}"}
    )
    suite.extend(cases)
    counts.pop("skipped")  # of suites only: the Jenkins schema knows no sum of them
    root = ElementTree.Element("testsuites", {"name": "memwarden", **counts})
    root.append(suite)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _case(report: Report, verdict: Verdict, seconds: str) -> ElementTree.Element:
    name = printable(verdict.command)[:_NAME] or printable(verdict.scope)[:_NAME] or "unnamed"
    case = ElementTree.Element("testcase", {"classname": "memwarden", "name": name, "time": seconds})
    conditions = [item for item in report.fail_conditions if item.scope == verdict.scope]
    if met := [item for item in conditions if item.met]:
        details = {"message": printable(_sentence(met)), "type": verdict.verdict}
        ElementTree.SubElement(case, "failure", details).text = _text(report, verdict)
    elif verdict.verdict == "Unknown" or (conditions and all(item.met is None for item in conditions)):
        message = _sentence(conditions) if conditions else verdict.headline
        ElementTree.SubElement(case, "skipped", {"message": printable(message)})
    ElementTree.SubElement(case, "system-out").text = _text(report, verdict)
    return case


def _sentence(conditions: Iterable[FailCondition]) -> str:
    return "; ".join(f"{item.condition}: {item.text}" for item in conditions)


def _text(report: Report, verdict: Verdict) -> str:
    """What the terminal says at the end of a run, of this scope alone."""
    alone = report.model_copy(update={"verdicts": (verdict,)})
    return "\n".join(printable(line) for line in lines(alone, []))
