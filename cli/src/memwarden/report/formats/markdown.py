"""The report as Markdown, to be read in a pull request: the sentence first, then what supports it.

Everything that comes from the watched program (names, paths, command lines) is escaped: it may hold anything.
"""

import re
from collections.abc import Iterable
from typing import Final

from memwarden.terminal.summary import printable
from memwarden_api.report import Cost, Process, Report, Site, TypeGrowth, Verdict
from memwarden_core.wording import amount, bound_words, duration, duration_range, limit_size, percent, rate

_TOP: Final = 10
_MINUTE: Final = 60
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!])")
_MARKS: Final = {True: "yes", False: "no", None: "not checked"}


def render(report: Report) -> str:
    sections: list[str] = []
    for verdict in report.verdicts:
        sections += _verdict(verdict)
    sections += _run(report)
    return "\n".join(sections).rstrip() + "\n"


def _verdict(verdict: Verdict) -> Iterable[str]:
    yield f"## Memwarden: {verdict.verdict}"
    yield ""
    yield f"**{_text(verdict.headline)}**"
    yield ""
    yield f"{_code(verdict.command)}: {_text(_sentence(verdict.reason))}"
    yield ""
    yield from _facts(verdict)
    yield from _sites(verdict.sites)
    yield from _types(verdict.types)
    yield from _caches(verdict.processes)
    yield from _containers(verdict.processes)
    yield from _advice(verdict)
    yield from _gates(verdict)
    yield from _processes(verdict.processes)


def _facts(verdict: Verdict) -> Iterable[str]:
    yield "| | |"
    yield "|---|---|"
    yield f"| Confidence | {percent(verdict.confidence)} |"
    if verdict.anon_bytes is not None:
        yield f"| Memory | {amount(verdict.anon_bytes)} |"
    if verdict.growth_bytes_per_second is not None:
        interval = verdict.growth_interval_bytes_per_second
        spread = f" (95 %: {rate(interval[0])} to {rate(interval[1])})" if interval else ""
        yield f"| Growth | {rate(verdict.growth_bytes_per_second)}{spread} |"
    if verdict.since is not None:
        yield f"| Growing since | {verdict.since:%Y-%m-%d %H:%M:%S} UTC |"
    if verdict.limit is not None:
        yield f"| Limit | {limit_size(verdict.limit.bytes)} ({verdict.limit.source}) |"
    forecast = verdict.oom_forecast_seconds
    if forecast is not None:
        risk = ", **at risk**" if verdict.at_risk else ""
        span = duration_range(forecast.p10, forecast.p90)
        yield f"| Limit met in | {duration(forecast.p50)} (80 %: {span}){risk} |"
    if verdict.cause:
        yield f"| Cause | {_text(verdict.cause)} |"
    yield ""


def _sites(sites: tuple[Site, ...]) -> Iterable[str]:
    yield "### Where the memory was allocated"
    yield ""
    if not sites:
        yield "No allocation site is known; the processes below say how each was watched."
        yield ""
        return
    yield "| Line | Function | Live | Growth | Share of growth | Samples |"
    yield "|---|---|--:|--:|--:|--:|"
    for site in sites[:_TOP]:
        where = _code(f"{site.file}:{site.line}")
        yield (
            f"| {where} | {_code(site.function)} | {amount(site.live_bytes)} | "
            f"{rate(site.growth_bytes_per_second)} | {percent(site.growth_share)} | {site.samples} |"
        )
    yield ""
    if stack := sites[0].stack:
        yield "<details><summary>Stack of the first, innermost frame first</summary>"
        yield ""
        for frame in stack:
            yield f"- {_code(f'{frame.file}:{frame.line}')} {_code(frame.function)}"
        yield ""
        yield "</details>"
        yield ""


def _types(types: tuple[TypeGrowth, ...]) -> Iterable[str]:
    if not types:
        return
    yield "### Types of objects"
    yield ""
    yield "| Type | Objects | Size | Growth |"
    yield "|---|--:|--:|--:|"
    for growth in types[:_TOP]:
        yield (
            f"| {_code(growth.name)} | {growth.count:,} | {amount(growth.bytes)} | "
            f"{growth.growth_count_per_second * _MINUTE:+,.0f} objects/min |"
        )
    yield ""


def _caches(processes: tuple[Process, ...]) -> Iterable[str]:
    found = [(process.pid, cache) for process in processes for cache in process.caches]
    if not found:
        return
    yield "### Caches"
    yield ""
    yield "| Cache | Kind | PID | Entries | Bound | Hit rate | More entries |"
    yield "|---|---|--:|--:|--:|--:|--:|"
    for pid, cache in found[:_TOP]:
        where = f" {_code(f'{cache.file}:{cache.line}')}" if cache.file else ""
        bound = bound_words(cache.bound, cache.bound_bytes, cache.bound_seconds)
        rate = "" if cache.hit_rate is None else percent(cache.hit_rate)
        yield (
            f"| {_code(cache.name)}{where} | {_code(cache.kind)} | {pid} | {cache.entries:,} | {bound} | {rate} | "
            f"{cache.growth_entries:+,} |"
        )
    yield ""


