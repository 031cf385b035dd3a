"""How the verdicts before this one weigh: a leak is said twice before it is said, and taken back only for
cause."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from memwarden_core.classification import Classification
from memwarden_core.examination import Findings
from memwarden_core.floors import floors
from memwarden_core.growth import needed_gain
from memwarden_core.settings import JudgeSettings
from memwarden_core.trend import trend
from memwarden_core.verdict import Gate, Kind, Verdict
from memwarden_core.wording import duration


@dataclass(frozen=True, slots=True)
class Decision:
    kind: Kind
    reason: str
    confirmed: Gate
    kept: Verdict | None
    """The earlier verdict of `Leaking` that still stands although the numbers of now alone would not say
    so."""


def decide(
    raw: Classification,
    findings: Findings,
    previous: Sequence[Verdict],
    needed: float,
    agreed_before: float,
    settings: JudgeSettings,
) -> Decision:
    """The verdict in the light of those before.

    `needed`: seconds for which judgements must have agreed on a leak (`confirming`). `agreed_before`: for how long they
    would have, where there is no history that says it.
    """
    last = previous[-1] if previous else None
    agreed = min(needed, _agreed_seconds(raw, findings, last, agreed_before))
    gate = _gate(agreed, needed, raw.kind is Kind.LEAKING)
    confirmed = gate.passed is True
    if last is not None and last.kind is Kind.LEAKING:
        return _after_leak(raw, findings, last, gate, settings)
    if raw.kind is Kind.LEAKING and not confirmed:
        reason = f"{raw.reason}; judgements must agree on it for {duration(needed)}"
        return Decision(Kind.GROWING, reason, gate, None)
    if last is not None:
        kept = _kept_notice(raw, findings, last, settings)
        if kept is not None:
            return Decision(*kept, gate, None)
    return Decision(raw.kind, raw.reason, gate, None)


_SLOWING = (Kind.CACHE_FILLING, Kind.FRAGMENTED)


def _kept_notice(
    raw: Classification, findings: Findings, last: Verdict, settings: JudgeSettings
) -> tuple[Kind, str] | None:
    """Kind and reason where a notice stays or is not given yet, so that verdicts don't flap; else None."""
    if raw.kind is Kind.HEALTHY and last.kind is Kind.GROWING and _lingers(findings, settings):
        return Kind.GROWING, "memory still rises a little: not yet called healthy"
    if raw.kind is Kind.HEALTHY and last.kind in _SLOWING and _lingers(findings, settings):
        return last.kind, last.reason
    if raw.kind in _SLOWING and last.kind in _SLOWING:
        # A few samples of the heap more or less decide between the two: the first word stands.
        return last.kind, raw.reason if raw.kind is last.kind else last.reason
    if last.kind is Kind.HEALTHY and raw.kind in (*_SLOWING, Kind.GROWING):
        if raw.kind in _SLOWING and _rests(findings, settings):
            return Kind.HEALTHY, "memory grew and has come to rest"
        if last.observed is Kind.HEALTHY:
            return Kind.HEALTHY, f"one judgement alone says: {raw.reason}"
    return None


def confirming(found: Sequence[Gate], interval: float, settings: JudgeSettings) -> float:
    """Seconds for which judgements must agree before `Leaking` is said: a share of what the growth had to last."""
    lasting = next((gate.threshold for gate in found if gate.name == "lasting" and gate.threshold), 0.0)
    return max(settings.confirm_ticks * interval, settings.confirm_share * lasting)


def has_agreement(verdict: Verdict) -> bool:
    """Whether a verdict tells for how long judgements had agreed; one kept without gates does not."""
    return any(gate.name == "confirmed" for gate in verdict.gates)


def _agreed_seconds(
    raw: Classification, findings: Findings, last: Verdict | None, agreed_before: float
) -> float:
    """For how long judgements have agreed on a leak.

    One that says otherwise takes away as much as one that agrees adds, so that a single one does not undo an hour.
    One that can't be made says nothing.
    """
    leaks = raw.kind is Kind.LEAKING
    if last is None or not has_agreement(last):
        return agreed_before if leaks else 0.0
    earlier = next((gate.value or 0.0 for gate in last.gates if gate.name == "confirmed"), 0.0)
    since = findings.at - last.at
    if leaks:
        return earlier + (since if last.observed is Kind.LEAKING else 0.0)
    return earlier if raw.kind in (Kind.WARMING_UP, Kind.UNKNOWN) else max(0.0, earlier - since)


