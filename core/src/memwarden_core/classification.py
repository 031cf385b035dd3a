"""From gates to a verdict, without memory of earlier verdicts."""

from dataclasses import dataclass

from memwarden_core.examination import Findings
from memwarden_core.gates import SITE_GATES, TREND_GATES, passed
from memwarden_core.growth import needed_gain
from memwarden_core.settings import JudgeSettings
from memwarden_core.verdict import Gate, Kind
from memwarden_core.wording import amount, duration


@dataclass(frozen=True, slots=True)
class Classification:
    kind: Kind
    reason: str
    attributed: bool


def classify(findings: Findings, found: tuple[Gate, ...], settings: JudgeSettings) -> Classification:
    """What these numbers alone say."""
    if findings.trouble:
        kind = Kind.WARMING_UP if findings.too_early else Kind.UNKNOWN
        return Classification(kind, findings.trouble, False)
    attributed = passed(found, SITE_GATES)
    if not passed(found, TREND_GATES):
        return Classification(*_not_rising(findings, settings), attributed)
    if not passed(found, "not-slowing"):
        return Classification(*_slowing(findings, settings), attributed)
    for name in ("no-known-bound", "no-life-before"):
        if not passed(found, name):
            text = next(gate.text for gate in found if gate.name == name)
            return Classification(Kind.CACHE_FILLING, f"memory rises; {text}", attributed)
    missing = [
        (name, text)
        for name, text in (
            ("still-growing", "growth became slower lately: it may come to an end"),
            ("no-new-threads", ""),
            ("load", "the load rises too and may explain it"),
            ("strong-drift", ""),
            ("lasting", ""),
        )
        if not passed(found, name)
    ]
    if missing:
        name, words = missing[0]
        text = words or next(gate.text for gate in found if gate.name == name)
        cause = "" if attributed else "; no allocation site explains it yet"
        return Classification(Kind.GROWING, f"memory rises; {text}{cause}", attributed)
    if attributed:
        return Classification(Kind.LEAKING, "lasting growth, and allocation sites explain it", True)
    return Classification(
        Kind.LEAKING,
        "lasting growth that no allocation site, load, cache or fragmentation explains",
        False,
    )


def at_rest(findings: Findings, settings: JudgeSettings, ratio: float) -> bool:
    """Whether the last third of the growth is flat, and long enough to be believed."""
    growth = findings.growth
    if growth is None:
        return True
    calm = growth.trend.span / 3
    return growth.shape.late_over_mean < ratio and calm >= settings.stop_ticks * findings.interval


def _slowing(findings: Findings, settings: JudgeSettings) -> tuple[Kind, str]:
    if at_rest(findings, settings, settings.settled_ratio):
        return Kind.HEALTHY, "memory grew and has come to rest"
    share = findings.heap_share
    hooked = findings.signal is not None and findings.signal.heap_coverage >= 0.5
    # Python's arenas fall to pieces by much that comes and goes; what it never asked for is somebody else's.
    if share is not None and share <= settings.flat_heap_share and hooked and findings.churned:
        return (
            Kind.FRAGMENTED,
            "the process takes more memory, ever more slowly, while what is in use stays as it is",
        )
    growth = findings.growth
    bound = growth.shape.bound if growth is not None else 0.0
    known = growth is not None and growth.shape.bic_gain > settings.slowing_bic
    towards = f" towards about {amount(bound)}" if known else ""
    return Kind.CACHE_FILLING, f"growth slows{towards}, as a cache does that fills"


def _not_rising(findings: Findings, settings: JudgeSettings) -> tuple[Kind, str]:
    growth = findings.growth
    anon = findings.anon or 0.0
    if findings.held_bytes >= max(settings.gain_bytes * 4, settings.held_share * anon):
        held = amount(findings.held_bytes)
        return Kind.FRAGMENTED, f"{held} that the program gave back are still held by the process"
    if growth is None:
        return Kind.HEALTHY, "no floor rises beyond noise"
    t = growth.trend
    rose = t.mann_kendall_z >= settings.trend_z and t.rise >= needed_gain(t.start_level, settings)
    came_to_rest = growth.shape.late_over_mean < settings.settled_ratio
    if rose and came_to_rest and growth.above_before >= settings.before_share:
        if not at_rest(findings, settings, settings.settled_ratio):
            return Kind.CACHE_FILLING, f"growth came to rest within the last {duration(t.span / 3)}"
        return Kind.HEALTHY, "memory grew and has come to rest"
    return Kind.HEALTHY, "no floor rises beyond noise"
