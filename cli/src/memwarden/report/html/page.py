"""The page as a whole: head, sections, data, and a content policy under which nothing but our own code can run."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from memwarden.report.html import sections
from memwarden.report.html.chart import chart, end_level
from memwarden.report.html.holdings import holdings
from memwarden.report.html.markup import Content, Markup, data_block, shown, tag
from memwarden.report.html.profile import Heap, Packed, ages, heap, pack, table
from memwarden.report.html.types import types
from memwarden_api.report import Report, Verdict
from memwarden_core.recording import AGE_BOUNDS_SECONDS, Frame, Recording
from memwarden_core.wording import amount, duration, percent

_NEEDS_SCRIPT: Final = (
    "This part is drawn by JavaScript, which is switched off here; open the file in a browser."
)
_QUARTER: Final = 0.25


@dataclass(frozen=True, slots=True)
class Parts:
    """What goes between the head and the end of a page."""

    sections: Sequence[Markup]
    data: dict[str, Any]
    packed: Sequence[tuple[str, Packed]]
    """Flame graphs by the id of their block."""


def page(
    report: Report, recording: Recording | None, why_no_recording: str = "", extra: Parts | None = None
) -> str:
    """The file. `extra` comes right below the verdict: the difference of two runs."""
    verdict = report.verdicts[0]
    parts = _parts(report, verdict, recording, why_no_recording)
    packed = [*parts.packed, *(extra.packed if extra else ())]
    data = parts.data | (extra.data if extra else {})
    body = [
        tag("a", "To the report", href="#main", class_="skip"),
        _bar(extra is not None),
        tag(
            "main",
            sections.head(verdict, report),
            *(extra.sections if extra else ()),
            sections.figures(verdict, report, end_level(recording) if recording else None),
            *parts.sections,
            id="main",
        ),
        tag(
            "footer",
            "Memwarden ",
            report.memwarden_version,
            " · this file is complete in itself and asks no network",
        ),
        data_block("data", data),
        *(_packed_block(identity, one) for identity, one in packed),
    ]
    return _document(f"{sections.NAMES[verdict.verdict]}: {shown(verdict.command, 80)}", body)


def _document(title: str, body: Sequence[Markup]) -> str:
    style, script = _asset("bundle.css"), _asset("bundle.js")
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{title} · Memwarden"),
        Markup(f"<style>{style}</style>"),
    ]
    page_body = tag("body", *body, Markup(f"<script>{script}</script>"))
    return f'<!doctype html>\n<html lang="en">\n<head>{"".join(head)}</head>\n{page_body}\n</html>\n'


@cache
def _asset(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _packed_block(identity: str, packed: Packed) -> Markup:
    # Base64 holds no character that could end the element.
    return Markup(f'<script type="text/plain" id="{identity}">{packed.text}</script>')


def _bar(compared: bool) -> Markup:
    names = [
        *([("difference", "Difference")] if compared else []),
        ("memory", "Memory"), ("heap", "Flame graph"), ("sites", "Lines"), ("types", "Types"), ("held", "Held"),
        ("ages", "Ages"), ("checks", "Decision"), ("processes", "Processes"), ("measured", "Measured"),
    ]  # fmt: skip
    links = (tag("a", name, href=f"#{identity}") for identity, name in names)
    toggle = tag("button", "Dark", type="button", id="theme", hidden=True)
    return tag(
        "nav",
        tag("b", "memwarden"),
        tag("div", links, class_="links"),
        toggle,
        class_="bar",
        aria_label="Sections",
    )


def _parts(report: Report, verdict: Verdict, recording: Recording | None, why: str) -> Parts:
    if recording is None:
        missing = sections.empty(
            f"The samples of this run are not in this file: {why or 'they were not kept'}."
        )
        found = [
            sections.section("memory", "Memory", missing),
            sections.advice(verdict),
            sections.sites(verdict, False),
            holdings(verdict),
        ]
        return Parts([*found, *_end(report, verdict)], {"has": {}}, [])
    source = heap(recording)
    packed = pack(table(source)) if source.times.size else None
    data = {
        "interval": recording.interval,
        "chart": chart(recording, verdict),
        "heap": _heap_data(source, verdict) if packed else None,
    }
    named = packed is not None and packed.stacks > 0
    found = [
        _memory(recording),
        sections.advice(verdict),
        _flame(verdict, packed, source) if packed and named else _no_flame(verdict),
        sections.sites(verdict, named),
        _types(recording, verdict),
        holdings(verdict),
        _ages(verdict) if named else Markup(),
        *_end(report, verdict),
    ]
    return Parts(found, data, [("heap-stacks", packed)] if packed and named else [])


def _end(report: Report, verdict: Verdict) -> list[Markup]:
    return [sections.checks(verdict), sections.processes(verdict), sections.measured(report)]


def _memory(recording: Recording) -> Markup:
    samples = max((series.time.size for series in recording.series.values()), default=0)
    if samples == 0:
        content: Content = sections.empty(
            "No sample of the memory was taken: the command ended before the first one. "
            "A shorter --interval sees shorter programs."
        )
    elif samples == 1:
        content = sections.empty(
            f"Only one sample of the memory was taken: {amount(end_level(recording) or 0)}. "
            "Watch longer, or with a shorter --interval, to see it change."
        )
    else:
        content = [script_part("chart"), _history_list()]
    return sections.section("memory", "Memory over time", content)


def _history_list() -> Markup:
    return tag(
        "details",
        tag("summary", "Verdicts as they were given"),
        tag("ol", id="history"),
        id="history-box",
        hidden=True,
    )


def script_part(identity: str, label: str = "") -> Markup:
    """A place that the script fills; what it says without one."""
    return tag("div", tag("noscript", sections.empty(_NEEDS_SCRIPT)), id=identity, aria_label=label or None)


def _heap_data(source: Heap, verdict: Verdict) -> dict[str, Any]:
    start, times = source.recording.started, source.times
    first = start + _QUARTER * (source.recording.ended - start)
    from_ = int(abs(times - first).argmin()) if times.size > 1 else 0
    named = [Frame(site.file, site.line, site.function) for site in verdict.sites]
    sites = list(dict.fromkeys(named))
    return {
        "moments": [round(float(time) - start, 2) for time in times],
        "from": min(from_, max(0, times.size - 2)),
        "ages": ages(source, sites),
        "ageSites": [{"file": shown(s.file), "line": s.line, "function": shown(s.function)} for s in sites],
        "ageBounds": list(AGE_BOUNDS_SECONDS),
    }


def _flame(verdict: Verdict, packed: Packed, source: Heap) -> Markup:
    said = (
        "Each bar is a call; its width is the memory that was allocated below it and still lives. Sizes are "
        "estimated from samples."
    )
    if packed.left_out:
        said += (
            f" The {packed.left_out} smallest of {packed.stacks + packed.left_out} stacks, "
            f"{percent(packed.left_out_share)} of the bytes at the end, are summed in one bar to keep this file small."
        )
    outside = [p for p in verdict.processes if p.probe != "hooked"]
    if outside:
        size = sum(process.anon_bytes or 0 for process in outside)
        count = f"{len(outside)} process{'es' if len(outside) > 1 else ''}"
        said += f" What {count} watched from outside hold ({amount(size)}) is not in it."
    return sections.section("heap", "Where living memory was allocated", script_part("flame"), note=said)


def _no_flame(verdict: Verdict) -> Markup:
    hooked = [process for process in verdict.processes if process.probe == "hooked"]
    if not hooked:
        why = (
            "No allocation was seen, because no process was watched from inside; “Processes” below says why for each. "
            "Programs in Python are watched from inside when memwarden run starts them."
        )
    else:
        why = (
            "No allocation was sampled yet: the program ended before the first profile, or it allocates little. "
            "Run it longer, or with a smaller --sampling."
        )
    return sections.section("heap", "Where living memory was allocated", sections.empty(why))


def _types(recording: Recording, verdict: Verdict) -> Markup:
    rows = types(recording)
    title = "Types of objects"
    if not rows:
        return sections.section(
            "types", title,
            sections.empty("Objects were not counted: that needs a Python program that is watched from inside, "
                           "and some seconds for the first census."),
        )  # fmt: skip
    several = len({row.pid for row in rows}) > 1
    minutes = max(recording.ended - recording.started, 1e-3) / 60
    columns = [("Type", ""), *([("PID", "num")] if several else []), ("Objects", "num"), ("Size", "num"),
               ("More objects", "num"), ("More bytes", "num"), ("Per minute", "num")]  # fmt: skip
    body = (
        tag(
            "tr",
            tag("td", tag("code", shown(row.name, 160)), title=shown(row.name)),
            sections.cell(str(row.pid), row.pid) if several else None,
            sections.cell(f"{row.count:,}", row.count),
            sections.cell(amount(row.size_bytes), row.size_bytes),
            sections.cell(f"{row.growth_count:+,}" if row.growth_count else "0", row.growth_count),
            sections.cell(signed(row.growth_bytes), row.growth_bytes),
            sections.cell(
                f"{signed(row.growth_bytes / minutes)}/min" if row.growth_bytes else "0", row.growth_bytes
            ),
        )
        for row in rows
    )
    note = f"Objects that the garbage collector knows, counted every few seconds over {duration(minutes * 60)}; " \
           "sizes are of the objects alone, without what they refer to."  # fmt: skip
    return sections.section("types", title, sections.table(columns, body), note=note)


def signed(size: float) -> str:
    return f"{'+' if size > 0 else ''}{amount(size)}" if size else "0"


def _ages(verdict: Verdict) -> Markup:
    note = (
        "How long ago what lives was allocated. Memory of requests is young; what only grows old is kept. "
        "The moment is the one chosen at the flame graph."
    )
    return sections.section("ages", "Age of what lives", script_part("ages-chart"), note=note)
