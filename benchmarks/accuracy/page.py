"""The score as one HTML page: the tables, and each run with its chart and verdict, mistakes first."""

from collections.abc import Mapping, Sequence
from html import escape

from accuracy import figures
from accuracy.runs import Outcome
from accuracy.text import plain, scores, shown
from memwarden_core.wording import amount

COLOURS = {
    "Leaking": "#b3261e", "Growing": "#c77700", "CacheFilling": "#2b6cb0", "Fragmented": "#6b46c1",
    "Healthy": "#2f855a", "WarmingUp": "#a0aec0", "Unknown": "#a0aec0",
}  # fmt: skip
WIDTH, HEIGHT = 420, 120

STYLE = """
:root{color-scheme:light dark;--line:#8884;--muted:#777}
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem}
table{border-collapse:collapse;margin:.5rem 0 1.5rem}td,th{padding:.25rem .9rem .25rem 0;text-align:left;
border-bottom:1px solid var(--line)}small,.muted{color:var(--muted)}
.runs{display:grid;grid-template-columns:repeat(auto-fill,minmax(27rem,1fr));gap:1.2rem}
.run{border:1px solid var(--line);border-radius:.5rem;padding:.7rem}.run.wrong{border-color:#b3261e;border-width:2px}
.run h3{font-size:1rem;margin:0}.run p{margin:.3rem 0}svg{width:100%;height:auto}
"""


def render(parts: Mapping[str, Sequence[Outcome]], absent: Sequence[str]) -> str:
    """The whole file; it asks no network."""
    body = ["<h1>How often the judge is right</h1>"]
    if absent:
        body.append(f"<p class=muted>Not recorded, so not scored: {escape(', '.join(absent))}</p>")
    for name, outcomes in parts.items():
        if outcomes:
            body.append(_part(name, outcomes))
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>Memwarden: accuracy</title><style>{STYLE}</style>{''.join(body)}</html>\n"
    )


def _part(name: str, outcomes: Sequence[Outcome]) -> str:
    wrong = figures.mistakes(outcomes)
    right = [one for one in outcomes if one not in wrong]
    rows = "".join(
        f"<tr><td>{escape(one.method)}<td>{shown(one.precision)}<td>{shown(one.recall)}"
        f"<td>{shown(one.false_positives)}<td>{plain(one.minutes_to_detect)}"
        for one in scores(outcomes)
    )
    first, third = figures.sites(outcomes)
    programs = len({one.truth.program for one in outcomes})
    return (
        f"<h2>{escape(name)}: {programs} programs, {len(outcomes)} runs</h2>"
        "<table><tr><th>method<th>precision<th>recall<th>healthy runs called leaking<th>minutes to detect, 90 %"
        f"{rows}</table><p>Right line first: {shown(first)}; among three: {shown(third)}.</p>"
        f"<h3>Mistakes ({len(wrong)})</h3><div class=runs>{''.join(_run(one, True) for one in wrong)}</div>"
        f"<details><summary>The other {len(right)} runs</summary>"
        f"<div class=runs>{''.join(_run(one, False) for one in right)}</div></details>"
    )


def _run(one: Outcome, wrong: bool) -> str:
    truth = f"a leak ({one.truth.family})" if one.truth.leak else f"healthy ({one.truth.family})"
    allowed = ", ".join(sorted(one.truth.verdicts))
    first = f"first called leaking after {one.first_leaking:.0f} s; " if one.first_leaking is not None else ""
    site = (
        ""
        if not one.truth.leak or not one.truth.has_site
        else f"; the right line is number {one.site_rank or '–'}"
    )
    return (
        f"<div class='run{' wrong' if wrong else ''}'><h3>{escape(one.truth.run)}</h3>"
        f"<p><small>In truth {escape(truth)}; right at the end: {escape(allowed)}</small></p>{_chart(one)}"
        f"<p>{escape(one.headline)}</p><p><small>{first}{escape(one.reason)}{site}</small></p></div>"
    )


def _chart(one: Outcome) -> str:
    """Memory over time, and below it what was said when."""
    if len(one.memory) < 2:
        return "<p class=muted>no samples</p>"
    top, span = max(one.memory) * 1.05, max(one.seconds, 1e-9)
    points = " ".join(
        f"{t / span * WIDTH:.1f},{HEIGHT - m / top * HEIGHT:.1f}"
        for t, m in zip(one.times, one.memory, strict=True)
    )
    bars, before = [], 0.0
    for said in one.verdicts:
        x, width = before / span * WIDTH, (said.at - before) / span * WIDTH
        bars.append(
            f"<rect x={x:.1f} y={HEIGHT + 4} width={width + 0.3:.1f} height=8 fill='{COLOURS[said.kind]}'/>"
        )
        before = said.at
    return (
        f"<svg viewBox='0 0 {WIDTH} {HEIGHT + 14}' role=img aria-label='memory over {one.seconds:.0f} seconds'>"
        f"<polyline fill=none stroke=currentColor stroke-width=1.3 points='{points}'/>{''.join(bars)}"
        f"<text x=2 y=11 font-size=10 fill=currentColor>{amount(top)}</text></svg>"
    )
