"""How sure the judge is: the share of like verdicts that were right on the training programs of the corpus.

A verdict's class (what is said, and on what it rests) and its strength (how clearly its gates were passed) give its
log-odds by a line for each class, fitted by `python -m accuracy.fit`; docs/design/20261121-judge.md has when, on what.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from memwarden_core.gates import AT_MOST
from memwarden_core.settings import Sensitivity
from memwarden_core.verdict import Gate, Kind

_DECISIVE: Final = (
    "trend", "gain", "thirds", "drift", "above-before", "still-growing", "strong-drift", "lasting",
    "heap-explains", "site-samples", "site-ages", "sites-explain",
)  # fmt: skip
_LONG: Final = 8
"""Watched for so many times the warm-up counts as long."""

_USUAL: Final[Mapping[str, tuple[float, float]]] = {
    "growing": (1.34, 1.31),  # worth 211.9 runs, 92 % right
    "healthy": (1.77, 3.45),  # worth 201.9 runs, 90 % right
    "leak that is kept": (2.29, 0.11),  # worth 0.4 runs, 100 % right
    "leak with a site": (2.79, 0.73),  # worth 26.5 runs, 98 % right
    "leak without a site": (2.64, 0.55),  # worth 3.8 runs, 100 % right
    "slowing": (0.25, -0.23),  # worth 33.5 runs, 52 % right
}
_EAGER: Final[Mapping[str, tuple[float, float]]] = {
    "growing": (1.59, 0.55),  # worth 126.1 runs, 89 % right
    "healthy": (1.77, 3.45),  # worth 201.8 runs, 90 % right
    "leak that is kept": (2.28, 0.10),  # worth 3.0 runs, 92 % right
    "leak with a site": (2.81, 0.85),  # worth 94.1 runs, 98 % right
    "leak without a site": (2.49, 0.39),  # worth 20.3 runs, 95 % right
    "slowing": (0.36, -0.34),  # worth 32.8 runs, 53 % right
}
LINES: Final = {Sensitivity.LOW: _USUAL, Sensitivity.NORMAL: _USUAL, Sensitivity.HIGH: _EAGER}
"""Class → log-odds at strength 0, and what strength 1 adds. Low has those of normal: it says the same things later."""
LEAST, MOST = 0.5, 0.98
"""Fifty programs bear out no claim beyond."""


def margin(gate: Gate) -> float:
    """0 at the threshold, 1 at twice the threshold or more (of those that must stay below: at 0 or less)."""
    if not gate.passed or gate.value is None or not gate.threshold:
        return 0.0
    beyond = gate.threshold - gate.value if gate.name in AT_MOST else gate.value - gate.threshold
    return min(1.0, max(0.0, beyond / abs(gate.threshold)))


def classed(kind: Kind, attributed: bool, kept: bool) -> str:
    """What is said, and on what it rests; "" for verdicts that claim nothing."""
    if kind is Kind.LEAKING:
        if kept:
            return "leak that is kept"
        return "leak with a site" if attributed else "leak without a site"
    if kind in (Kind.CACHE_FILLING, Kind.FRAGMENTED):
        return "slowing"
    return {Kind.HEALTHY: "healthy", Kind.GROWING: "growing"}.get(kind, "")


def strength(kind: Kind, found: Sequence[Gate]) -> float:
    """How clearly the gates speak for it, 0 to 1.

    Leaking, Growing: the mean margin of what was passed. Healthy: how far drift is from its threshold, times how long
    was watched: next to the threshold a long look says nothing. Slowing: how far the pace at the end has fallen below
    what is still called a line.
    """
    gates = {gate.name: gate for gate in found}
    if kind is Kind.HEALTHY:
        near = _over_threshold(gates.get("drift"), 1.0)
        watched = min(1.0, _over_threshold(gates.get("watched"), 0.0) / _LONG)
        return (1 - min(1.0, max(0.0, near))) * watched
    if kind in (Kind.CACHE_FILLING, Kind.FRAGMENTED):
        return 1 - min(1.0, max(0.0, _over_threshold(gates.get("not-slowing"), 1.0)))
    margins = [margin(gates[name]) for name in _DECISIVE if name in gates and gates[name].passed]
    return sum(margins) / len(margins) if margins else 0.0


def _over_threshold(gate: Gate | None, unknown: float) -> float:
    if gate is None or gate.value is None or not gate.threshold:
        return unknown
    return gate.value / gate.threshold


def confidence(
    kind: Kind, found: Sequence[Gate], attributed: bool, kept: bool, sensitivity: Sensitivity
) -> float:
    """Probability that the verdict is right; one half where nothing is claimed."""
    line = LINES[sensitivity].get(classed(kind, attributed, kept))
    if line is None:
        return LEAST
    odds = line[0] + line[1] * strength(kind, found)
    return round(min(MOST, max(LEAST, 1 / (1 + math.exp(-odds)))), 3)
