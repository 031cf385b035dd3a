"""From the verdicts about containers to the verdict about their workload. Pure.

Containers that live speak for the workload; where none does, those that ended last. Replicas are compared
(`memwarden_core.fleet`), and lives that were ended by the memory limit while they grew count among them: what is killed
sooner than it can be convicted is convicted by its lives together.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from memwarden_api.workloads import Workload, WorkloadScope
from memwarden_collector.analysis.digest import Digest
from memwarden_collector.store.workloads import ScopeState, WorkloadRow
from memwarden_collector.verdicts import utc
from memwarden_core.fleet import FleetVerdict, Replica, judge_fleet
from memwarden_core.settings import JudgeSettings
from memwarden_core.verdict import Kind, Verdict

MAX_SCOPES: Final = 100
MAX_LIVES: Final = 10
"""Earlier lives that count beside those of now."""
_LIVES_SECONDS: Final = 86_400.0
_FULL: Final = 0.9
"""A life that ended with so much of its limit was most likely ended by it."""
_TOGETHER_SECONDS: Final = 180.0
"""Of containers that all ended, those that did so as much before the last one stand for the workload with it."""
SEVERITY: Final = {
    kind: place
    for place, kind in enumerate(
        (
            Kind.HEALTHY,
            Kind.WARMING_UP,
            Kind.UNKNOWN,
            Kind.FRAGMENTED,
            Kind.CACHE_FILLING,
            Kind.GROWING,
            Kind.LEAKING,
        )
    )
}
_POSITIVE: Final = (Kind.LEAKING, Kind.GROWING, Kind.CACHE_FILLING)


@dataclass(frozen=True, slots=True)
class Member:
    """A container of the workload, in one of its lives."""

    state: ScopeState
    digest: Digest
    kind: Kind

    @classmethod
    def of(cls, state: ScopeState) -> "Member":
        return cls(state, Digest.model_validate(state.digest), Kind(state.kind))

    @property
    def usage(self) -> float | None:
        """Memory over its limit."""
        anon, limit = self.state.anon_bytes, self.state.limit_bytes
        return None if anon is None or not limit else anon / limit

    @property
    def name(self) -> str:
        return self.state.pod or self.state.name

    @property
    def badness(self) -> tuple[int, bool, float, float]:
        """To sort by."""
        digest = self.digest
        sure = digest.confidence if self.kind in _POSITIVE else -digest.confidence
        return SEVERITY[self.kind], digest.at_risk, sure, digest.growth or 0.0


@dataclass(frozen=True, slots=True)
class Composed:
    """`document` has no leak yet; `fingerprints` are what its containers are called leaking by, with those who are."""

    document: Workload
    standing: tuple[Member, ...]
    living: int
    fleet: FleetVerdict
    leaking: Mapping[str, tuple[Member, ...]]


def compose(
    workload: WorkloadRow,
    members: Sequence[Member],
    active: Sequence[str],
    settings: JudgeSettings,
) -> Composed:
    """`members` are those that live and the newest of the others; `active` are fingerprints of leaks that are open."""
    standing = tuple(sorted(_standing(members), key=lambda one: one.badness, reverse=True))
    lives = _killed_lives(members, standing)
    judged = [Replica(one.name, one.state.version, _verdict(one)) for one in standing]
    judged += [Replica(one.name, one.state.version, _verdict(one), ended_near_limit=True) for one in lives]
    fleet = judge_fleet(judged, settings)
    kind = _kind(fleet, standing)
    leaking = _leaking(kind, (*standing, *lives), active)
    speaker = _speaker(kind, standing, leaking)
    document = _document(workload, standing, kind, speaker, fleet, len(judged))
    living = sum(not one.state.ended for one in standing)
    return Composed(document, standing, living, fleet, leaking)


def empty(workload: WorkloadRow, at: datetime) -> Workload:
    """Of a workload whose containers were found to belong to another one."""
    return Workload(
        workload=workload.name,
        namespace=workload.namespace,
        kind=workload.kind,
        name=workload.owner,
        container=workload.container,
        runtime="",
        verdict=Kind.UNKNOWN.value,
        reason="its containers belong to another workload",
        headline="Unknown: its containers belong to another workload.",
        at_risk=False,
        confidence=0.5,
        since=None,
        growth_bytes_per_second=None,
        usage_ratio=None,
        oom_forecast_seconds=None,
        leak=None,
        site=None,
        cause="",
        judged_at=at,
        version="",
        scopes=(),
        scope_count=0,
    )


def _standing(members: Sequence[Member]) -> list[Member]:
    living = [one for one in members if not one.state.ended]
    if living:
        return living
    last = max((one.state.at for one in members), default=0.0)
    return [one for one in members if last - one.state.at <= _TOGETHER_SECONDS]


def _killed_lives(members: Sequence[Member], standing: Sequence[Member]) -> tuple[Member, ...]:
    versions = {one.state.version for one in standing}
    newest = max((one.state.at for one in members), default=0.0)
    chosen = {one.state.scope_id for one in standing}
    found = [
        one
        for one in members
        if one.state.scope_id not in chosen
        and one.kind is Kind.GROWING
        and one.state.version in versions
        and (one.usage or 0.0) >= _FULL
        and newest - one.state.at <= _LIVES_SECONDS
    ]
    return tuple(sorted(found, key=lambda one: -one.state.at)[:MAX_LIVES])


def _verdict(member: Member) -> Verdict:
    return member.digest.as_verdict(member.kind, member.state.at)


def _kind(fleet: FleetVerdict, standing: Sequence[Member]) -> Kind:
    if fleet.kind is Kind.UNKNOWN and any(one.kind is Kind.WARMING_UP for one in standing):
        return Kind.WARMING_UP
    return fleet.kind


def _leaking(kind: Kind, members: Sequence[Member], active: Sequence[str]) -> dict[str, tuple[Member, ...]]:
    """By fingerprint those who leak by it. A leak that is open and whose site still grows keeps its name, though
    another site may lead now.
    """
    found: dict[str, list[Member]] = {}
    guilty = [one for one in members if one.kind is Kind.LEAKING]
    for one in guilty:
        own = one.digest.fingerprint
        if own is None:
            continue
        name = own if own in active else next((f for f in one.digest.site_fingerprints if f in active), own)
        found.setdefault(name, []).append(one)
    if kind is Kind.LEAKING and not guilty:
        growing = [one for one in members if one.kind is Kind.GROWING and one.digest.site_fingerprints]
        common = Counter(one.digest.site_fingerprints[0] for one in growing).most_common(1)
        for name, _ in common:
            found[name] = [one for one in growing if one.digest.site_fingerprints[0] == name]
    return {name: tuple(ones) for name, ones in found.items()}


def _speaker(
    kind: Kind, standing: Sequence[Member], leaking: Mapping[str, tuple[Member, ...]]
) -> Member | None:
    """Whose verdict stands for all."""
    of_kind = [one for one in standing if one.kind is kind]
    if of_kind:
        return of_kind[0]
    guilty = [one for ones in leaking.values() for one in ones]
    return max(guilty or standing, key=lambda one: one.badness, default=None)


def _document(
    workload: WorkloadRow,
    standing: Sequence[Member],
    kind: Kind,
    speaker: Member | None,
    fleet: FleetVerdict,
    replicas: int,
) -> Workload:
    said = Digest() if speaker is None else speaker.digest
    together = kind is Kind.LEAKING and (speaker is None or speaker.kind is not Kind.LEAKING)
    headline = said.headline or f"{kind.value}: {said.reason or 'not judged yet'}."
    if together:
        headline = f"{kind.value}: {fleet.sentence}."
    elif replicas > 1:
        headline = f"{headline.removesuffix('.')} ({fleet.sentence})."
    newest = max(standing, key=lambda one: one.state.first_seen, default=None)
    forecasts = [one.digest.forecast for one in standing if one.digest.forecast is not None]
    return Workload(
        workload=workload.name,
        namespace=workload.namespace,
        kind=workload.kind,
        name=workload.owner,
        container=workload.container,
        runtime=said.runtime or next((one.digest.runtime for one in standing if one.digest.runtime), ""),
        verdict=kind.value,
        reason=fleet.sentence if together else said.reason or "not judged yet",
        headline=headline,
        at_risk=any(one.digest.at_risk for one in standing),
        confidence=said.confidence,
        since=None if said.since is None else utc(said.since),
        growth_bytes_per_second=_highest(one.digest.growth for one in standing),
        usage_ratio=_highest(one.usage for one in standing),
        oom_forecast_seconds=min(forecasts, key=lambda one: one.p50, default=None),
        leak=None,
        site=said.site if kind in _POSITIVE else None,
        cause=said.cause,
        judged_at=utc(max((one.state.at for one in standing), default=0.0)),
        version="" if newest is None else newest.state.version,
        scopes=tuple(_scope(one) for one in standing[:MAX_SCOPES]),
        scope_count=len(standing),
    )


def _highest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _scope(member: Member) -> WorkloadScope:
    state, digest = member.state, member.digest
    return WorkloadScope(
        scope=state.name,
        pod=state.pod,
        pod_uid=state.pod_uid,
        version=state.version,
        verdict=member.kind.value,
        confidence=digest.confidence,
        growth_bytes_per_second=digest.growth,
        usage_ratio=member.usage,
        oom_forecast_seconds=digest.forecast,
        first_seen=utc(state.first_seen),
        last_sample_at=utc(state.at),
    )