def _containers(processes: tuple[Process, ...]) -> Iterable[str]:
    found = [(process.pid, container) for process in processes for container in process.containers]
    if not found:
        return
    yield "### Large containers"
    yield ""
    yield "| Container | Type | PID | Entries | More entries |"
    yield "|---|---|--:|--:|--:|"
    for pid, container in found[:_TOP]:
        growth = f"{container.growth_entries:+,}"
        yield f"| {_code(container.name)} | {_code(container.type)} | {pid} | {container.entries:,} | {growth} |"
    yield ""


def _advice(verdict: Verdict) -> Iterable[str]:
    if not verdict.advice:
        return
    yield "### What to do"
    yield ""
    for advice in verdict.advice:
        stake = f" ({amount(advice.bytes_at_stake)} at stake)" if advice.bytes_at_stake else ""
        yield f"- {_text(advice.text)}{stake}"
    yield ""


def _gates(verdict: Verdict) -> Iterable[str]:
    if not verdict.gates:
        return
    yield "### Checks"
    yield ""
    yield "| Check | Passed | Value | Threshold | |"
    yield "|---|---|--:|--:|---|"
    for gate in verdict.gates:
        unit = f" {gate.unit}" if gate.unit else ""
        value = "" if gate.value is None else f"{gate.value:.4g}{unit}"
        threshold = "" if gate.threshold is None else f"{gate.threshold:.4g}{unit}"
        yield f"| {_text(gate.name)} | {_MARKS[gate.passed]} | {value} | {threshold} | {_text(gate.text)} |"
    yield ""


def _processes(processes: tuple[Process, ...]) -> Iterable[str]:
    yield "### Processes"
    yield ""
    if not processes:
        yield "No process was seen: the command ended before the first sample."
        yield ""
        return
    yield "| PID | Command | Runtime | Memory | Watched |"
    yield "|--:|---|---|--:|---|"
    for process in processes:
        memory = "" if process.anon_bytes is None else amount(process.anon_bytes)
        watched = "allocation sites" if process.probe == "hooked" else "from outside"
        why = f": {_text(process.probe_reason)}" if process.probe_reason else ""
        what = f"{_code(process.command)} | {_text(process.runtime)}"
        yield f"| {process.pid} | {what} | {memory} | {watched}{why} |"
    yield ""


def _run(report: Report) -> Iterable[str]:
    seconds = (report.ended_at - report.started_at).total_seconds()
    yield "### How it was measured"
    yield ""
    ended = ""  # a kept file has no exit codes in it
    if report.app_exit_code is not None:
        ended = f"; the command ended with {report.app_exit_code}, memwarden with {report.exit_code}"
    yield (
        f"{duration(seconds)} from {report.started_at:%Y-%m-%d %H:%M:%S} UTC, one sample every "
        f"{report.interval_seconds:g} s{ended} (memwarden {report.memwarden_version})."
    )
    yield ""
    yield from _cost(report.cost)
    for note in report.notes:
        yield f"- {_text(note)}"


def _cost(cost: Cost) -> Iterable[str]:
    if not cost.components:
        return
    yield "| Part of Memwarden | CPU time | Peak memory |"
    yield "|---|--:|--:|"
    for part in cost.components:
        peak = "in the command's" if part.peak_rss_bytes is None else amount(part.peak_rss_bytes)
        yield f"| {_text(part.name)} | {part.cpu_seconds:.2f} s | {peak} |"
    yield ""
    facts = []
    if cost.cpu_ratio is not None:
        facts.append(f"{percent(cost.cpu_ratio)} of one core in all")
    if cost.start_to_first_sample_seconds is not None:
        facts.append(f"first sample {cost.start_to_first_sample_seconds:.1f} s after the start")
    if facts:
        yield ", ".join(facts) + "."
        yield ""


def _sentence(text: str) -> str:
    return text if not text or text[-1] in ".!?" else f"{text}."


def _text(text: str) -> str:
    """Plain words, whatever they hold: one line, nothing that Markdown or HTML would act on."""
    return _SPECIAL.sub(r"\\\1", printable(text)).replace("&", "&amp;").replace("@", "@\u200b")


def _code(text: str) -> str:
    """A name or path as code. In a table a bar must be escaped even there."""
    line = printable(text).replace("|", "\\|")
    if not line:
        return ""
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"
