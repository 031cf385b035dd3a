"""A verdict as lines for a terminal."""

from memwarden_core.statement import place
from memwarden_core.verdict import Verdict
from memwarden_core.wording import amount, rate


def explain(verdict: Verdict) -> list[str]:
    """Headline, reason, cause, sites, advice and gates; no colour, no width."""
    lines = [verdict.headline, f"  why: {verdict.reason}"]
    if verdict.cause:
        lines.append(f"  cause: {verdict.cause}")
    lines += [
        f"  site: {place(site)} holds {amount(site.live_bytes)} "
        f"({rate(site.growth_bytes_per_second)}, {site.samples} samples, pid {site.pid})"
        for site in verdict.sites[:5]
    ]
    lines += [f"  do: {item.text}" for item in verdict.advice]
    marks = {True: "yes", False: "no", None: "?"}
    lines += [f"  {marks[gate.passed]:>3} {gate.name}: {gate.text}" for gate in verdict.gates]
    return lines
