"""A verdict as lines for a terminal."""

from memwarden_core.statement import place
from memwarden_core.verdict import Verdict
from memwarden_core.wording import amount, rate


def explain(verdict: Verdict) -> list[str]:
    """Headline, reason, cause, sites, advice and gates; no colour, no width."""
    lines = [verdict.headline, f"  why: {verdict.reason}"]
    if verdict.cause:
        lines.append(f"  cause: {verdict.cause}")
    for site in verdict.sites[:5]:
        lines.append(
            f"  site: {place(site)} holds {amount(site.live_bytes)} "
            f"({rate(site.growth_bytes_per_second)}, {site.samples} samples, pid {site.pid})"
        )
    for item in verdict.advice:
        lines.append(f"  do: {item.text}")
    for gate in verdict.gates:
        mark = {True: "yes", False: "no", None: "?"}[gate.passed]
        lines.append(f"  {mark:>3} {gate.name}: {gate.text}")
    return lines
