"""Replicas of one workload, judged together as they would have been while they ran.

A fleet is right when its leak is found (or none is said of a healthy one), with the pattern that its label gives, and
with the replicas that leak and no others. All replicas are taken to have started at one moment.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from corpus import labels

from accuracy.runs import EVERY_TICKS, read
from memwarden_core.fleet import FleetVerdict, Pattern, judge_fleet
from memwarden_core.fleet import Replica as Judged
from memwarden_core.replay import replay
from memwarden_core.settings import JudgeSettings, Sensitivity
from memwarden_core.verdict import Kind, Verdict

EVERY: Final = 2 * EVERY_TICKS


@dataclass(frozen=True, slots=True)
class FleetOutcome:
    """What was said of a fleet, and what is true."""

    name: str
    part: str
    leak: bool
    pattern: str
    """What it should be."""
    guilty: tuple[str, ...]
    """Replicas that leak."""
    first_leaking: float | None
    """Seconds after the start."""
    final: FleetVerdict
    wrongly_accused: tuple[str, ...]
    """Replicas that were named at any moment and do not leak."""

    @property
    def right(self) -> bool:
        found = (self.first_leaking is not None) == self.leak
        named = set(self.final.leaking) == set(self.guilty)
        return found and named and self.final.pattern.value == self.pattern and not self.wrongly_accused


def fleets(parts: Collection[str], sensitivity: Sensitivity) -> list[FleetOutcome]:
    """All fleets of these parts that were recorded whole."""
    return [
        _outcome(fleet, JudgeSettings.of(sensitivity))
        for fleet in labels.fleets()
        if fleet.split in parts and all(fleet.recording(one).exists() for one in fleet.replicas)
    ]


def _outcome(fleet: labels.Fleet, settings: JudgeSettings) -> FleetOutcome:
    said: dict[str, list[tuple[float, Verdict]]] = {}
    for replica in fleet.replicas:
        recording = read(fleet.recording(replica))
        said[replica.name] = [
            (one.at - recording.started, one)
            for one in replay(recording, every_ticks=EVERY, settings=settings)
        ]
    together = []
    for moment in sorted({at for verdicts in said.values() for at, _ in verdicts}):
        judged = [
            Judged(replica.name, replica.version, seen[-1])
            for replica in fleet.replicas
            if (seen := [verdict for at, verdict in said[replica.name] if at <= moment])
        ]
        together.append((moment, judge_fleet(judged, settings)))
    guilty = tuple(sorted(one.name for one in fleet.replicas if one.leak))
    return FleetOutcome(
        name=fleet.name,
        part=fleet.split,
        leak=fleet.leak,
        pattern=_pattern(fleet, guilty).value,
        guilty=guilty,
        first_leaking=next((at for at, verdict in together if verdict.kind is Kind.LEAKING), None),
        final=together[-1][1],
        wrongly_accused=tuple(sorted({name for _, one in together for name in one.leaking} - set(guilty))),
    )


def _pattern(fleet: labels.Fleet, guilty: Sequence[str]) -> Pattern:
    if not guilty:
        return Pattern.NONE
    if len(guilty) == len(fleet.replicas):
        return Pattern.ALL
    return Pattern.VERSION if fleet.leaking_version else Pattern.SOME


def lines(outcomes: Sequence[FleetOutcome]) -> list[str]:
    """For a terminal."""
    if not outcomes:
        return []
    right = sum(one.right for one in outcomes)
    found = [f"fleets: {right} of {len(outcomes)} right (found, pattern, and which replicas)"]
    for one in outcomes:
        when = "never" if one.first_leaking is None else f"after {one.first_leaking:.0f} s"
        mark = (
            "right" if one.right else f"WRONG, should be {one.pattern}: {', '.join(one.guilty) or 'nobody'}"
        )
        found.append(f"  {one.name}: called leaking {when}; {one.final.sentence} ({mark})")
    return found


def document(outcomes: Sequence[FleetOutcome]) -> list[dict[str, Any]]:
    """As JSON."""
    return [
        {
            "fleet": one.name,
            "part": one.part,
            "leak": one.leak,
            "right": one.right,
            "pattern": {"said": one.final.pattern.value, "true": one.pattern},
            "replicas": {"said": list(one.final.leaking), "true": list(one.guilty)},
            "first_leaking_seconds": one.first_leaking,
            "sentence": one.final.sentence,
        }
        for one in outcomes
    ]
