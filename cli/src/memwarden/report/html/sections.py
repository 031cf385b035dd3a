"""The words and tables of the page, as static HTML: they need no JavaScript and print as they are."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from memwarden.report.html.checks import asked, groups, number, words
from memwarden.report.html.markup import Content, Markup, shown, tag
from memwarden_api.report import Cost, Gate, Process, Report, Site, Verdict
from memwarden_core.code import short_path
from memwarden_core.wording import amount, duration, duration_range, limit_size, percent, rate

_SITES: Final = 10
_PROCESSES: Final = 200
NAMES: Final = {
    "Healthy": "Healthy",
    "WarmingUp": "Warming up",
    "Growing": "Growing",
    "Leaking": "Leaking",
    "CacheFilling": "Cache filling",
    "Fragmented": "Fragmented",
    "Unknown": "Unknown",
}
_MEANINGS: Final = {
    "Healthy": "Memory does not grow.",
    "WarmingUp": "The program was watched too shortly to say anything.",
    "Growing": "Memory grows; it is not certain yet that it is a leak.",
    "Leaking": "Memory grows without end, and it was checked that this is no cache, no warm-up and no load.",
    "CacheFilling": "Memory grows ever slower towards a bound, as a cache does.",
    "Fragmented": "The program has freed memory that the process still holds.",
    "Unknown": "Too little was seen to say anything.",
}
# Paths on a 16 × 16 grid: a verdict is told by its shape and word too, never by colour alone.
_ICONS: Final = {
    "Healthy": "M3 8.5l3.2 3.2L13 4.8",
    "WarmingUp": "M8 3.5V8l3 2M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 1 0 0-13",
    "Growing": "M2 12l4.2-4.2 3 3L14 5M9.8 5H14v4.2",
    "Leaking": "M8 1.8c2.6 3.3 4.2 5.6 4.2 7.9a4.2 4.2 0 1 1-8.4 0C3.8 7.400 5.4 5.100 8 1.800z",
    "CacheFilling": "M2 13C4 6 8 4.500 14 4.500M2 2.500h12",
    "Fragmented": "M2.500 2.500h4v4h-4zM9.500 2.500h4v4h-4zM2.500 9.500h4v4h-4zM9.500 11.500h4",
    "Unknown": "M5.600 6a2.500 2.500 0 1 1 3.600 2.200c-.8.4-1.200.9-1.200 1.800M8 12.900v.2",
}


def head(verdict: Verdict, report: Report) -> Markup:
    """Badge, sentence, what was watched."""
    return tag(
        "header",
        tag(
            "p",
            badge(verdict.verdict),
            tag("span", _MEANINGS[verdict.verdict], class_="meaning"),
            class_="status",
        ),
        tag("h1", _headline(verdict)),
        tag("p", tag("code", verdict.command or "(no command is known)"), class_="command"),
        class_="head",
        data_verdict=verdict.verdict,
    )


def badge(verdict: str) -> Markup:
    return tag("span", icon(verdict), NAMES.get(verdict, verdict), class_=f"badge v-{verdict}")


def icon(verdict: str) -> Markup:
    path = _ICONS.get(verdict, _ICONS["Unknown"])
    return tag("svg", tag("path", d=path), viewBox="0 0 16 16", aria_hidden="true", class_="icon")


def _headline(verdict: Verdict) -> str:
    """The judge's sentence without the verdict in capitals, which the badge says already."""
    first, separator, rest = verdict.headline.partition(": ")
    if separator and first.isascii() and first.split(",")[0].isupper():
        word = rest.split(" ")[0]
        return rest[:1].upper() + rest[1:] if word.isalpha() else rest  # a path keeps its first letter
    return verdict.headline


