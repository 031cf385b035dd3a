"""The report as SARIF 2.1.0: the lines that leak, as results of an analysis, for code scanning.

One result for each site that grows, one rule for each verdict. A file below the working directory gets a path
relative to `%SRCROOT%`, so that a report reads the same on every machine; others an absolute one. A verdict
without a line (no site known, or code that is in no file) becomes a notification: code scanning needs at least one
place for each result. Standard: https://docs.oasis-open.org/sarif/sarif/v2.1.0/.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from memwarden.terminal.summary import printable
from memwarden_api.report import Frame, Report, Site, Verdict
from memwarden_core.wording import amount, percent, rate

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT: Final = "%SRCROOT%"
_NAME: Final = 200
_SITES: Final = 10
_LEAST_SHARE: Final = 0.05
"""Sites with a smaller part of the growth are not worth a mark in a pull request."""

# verdict: (rule, level, what it says, what to do)
RULES: Final = {
    "Leaking": (
        "memory-leak",
        "error",
        "Memory that is allocated here is kept and never given back.",
        "Find what holds the objects made on this line: a list, a dict, a cache without a bound, a handler that "
        "is registered and never removed. Bound it, or drop what is no longer needed.",
    ),
    "Growing": (
        "memory-growth",
        "warning",
        "The memory grows; it is not certain yet that it will go on. This line allocates what grows.",
        "Run it for longer, or under steady load. The checks of the report say what is missing for certainty.",
    ),
    "CacheFilling": (
        "cache-filling",
        "note",
        "The memory grows more and more slowly, as a cache does that fills. This line allocates what grows.",
        "Nothing, if the cache has a bound that fits the limit of the memory. Otherwise give it one.",
    ),
    "Fragmented": (
        "fragmentation",
        "note",
        "The program gave its memory back, but the process still holds it. This line allocates much of it.",
        "Allocate large and short-lived blocks in a process of their own, or try another allocator "
        "(MALLOC_ARENA_MAX, jemalloc).",
    ),
}
_ORDER: Final = tuple(RULES)
Json = dict[str, Any]


def render(report: Report, root: Path | None = None) -> str:
    """`root` is what `%SRCROOT%` stands for: the working directory where nothing else is said."""
    root = root or _working_directory()
    results = [result for verdict in report.verdicts for result in _results(verdict, root)]
    driver = {
        "name": "Memwarden",
        "semanticVersion": report.memwarden_version,
        "rules": [_rule(verdict) for verdict in _ORDER],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_ROOT: {"description": {"text": "Where memwarden was called."}}},
        "invocations": [_invocation(report)],
        "results": results,
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(verdict: str) -> Json:
    name, level, meaning, advice = RULES[verdict]
    return {
        "id": name,
        "name": verdict,
        "shortDescription": {"text": meaning},
        "fullDescription": {"text": meaning},
        "help": {"text": f"{meaning} {advice}", "markdown": f"{meaning}\n\n**What to do:** {advice}"},
        "defaultConfiguration": {"level": level},
        "properties": {"tags": ["memory", "performance"]},
    }


def _results(verdict: Verdict, root: Path | None) -> Iterable[Json]:
    if verdict.verdict not in RULES:
        return
    name, level, meaning, _ = RULES[verdict.verdict]
    for site in _marked(verdict):
        frame = Frame(file=site.file, line=site.line, function=site.function)
        stack = {"frames": [{"location": _location(item, root)} for item in site.stack]}
        result = {
            "ruleId": name,
            "ruleIndex": _ORDER.index(verdict.verdict),
            "level": level,
            "message": _message(f"{meaning} {_numbers(site)} {verdict.headline}"),
            "locations": [_location(frame, root)],
            "partialFingerprints": {"memwardenSite/v1": _fingerprint(name, frame, root)},
        }
        yield result | ({"stacks": [stack]} if site.stack else {})


def _marked(verdict: Verdict) -> Sequence[Site]:
    """The sites that carry the growth and are in a file."""
    worth = [site for site in verdict.sites if site.growth_bytes_per_second > 0 and _in_file(site.file)]
    return [site for site in worth[:_SITES] if site is worth[0] or site.growth_share >= _LEAST_SHARE]


def _numbers(site: Site) -> str:
    share = percent(site.growth_share)
    return f"{amount(site.live_bytes)} live, {rate(site.growth_bytes_per_second)}, {share} of the growth."


def _invocation(report: Report) -> Json:
    told = [
        _notification(verdict.headline, RULES[verdict.verdict][1] if verdict.verdict in RULES else "note")
        for verdict in report.verdicts
        if verdict.verdict not in RULES or not _marked(verdict)
    ]
    return {
        "executionSuccessful": not any(verdict.verdict == "Unknown" for verdict in report.verdicts),
        "exitCode": report.exit_code,
        "startTimeUtc": f"{report.started_at:%Y-%m-%dT%H:%M:%SZ}",
        "endTimeUtc": f"{report.ended_at:%Y-%m-%dT%H:%M:%SZ}",
        "toolExecutionNotifications": told + [_notification(note, "note") for note in report.notes],
    }


def _notification(text: str, level: str) -> Json:
    return {"level": level, "message": _message(text)}


def _message(text: str) -> Json:
    """Plain text: `{` would begin a placeholder and `[` a link (§3.11.5, §3.11.6)."""
    line = printable(text).replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    return {"text": line.replace("{", "{{").replace("}", "}}")}


def _location(frame: Frame, root: Path | None) -> Json:
    location: Json = {}
    if _in_file(frame.file):
        place: Json = {"artifactLocation": _artifact(frame.file, root)}
        if frame.line >= 1:
            place["region"] = {"startLine": frame.line}
        location["physicalLocation"] = place
    if name := printable(frame.function)[:_NAME]:
        location["logicalLocations"] = [{"name": name, "kind": "function"}]
    return location


def _artifact(file: str, root: Path | None) -> Json:
    path = os.path.normpath(file)
    if path.startswith("..") and root is not None:
        path = os.path.normpath(root / path)
    if not os.path.isabs(path):
        return {"uri": quote(path, errors="replace"), "uriBaseId": _ROOT}
    if root is not None and Path(path).is_relative_to(root):
        return {"uri": quote(str(Path(path).relative_to(root)), errors="replace"), "uriBaseId": _ROOT}
    return {"uri": "file://" + quote(path, errors="replace")}


def _fingerprint(rule: str, frame: Frame, root: Path | None) -> str:
    """Stays when the line moves, so that a leak that is known is not reported as a new one."""
    key = "\0".join((rule, _artifact(frame.file, root)["uri"], frame.function))
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()


def _in_file(file: str) -> bool:
    """Not `<string>`, `<frozen importlib._bootstrap>`, or nothing."""
    return bool(file) and not file.startswith("<")


def _working_directory() -> Path | None:
    try:
        return Path.cwd()
    except OSError:  # deleted meanwhile
        return None
