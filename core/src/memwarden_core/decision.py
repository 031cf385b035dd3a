"""Which gate decided a verdict: the first that was not passed on the way to a leak, or the one passed most narrowly."""

from memwarden_core.confidence import margin
from memwarden_core.gates import SITE_GATES, TREND_GATES
from memwarden_core.verdict import Gate, Kind, Verdict

_ORDER = (
    "watched",
    *TREND_GATES,
    "not-slowing",
    "no-known-bound",
    "no-life-before",
    "still-growing",
    "no-new-threads",
    "load",
    "strong-drift",
    "lasting",
    "confirmed",
)
"""As the classification asks them; those of sites only choose between two kinds of leak."""


def decided_by(verdict: Verdict) -> Gate | None:
    """None where history alone decided (a leak that is kept), or no gate was made."""
    gates = {gate.name: gate for gate in verdict.gates}
    asked = [gates[name] for name in _ORDER if name in gates]
    if verdict.kind is Kind.LEAKING:
        if verdict.observed is not Kind.LEAKING:
            return None
        passed = [
            gate for gate in (*asked, *(gates[name] for name in SITE_GATES if name in gates)) if gate.passed
        ]
        measured = [
            gate for gate in passed if gate.value is not None and gate.threshold and gate.name != "confirmed"
        ]
        return min(measured, key=margin, default=None)
    return next((gate for gate in asked if gate.passed is False), None)