def figures(verdict: Verdict, report: Report, level: float | None) -> Markup:
    """The numbers that people ask for first."""
    seconds = (report.ended_at - report.started_at).total_seconds()
    found: list[tuple[str, str, str]] = []
    memory = verdict.anon_bytes if level is None else level
    if memory is not None:
        found.append(("Memory at the end", amount(memory), "anonymous memory, all processes"))
    if verdict.growth_bytes_per_second is not None:
        spread = verdict.growth_interval_bytes_per_second
        beside = f"95 % sure: {_between(*spread)}" if spread else ""
        found.append(("Growth", rate(verdict.growth_bytes_per_second), beside))
    if verdict.since is not None:
        ago = (report.ended_at - verdict.since).total_seconds()
        found.append(
            ("Growing since", f"{verdict.since:%H:%M:%S}", f"UTC, {duration(max(0.0, ago))} before the end")
        )
    forecast, limit = verdict.oom_forecast_seconds, verdict.limit
    if forecast is not None:
        span = duration_range(forecast.p10, forecast.p90)
        found.append(("Limit met in", duration(forecast.p50), f"80 % sure: {span}, if it goes on like this"))
    if limit is not None:
        found.append(("Limit", limit_size(limit.bytes), _LIMITS[limit.source]))
    if verdict.verdict not in ("Unknown", "WarmingUp"):
        found.append(("Confidence", percent(verdict.confidence), "that the verdict is right"))
    found.append(("Watched", duration(seconds), f"a sample every {report.interval_seconds:g} s"))
    return tag(
        "dl",
        (
            tag("div", tag("dt", name), tag("dd", value, tag("small", note) if note else None))
            for name, value, note in found
        ),
        class_="figures",
    )


def _between(low: float, high: float) -> str:
    """A range of rates; how wide it is where both ends read the same."""
    if rate(low) != rate(high):
        return f"{rate(low)} to {rate(high)}".replace("+0 B/day", "0")
    return f"± {amount((high - low) / 2 * 60)}/min"


_LIMITS: Final = {
    "option": "as given with --memory-limit",
    "cgroup": "of the cgroup",
    "available": "free on the machine at the start",
}


def advice(verdict: Verdict) -> Markup:
    if not verdict.advice and not verdict.cause:
        return Markup()
    items = (
        tag(
            "li",
            item.text,
            tag("span", f"{amount(item.bytes_at_stake)} at stake", class_="stake")
            if item.bytes_at_stake
            else None,
        )
        for item in verdict.advice
    )
    return section(
        "advice",
        "What to do",
        tag("p", verdict.cause) if verdict.cause else None,
        tag("ol", items, class_="advice") if verdict.advice else None,
    )


def sites(verdict: Verdict, known: bool) -> Markup:
    """The lines of code that hold memory; the page replaces the table where it knows the stacks."""
    if not verdict.sites:
        why = (
            "No line of code is known, because nothing was seen inside the processes; "
            "“Processes” below says how each was watched, and why."
            if not any(process.probe == "hooked" for process in verdict.processes)
            else "No line of code held enough memory to be sampled. With a smaller --sampling more is seen."
        )
        table: Content = empty(why) if not known else None
    else:
        table = tag(
            "div",
            tag(
                "table",
                _head_row(
                    ("Line of code", ""),
                    ("Live", "num"),
                    ("Growth", "num"),
                    ("Share of growth", "num"),
                    ("Samples", "num"),
                ),
                tag("tbody", (_site(site) for site in verdict.sites[:_SITES])),
                data_sortable=True,
            ),
            class_="scroll",
        )
    return section(
        "sites",
        "Lines of code that hold memory",
        tag("div", table, id="sites-table"),
        _stack(verdict.sites[0]) if verdict.sites else None,
    )


def _site(site: Site) -> Markup:
    error = f"±{percent(site.samples**-0.5)}" if site.samples else ""
    return tag(
        "tr",
        tag("td", place(site.file, site.line, site.function), data_value=f"{site.file}:{site.line}"),
        cell(amount(site.live_bytes), site.live_bytes),
        cell(rate(site.growth_bytes_per_second), site.growth_bytes_per_second),
        cell(percent(site.growth_share), site.growth_share),
        cell(f"{site.samples:,} ", site.samples, tag("small", error)),
    )


