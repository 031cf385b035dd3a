"""The judge: a recording up to one moment, and the verdicts before it, become a verdict.

Pure: the same input has the same verdict, whoever asks and whenever. What each step removes is told in
docs/design/20261121-judge.md; every threshold is in `settings`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from memwarden_core.advice import advice
from memwarden_core.attribution import attribute
from memwarden_core.census import growing_types
from memwarden_core.classification import Classification, classify
from memwarden_core.confidence import confidence
from memwarden_core.examination import Findings, examine
from memwarden_core.fingerprint import site_fingerprint, unattributed_fingerprint
from memwarden_core.forecast import forecast
from memwarden_core.gates import Known, chance, gates
from memwarden_core.hysteresis import Decision, confirming, decide, has_agreement
from memwarden_core.recording import Recording
from memwarden_core.settings import JudgeSettings
from memwarden_core.statement import cause, headline
from memwarden_core.verdict import Forecast, Gate, Kind, Site, TypeGrowth, Verdict

DEFAULT_SETTINGS: Final = JudgeSettings()
_GROWS = (Kind.LEAKING, Kind.GROWING, Kind.CACHE_FILLING)


def judge(
    recording: Recording,
    *,
    now: float,
    previous: Sequence[Verdict] = (),
    settings: JudgeSettings = DEFAULT_SETTINGS,
    utc_offset_seconds: int = 0,
    allowed_chance: float = 1.0,
    known: Collection[str] = (),
) -> Verdict:
    """The verdict about `recording` at `now` (Unix seconds); nothing later is looked at.

    `previous` are earlier verdicts of the same scope in the order of time; only the last one before `now` is
    read. Without any (or with one that lost its gates), the recording is judged a few ticks earlier too, in
    their stead. `allowed_chance` is what many workloads at
    once leave to one of them (`discovery`). `known` are fingerprints of leaks that the workload has
    had: what is one of them is called sooner. Moments in the headline are UTC, moved by `utc_offset_seconds`. Labels of
    the recording may want other settings (`JudgeSettings.wished`).
    """
    settings = settings.wished(recording.labels, recording.interval)
    earlier = [verdict for verdict in previous if verdict.at < now][-1:]
    findings = examine(recording, now, settings)
    known_since = earlier[-1].since if earlier and earlier[-1].kind in (Kind.GROWING, Kind.LEAKING) else None
    is_known = _known(recording, findings, known)
    found = gates(findings, settings, allowed_chance, known_since, is_known)
    raw = classify(findings, found, settings)
    needed = confirming(found, findings.interval, settings)
    agreed = 0.0
    if raw.kind is Kind.LEAKING and not any(has_agreement(verdict) for verdict in earlier):
        agreed = needed if _leaked_before(recording, findings, needed, is_known, settings) else 0.0
    decision = decide(raw, findings, earlier, needed, agreed, settings)
    return _Composer(recording, findings, (*found, decision.confirmed), raw, decision, settings).verdict(
        earlier[-1] if earlier else None, utc_offset_seconds
    )


def _leaked_before(
    recording: Recording, findings: Findings, seconds: float, known: Known, settings: JudgeSettings
) -> bool:
    """Whether it was a leak so much earlier; what was said between is left out, since each judgement costs as much."""
    before = examine(recording, float(findings.memory.time[-1]) - seconds, settings)
    return classify(before, gates(before, settings, known=known), settings).kind is Kind.LEAKING


def _known(recording: Recording, findings: Findings, known: Collection[str]) -> Known:
    if not known:
        return Known()
    sites = findings.attribution.sites if findings.attribution is not None else ()
    site = bool(sites) and fingerprint_of(sites[0].site, recording) in known
    return Known(site, _unattributed(recording) in known)


def fingerprint_of(site: Site, recording: Recording) -> str:
    """Of a leak at this site, which is one of the recording's."""
    process = next((one for one in recording.processes if one.pid == site.pid), None)
    runtime = process.runtime if process is not None else ""
    return site_fingerprint(site, runtime, process.library_prefixes if process is not None else ())


def _unattributed(recording: Recording) -> str:
    return unattributed_fingerprint(recording.labels.get("workload") or recording.command, "anon")


