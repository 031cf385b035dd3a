"""Replicas of one workload are evidence for each other: does one of them leak, all, or those of one version?

Made from the verdicts about the replicas alone, so that it costs nothing. A single leaking replica makes the workload
leak. Beyond that, replicas that each grow too unsurely to be convicted convict together, when the same code grows in
most of them. They make up for certainty, not for time: a cache fills in all of them at once.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from memwarden_core.gates import passed
from memwarden_core.settings import JudgeSettings
from memwarden_core.verdict import Kind, Verdict
from memwarden_core.wording import rate


class Pattern(StrEnum):
    """Which replicas leak."""

    NONE = "none"
    ALL = "all"
    SOME = "some"
    VERSION = "version"
    """All those of some versions, none of the others."""


@dataclass(frozen=True, slots=True)
class Replica:
    """One replica and its newest verdict. One that is gone counts with its last."""

    name: str
    version: str
    """What it runs: an image's digest or tag; "" where it is not known."""
    verdict: Verdict
    ended_near_limit: bool = False
    """It grew until it ended close to the memory limit: nothing was left that it could have lasted for."""


@dataclass(frozen=True, slots=True)
class FleetVerdict:
    """What the replicas say together."""

    kind: Kind
    pattern: Pattern
    leaking: tuple[str, ...]
    """Names of the replicas that leak."""
    versions: tuple[str, ...]
    """Versions that leak, where the pattern is VERSION."""
    growth_bytes_per_second: float | None
    """Median over the replicas that leak, else over those that grow."""
    combined_z: float
    """Stouffer's z over all replicas that were judged."""
    sentence: str


_SILENT = (Kind.UNKNOWN, Kind.WARMING_UP)
_GROWS = (Kind.LEAKING, Kind.GROWING)
_MOST = 2 / 3
_SHARED = ("load", "no-new-threads")
"""Gates whose reason all replicas may have at once."""
COMPARED = (*_SHARED, "lasting", "confirmed")
"""Gates by which replicas are compared, beside `drift`, whose value counts."""
_CERTAIN = 8.0
"""A single t counts no more than this: one replica alone must not carry the others."""


def judge_fleet(replicas: Sequence[Replica], settings: JudgeSettings) -> FleetVerdict:
    """The verdict about a workload, from those about its replicas."""
    judged = [one for one in replicas if one.verdict.kind not in _SILENT]
    z = stouffer(_drift(one.verdict) for one in judged)
    leaking = [one for one in judged if one.verdict.kind is Kind.LEAKING]
    together = False
    if not leaking and _convict_together(judged, z, settings):
        leaking, together = [one for one in judged if one.verdict.kind in _GROWS], True
    pattern, versions = _pattern(judged, leaking)
    kind = _kind(judged, leaking)
    growth = _growth(leaking or [one for one in judged if one.verdict.kind is Kind.GROWING])
    return FleetVerdict(
        kind=kind,
        pattern=pattern,
        leaking=tuple(sorted(one.name for one in leaking)),
        versions=versions,
        growth_bytes_per_second=growth,
        combined_z=z,
        sentence=_sentence(judged, len(replicas), leaking, pattern, versions, growth, together, kind),
    )


def stouffer(scores: Iterable[float]) -> float:
    """Scores of independent tests as one: their sum over the root of their number (Stouffer et al. 1949)."""
    known = [max(-_CERTAIN, min(_CERTAIN, score)) for score in scores]
    return sum(known) / math.sqrt(len(known)) if known else 0.0


def _drift(verdict: Verdict) -> float:
    return next((gate.value or 0.0 for gate in verdict.gates if gate.name == "drift"), 0.0)


def _convict_together(judged: Sequence[Replica], z: float, settings: JudgeSettings) -> bool:
    """Most replicas grow, more certainly together than one must alone, and by the same code."""
    growing = [one for one in judged if one.verdict.kind is Kind.GROWING]
    if len(judged) < 3 or len(growing) < _MOST * len(judged) or z < settings.walk_t_unattributed:
        return False
    if any(gate.passed is False for one in growing for gate in one.verdict.gates if gate.name in _SHARED):
        return False  # the same load rises for all of them, or the same pool starts
    if not any(one.ended_near_limit or _has_waited(one.verdict) for one in growing):
        return False
    code = Counter(
        (one.verdict.sites[0].file, one.verdict.sites[0].function) for one in growing if one.verdict.sites
    )
    return bool(code) and code.most_common(1)[0][1] >= _MOST * len(judged)


def _has_waited(verdict: Verdict) -> bool:
    """Whether nothing but certainty is missing."""
    waits = any(gate.name == "confirmed" and gate.passed is False for gate in verdict.gates)
    return passed(verdict.gates, "lasting") and not waits


def _pattern(judged: Sequence[Replica], leaking: Sequence[Replica]) -> tuple[Pattern, tuple[str, ...]]:
    if not leaking:
        return Pattern.NONE, ()
    guilty = {one.version for one in leaking}
    of_guilty = [one for one in judged if one.version in guilty]
    if len(leaking) == len(judged):
        return Pattern.ALL, ()
    if len(of_guilty) == len(leaking) and "" not in {one.version for one in judged}:
        return Pattern.VERSION, tuple(sorted(guilty))
    return Pattern.SOME, ()


def _kind(judged: Sequence[Replica], leaking: Sequence[Replica]) -> Kind:
    """`Leaking` if any does; else what is worst; `Unknown` where none could be judged."""
    if leaking:
        return Kind.LEAKING
    seen = {one.verdict.kind for one in judged}
    order = (Kind.GROWING, Kind.CACHE_FILLING, Kind.FRAGMENTED, Kind.HEALTHY)
    return next((kind for kind in order if kind in seen), Kind.UNKNOWN)


def _growth(replicas: Sequence[Replica]) -> float | None:
    rates = sorted(growth for one in replicas if (growth := one.verdict.growth_bytes_per_second) is not None)
    return rates[len(rates) // 2] if rates else None


def _sentence(
    judged: Sequence[Replica],
    all_of_them: int,
    leaking: Sequence[Replica],
    pattern: Pattern,
    versions: Sequence[str],
    growth: float | None,
    together: bool,
    kind: Kind,
) -> str:
    if not judged:
        return f"none of {all_of_them} replicas can be judged yet"
    pace = f", {rate(growth)} each" if growth is not None and leaking else ""
    count, number = len(judged), len(leaking)
    if pattern is Pattern.VERSION:
        others = sorted({one.version for one in judged} - set(versions))
        return (
            f"the leak came with {', '.join(versions)}: all {number} replicas of it leak{pace}, "
            f"none of the {count - number} of {', '.join(others)}"
        )
    if pattern is Pattern.ALL and together:
        return f"all {count} replicas grow by the same code{pace}: each alone would not be certain enough"
    if pattern is Pattern.ALL:
        return f"all {count} replicas leak{pace}" if count > 1 else f"its only replica leaks{pace}"
    if pattern is Pattern.SOME:
        names = ", ".join(sorted(one.name for one in leaking)[:3])
        more = f" and {number - 3} more" if number > 3 else ""
        return f"{number} of {count} replicas leak{'s' if number == 1 else ''}{pace}: {names}{more}"
    return f"none of {count} replicas leaks; the worst is {kind}"