def place(file: str, line: int, function: str) -> Markup:
    return tag(
        "span",
        tag("b", f"{shown(short_path(file), 120)}:{line}"),
        " ",
        tag("span", shown(function, 120), class_="fn"),
        class_="place",
        title=f"{shown(file)}:{line} {shown(function)}",
    )


def _stack(site: Site) -> Markup | None:
    if not site.stack:
        return None
    frames = (
        tag("li", tag("code", f"{frame.file}:{frame.line}"), " ", tag("span", frame.function, class_="fn"))
        for frame in site.stack[:100]
    )
    return tag(
        "details",
        tag("summary", f"Calls that lead to {short_path(site.file)}:{site.line}, innermost first"),
        tag("ol", frames, class_="stack"),
    )


def checks(verdict: Verdict) -> Markup:
    made = tuple(gate for gate in verdict.gates if gate.passed is not None)
    unmade = tuple(gate for gate in verdict.gates if gate.passed is None)
    if not made and not unmade:
        content: Content = empty(
            f"Nothing was checked: {verdict.reason or 'too little was seen'}. Watch it for a minute or longer."
        )
    else:
        together = len(unmade) >= _MANY_UNMADE
        content = [
            tag(
                "p",
                "Memwarden says “leak” only if the answer to all of these is yes. Why it said what it said: ",
                tag("em", _sentence(verdict.reason)),
            ),
            *(
                tag("div", tag("h3", title), tag("ul", (_check(gate) for gate in members), class_="checks"))
                for title, members in groups(made if together else verdict.gates)
            ),
            _unmade(unmade) if together else None,
        ]
    return section("checks", "How it was decided", content)


_MANY_UNMADE: Final = 8


def _unmade(gates: tuple[Gate, ...]) -> Markup:
    """Checks that could not be made, when they are most: one line each."""
    return tag(
        "details",
        tag("summary", f"{len(gates)} more checks could not be made"),
        tag(
            "ul", (tag("li", words(gate).question, " ", tag("small", _sentence(gate.text))) for gate in gates)
        ),
    )


_ANSWERS: Final = {True: ("yes", "✓", "Yes"), False: ("no", "✕", "No"), None: ("open", "–", "Not checked")}


def _check(gate: Gate) -> Markup:
    state, sign, answer = _ANSWERS[gate.passed]
    about = words(gate)
    value, needed = number(gate.value, gate.unit), asked(gate)
    needed = f"must be {needed}" if needed else ""
    return tag(
        "li",
        tag("span", tag("span", sign, aria_hidden="true", class_="sign"), answer, class_="answer"),
        tag(
            "div",
            tag("p", about.question, class_="question"),
            tag("p", _sentence(gate.text)),
            tag("details", tag("summary", "Why this is asked"), tag("p", about.why)) if about.why else None,
        ),
        tag(
            "div",
            tag("span", value, class_="value") if value else None,
            tag("small", needed) if needed else None,
            class_="numbers",
        ),
        class_=f"check {state}",
        data_check=gate.name,
    )


def processes(verdict: Verdict) -> Markup:
    if not verdict.processes:
        return section(
            "processes",
            "Processes",
            empty("No process was seen: the command ended before the first sample was taken. "
                  "A shorter --interval sees shorter programs."),
        )  # fmt: skip
    rows = (_process(process) for process in verdict.processes[:_PROCESSES])
    more = len(verdict.processes) - _PROCESSES
    return section(
        "processes",
        "Processes",
        tag(
            "div",
            tag(
                "table",
                _head_row(
                    ("PID", "num"),
                    ("Command", ""),
                    ("Runtime", ""),
                    ("Memory", "num"),
                    ("Lived", ""),
                    ("How it was watched", ""),
                ),
                tag("tbody", rows),
                data_sortable=True,
            ),
            class_="scroll",
        ),
        tag("p", f"{more} more processes are not listed.", class_="note") if more > 0 else None,
    )