@dataclass(frozen=True, slots=True)
class _Composer:
    """Puts the parts of a verdict together."""

    recording: Recording
    findings: Findings
    gates: tuple[Gate, ...]
    raw: Classification
    decision: Decision
    settings: JudgeSettings

    def verdict(self, last: Verdict | None, utc_offset_seconds: int) -> Verdict:
        findings, kind, kept = self.findings, self.decision.kind, self.decision.kept
        growth = findings.growth if not findings.trouble else None
        grows = kind in _GROWS and growth is not None and growth.trend.slope > 0
        since = self._since(last, grows)
        rate = growth.trend.slope if growth is not None else None
        interval = (growth.trend.lower, growth.trend.upper) if growth is not None else None
        sites = self._sites()
        attributed = self.raw.attributed
        if kept is not None:
            sites = sites if sites and attributed else kept.sites
            rate, interval = kept.growth_bytes_per_second, kept.growth_interval
            attributed = bool(kept.cause) and bool(sites) and self._was_attributed(kept)
        ahead = self._forecast() if kind in (Kind.LEAKING, Kind.GROWING) else None
        at_risk = self._at_risk(ahead)
        named = sites[0] if sites and attributed else None
        sure = confidence(kind, self.gates, attributed, kept is not None, self.settings.sensitivity)
        by_chance = (
            chance(findings, growth, self.raw.attributed, self.settings) if growth is not None else 1.0
        )
        told = cause(kind, findings, attributed and kept is None, findings.attribution)
        return Verdict(
            at=findings.at,
            kind=kind,
            reason=self.decision.reason,
            headline=headline(
                kind, self.decision.reason, sure, findings, named, rate, since, ahead, utc_offset_seconds
            ),
            confidence=sure,
            at_risk=at_risk,
            anon_bytes=findings.anon,
            since=since,
            growth_bytes_per_second=rate,
            growth_interval=interval,
            forecast=ahead,
            cause=kept.cause if kept is not None else told,
            fingerprint=self._fingerprint(kind, named, kept),
            sites=sites,
            types=self._types(),
            advice=advice(kind, findings, named, at_risk),
            gates=self.gates,
            observed=self.raw.kind,
            chance=by_chance,
        )

    def _since(self, last: Verdict | None, grows: bool) -> float | None:
        growth = self.findings.growth
        if self.decision.kept is not None:
            return self.decision.kept.since
        if not grows or growth is None:
            return None
        if last is None or last.since is None:
            return growth.since
        if last.kind is Kind.LEAKING and self.decision.kind is Kind.LEAKING:
            return last.since
        if last.kind is Kind.GROWING and self.decision.kind is not Kind.CACHE_FILLING:
            return min(last.since, growth.since)
        return growth.since

    def _sites(self) -> tuple[Site, ...]:
        found = self.findings.attribution
        if found is None:
            # Too early to judge, or too little: what lives can be shown all the same, the largest first.
            until = min(self.findings.at, self.recording.ended)
            seen = attribute(self.recording, self.recording.started, until, None, self.settings)
            return tuple(sorted((item.site for item in seen.sites), key=lambda site: -site.live_bytes))
        return tuple(item.site for item in found.sites)

    def _was_attributed(self, kept: Verdict) -> bool:
        return kept.fingerprint is not None and kept.fingerprint != _unattributed(self.recording)

    def _fingerprint(self, kind: Kind, named: Site | None, kept: Verdict | None) -> str | None:
        if kept is not None:
            return kept.fingerprint
        if kind is not Kind.LEAKING:
            return None
        return _unattributed(self.recording) if named is None else fingerprint_of(named, self.recording)

    def _forecast(self) -> Forecast | None:
        findings, growth = self.findings, self.findings.growth
        if growth is None or findings.limit is None or findings.signal is None or findings.trouble:
            return None
        if growth.trend.lower <= 0:
            return None
        recent = findings.memory.value[-max(10, growth.floors.value.size // 4) :]
        return forecast(growth.floors, findings.limit.bytes - float(recent.max()), self.settings)

    def _at_risk(self, ahead: Forecast | None) -> bool:
        limit, anon = self.findings.limit, self.findings.anon
        if ahead is not None and ahead.p50 <= self.settings.horizon_seconds:
            return True
        return limit is not None and limit.bytes > 0 and anon is not None and anon >= 0.95 * limit.bytes

    def _types(self) -> tuple[TypeGrowth, ...]:
        growth = self.findings.growth
        if growth is None or self.findings.trouble:
            return ()
        return growing_types(self.recording, growth.since, self.findings.at, self.settings)
