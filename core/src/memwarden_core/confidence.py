"""How sure the judge is, from how clearly each gate was passed.

An opinion with a formula, not yet a probability: it is to be fitted on recorded programs, and until then
says only which of two verdicts rests on more. Never above 98 %.
"""

from collections.abc import Iterable

from memwarden_core.examination import Findings
from memwarden_core.gates import AT_MOST
from memwarden_core.settings import JudgeSettings
from memwarden_core.verdict import Gate, Kind

_DECISIVE = (
    "trend", "gain", "thirds", "drift", "above-before", "still-growing", "strong-drift", "lasting",
    "heap-explains", "site-samples", "site-ages", "sites-explain",
)  # fmt: skip


def margin(gate: Gate) -> float:
    """0 at the threshold, 1 at twice the threshold or more (of those that must stay below: at 0 or less)."""
    if not gate.passed or gate.value is None or not gate.threshold:
        return 0.0
    beyond = gate.threshold - gate.value if gate.name in AT_MOST else gate.value - gate.threshold
    return min(1.0, max(0.0, beyond / abs(gate.threshold)))


def confidence(
    kind: Kind,
    findings: Findings,
    found: Iterable[Gate],
    attributed: bool,
    kept: bool,
    settings: JudgeSettings,
) -> float:
    """Leaking: 0.75 + 0.23 m, unattributed 0.65 + 0.25 m, where m is the mean margin of the gates that
    passed.

    Healthy: 0.60 + 0.38 × the mean of how far drift is from its threshold and how long was watched (full at
    four times `lasting_ticks`). Others in between; a leak kept by hysteresis alone counts nine tenths.
    """
    gates = {gate.name: gate for gate in found}
    margins = [margin(gates[name]) for name in _DECISIVE if name in gates and gates[name].passed]
    mean = sum(margins) / len(margins) if margins else 0.0
    if kind is Kind.LEAKING:
        value = 0.75 + 0.23 * mean if attributed else 0.65 + 0.25 * mean
        value *= 0.9 if kept else 1.0
    elif kind is Kind.HEALTHY:
        drift = gates.get("drift")
        near = (
            max(0.0, drift.value) / settings.drift_t if drift is not None and drift.value is not None else 1.0
        )
        long = findings.watched / (4 * settings.lasting_ticks * findings.interval)
        value = 0.60 + 0.38 * (0.5 * (1 - min(1.0, near)) + 0.5 * min(1.0, long))
    elif kind is Kind.GROWING:
        value = 0.60 + 0.30 * mean
    elif kind in (Kind.CACHE_FILLING, Kind.FRAGMENTED):
        growth = findings.growth
        slowing = min(1.0, max(0.0, growth.shape.bic_gain) / (8 * settings.slowing_bic)) if growth else 0.0
        value = 0.60 + 0.30 * slowing
    else:
        value = 0.5
    return round(min(0.98, max(0.0, value)), 3)