def _process(process: Process) -> Markup:
    hooked = process.probe == "hooked"
    ended = f"{process.ended_at:%H:%M:%S}" if process.ended_at else "the end"
    watched = (
        tag("span", "from inside: lines of code are known", class_="ok")
        if hooked
        else tag("span", "from outside: its size only")
    )
    return tag(
        "tr",
        cell(str(process.pid), process.pid),
        tag("td", tag("code", shown(process.command, 160)), title=shown(process.command, 1000)),
        tag("td", process.runtime or "–"),
        cell(amount(process.anon_bytes) if process.anon_bytes is not None else "–", process.anon_bytes or 0),
        tag("td", f"{process.started_at:%H:%M:%S} to {ended}", data_value=process.started_at.timestamp()),
        tag("td", watched, tag("small", process.probe_reason) if process.probe_reason else None),
    )


def measured(report: Report) -> Markup:
    """How it was measured, what it cost, what went wrong on the way."""
    notes = (tag("li", note) for note in report.notes)
    return section(
        "measured",
        "How it was measured",
        tag("p", _run_sentence(report)),
        _cost(report.cost),
        tag("h3", "Notes") if report.notes else None,
        tag("ul", notes, class_="notes") if report.notes else None,
    )


def _run_sentence(report: Report) -> str:
    seconds = (report.ended_at - report.started_at).total_seconds()
    told = "" if report.app_exit_code is None else f" The command {_ended(report.app_exit_code)}."
    return (
        f"Watched for {duration(seconds)} from {_moment(report.started_at)}, "
        f"a sample every {report.interval_seconds:g} s.{told} Sizes are decimal (1 MB = 1 000 000 bytes); "
        f"times are UTC. Made by memwarden {report.memwarden_version}."
    )


def _ended(code: int) -> str:
    return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _cost(cost: Cost) -> Markup:
    if not cost.components:
        return empty(
            "What the watching cost is only known to the run itself: memwarden run --report FILE.html has it."
        )
    facts = []
    if cost.cpu_ratio is not None:
        facts.append(f"Watching took {_percent(cost.cpu_ratio)} of one processor core")
    if cost.start_to_first_sample_seconds is not None:
        facts.append(f"the first sample was taken {cost.start_to_first_sample_seconds:.1f} s after the start")
    rows = (
        tag(
            "tr",
            tag("td", part.name),
            cell(f"{part.cpu_seconds:.2f} s", part.cpu_seconds),
            cell(
                "in the program's own" if part.peak_rss_bytes is None else amount(part.peak_rss_bytes),
                part.peak_rss_bytes or 0,
            ),
        )
        for part in cost.components
    )
    table = tag(
        "table",
        _head_row(("Part of Memwarden", ""), ("Processor time", "num"), ("Peak memory", "num")),
        tag("tbody", rows),
    )
    return Markup(
        (tag("p", _sentence("; ".join(facts))) if facts else "") + tag("div", table, class_="scroll narrow")
    )


def section(identity: str, title: str, *content: Content, note: str = "") -> Markup:
    return tag(
        "section",
        tag("h2", title, id=f"{identity}-title"),
        tag("p", note, class_="note") if note else None,
        *content,
        id=identity,
        aria_labelledby=f"{identity}-title",
    )


def empty(why: str) -> Markup:
    return tag("p", why, class_="empty")


def cell(text: str, value: float, *more: Content) -> Markup:
    return tag("td", text, *more, class_="num", data_value=value)


def _head_row(*columns: tuple[str, str]) -> Markup:
    return tag(
        "thead", tag("tr", (tag("th", name, class_=kind or None, scope="col") for name, kind in columns))
    )


def table(columns: Iterable[tuple[str, str]], rows: Iterator[Markup] | Iterable[Markup]) -> Markup:
    return tag(
        "div", tag("table", _head_row(*columns), tag("tbody", rows), data_sortable=True), class_="scroll"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share < 0.1 else percent(share)


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _sentence(text: str) -> str:
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) or not text else ".")