def _gate(agreed: float, needed: float, leaks: bool) -> Gate:
    if not leaks:
        return Gate("confirmed", None, agreed, needed, "s", "not asked for: this judgement is not of a leak")
    text = f"judgements have agreed on a leak for {duration(agreed)}; {duration(needed)} are needed"
    return Gate("confirmed", agreed >= needed - 1e-6, agreed, needed, "s", text)


def _after_leak(
    raw: Classification, findings: Findings, last: Verdict, gate: Gate, settings: JudgeSettings
) -> Decision:
    if raw.kind is Kind.LEAKING:
        return Decision(Kind.LEAKING, raw.reason, gate, None)
    if raw.kind in (Kind.WARMING_UP, Kind.UNKNOWN):
        reason = f"it leaked before; now: {raw.reason}"
        return Decision(Kind.LEAKING, reason, gate, last)
    if has_given_back(findings, last):
        reason = f"what had grown was given back; {raw.reason}"
        return Decision(_calm(raw), reason, gate, None)
    if raw.kind is Kind.CACHE_FILLING and (
        findings.filling is not None or findings.rested is not None or _clearly_slows(findings, settings)
    ):
        return Decision(raw.kind, raw.reason, gate, None)
    if has_stopped(findings, last, settings):
        return Decision(_calm(raw), f"growth has stopped; {raw.reason}", gate, None)
    return Decision(Kind.LEAKING, "it still grows, or has paused for too short a time to be over", gate, last)


def _calm(raw: Classification) -> Kind:
    return Kind.CACHE_FILLING if raw.kind is Kind.GROWING else raw.kind


def has_stopped(findings: Findings, leak: Verdict, settings: JudgeSettings) -> bool:
    """Whether memory has not grown for `stop_ticks`, or for a fifth of the leak's time if that is longer."""
    memory = findings.signal
    if memory is None or not memory.time.size:
        return False
    since = leak.since if leak.since is not None else findings.at
    wanted = max(settings.stop_ticks * findings.interval, 0.2 * (findings.at - since))
    recent = memory.time >= memory.time[-1] - wanted
    if np.ptp(memory.time[recent]) < 0.8 * wanted:
        return False
    lows = floors(memory.time[recent], memory.anon[recent], findings.interval, settings)
    if lows.time.size < 4:
        return False
    recently, leaked = trend(lows.time, lows.value), leak.growth_bytes_per_second or 0.0
    return (
        recently.slope < settings.settled_ratio * leaked and recently.upper < settings.stopped_upper * leaked
    )


def has_given_back(findings: Findings, leak: Verdict) -> bool:
    """Whether more than half of what had grown is gone again."""
    memory = findings.memory
    if leak.since is None or leak.anon_bytes is None or not memory.time.size:
        return False
    begin = memory.time >= leak.since - 1e-6
    if np.count_nonzero(begin) < 10:
        return False
    base = float(memory.value[begin][:5].min())
    now = float(memory.value[-5:].max())
    return now < base + 0.5 * (leak.anon_bytes - base)


def _clearly_slows(findings: Findings, settings: JudgeSettings) -> bool:
    growth = findings.growth
    if growth is None:
        return False
    shape = growth.shape
    return shape.bic_gain > 2 * settings.slowing_bic and shape.end_over_start < 0.5 * settings.slowing_ratio


def _lingers(findings: Findings, settings: JudgeSettings) -> bool:
    """Whether growth that was certain is only just below the thresholds."""
    growth = findings.growth
    if growth is None:
        return False
    t = growth.trend
    return (
        t.mann_kendall_z >= 0.6 * settings.trend_z
        and t.rise >= needed_gain(t.start_level, settings)
        and growth.shape.late_over_mean >= settings.settled_ratio
        and growth.above_before >= 0
    )


def _rests(findings: Findings, settings: JudgeSettings) -> bool:
    """Whether the last third is nearly flat: an old rise does not turn what was healthy into a cache."""
    growth = findings.growth
    return growth is not None and growth.shape.late_over_mean < 2 * settings.settled_ratio
