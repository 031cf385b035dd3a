"""A profile's status from what is observed: coverage, workloads, and what the conditions say. Pure.

Everything is bounded, the worst first. Messages name what it is, why, and what to do next.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from memwarden_api import names
from memwarden_api.report import Forecast, VerdictName
from memwarden_api.v1alpha1 import MemoryProfileStatus
from memwarden_api.v1alpha1.profile_status import (
    MAX_SKIPPED,
    MAX_STOPPED,
    MAX_WORKLOADS,
    Coverage,
    OutOfMemoryForecast,
    Skipped,
    StoppedInjection,
    WorkloadStatus,
)
from memwarden_operator.controller import breaker, steady
from memwarden_operator.controller.conditions import Said, merged
from memwarden_operator.controller.observed import Observed
from memwarden_operator.controller.verdicts import Verdict
from memwarden_operator.controller.words import egress_policy, listed, rate, span

_WORST_FIRST: Final[tuple[VerdictName, ...]] = (
    "Leaking", "Growing", "Fragmented", "CacheFilling", "Unknown", "WarmingUp", "Healthy",
)  # fmt: skip
_JUDGED: Final = frozenset(("Leaking", "Growing", "Fragmented", "CacheFilling", "Healthy"))


def status_of(observed: Observed, now: datetime) -> MemoryProfileStatus:
    """What is to be in the cluster."""
    before = observed.profile.status
    workloads = workloads_of(observed.verdicts, before.workloads, now)
    stopped = _stopped(observed, now)
    generation = observed.profile.metadata.generation
    coverage = _coverage(observed, now)
    said = _said(observed, coverage, workloads, stopped, now)
    return MemoryProfileStatus(
        observed_generation=generation if observed.stalled is None else before.observed_generation,
        conditions=merged(before.conditions, said, generation, now),
        coverage=coverage,
        leaks=sum(1 for one in workloads if one.verdict == "Leaking"),
        next_out_of_memory=_next_out_of_memory(observed.verdicts, before.next_out_of_memory, now),
        workloads=workloads[:MAX_WORKLOADS],
        injection_stopped=stopped,
    )


def _coverage(observed: Observed, now: datetime) -> Coverage:
    """From the last look over the pods; without one, what was known stays."""
    before, scan = observed.profile.status.coverage, observed.scan
    if scan is None:
        return before
    injected = max(scan.injected, sum(1 for pod in observed.pods if not pod.over))
    silent = before.reporting if observed.collector.answers else 0
    reporting = observed.reporting if observed.reporting is not None else silent
    return Coverage(
        matched=max(scan.matched, injected),
        injected=injected,
        reporting=min(reporting, injected),
        skipped=tuple(
            Skipped(pod=missed.pod, reason=missed.reason, message=missed.message[:1024])
            for missed in scan.missed[:MAX_SKIPPED]
        ),
    )


def workloads_of(
    verdicts: Iterable[Verdict], before: Iterable[WorkloadStatus], now: datetime
) -> tuple[WorkloadStatus, ...]:
    """All workloads, the worst first; numbers stand still while they hardly move."""
    known = {(one.kind, one.name, one.container): one for one in before}
    ranked = sorted(verdicts, key=_rank)
    return tuple(_workload(verdict, known.get(verdict.key)) for verdict in ranked)


def _rank(verdict: Verdict) -> tuple[int, bool, tuple[str, str, str]]:
    return _WORST_FIRST.index(verdict.verdict), not verdict.at_risk, verdict.key


def _workload(verdict: Verdict, old: WorkloadStatus | None) -> WorkloadStatus:
    if old is not None and old.verdict != verdict.verdict:
        old = None
    return WorkloadStatus(
        kind=verdict.workload.kind,
        name=verdict.workload.name,
        container=verdict.container,
        runtime=verdict.runtime[:64],
        verdict=verdict.verdict,
        confidence=steady.confidence(verdict.confidence, old.confidence if old else None),
        since=steady.past(verdict.since, old.since if old else None),
        growth_bytes_per_second=steady.number(
            verdict.growth_bytes_per_second, old.growth_bytes_per_second if old else None
        ),
        oom_forecast_seconds=_forecast(
            verdict.oom_forecast_seconds, old.oom_forecast_seconds if old else None
        ),
        leak=verdict.leak[:128],
        site=verdict.site[-512:],
        message=_headline(verdict, old),
    )


def _headline(verdict: Verdict, old: WorkloadStatus | None) -> str:
    """The old sentence while only its numbers would differ."""
    if old is not None and old.message and _words(old.message) == _words(verdict.headline):
        return old.message
    return verdict.headline[:1024]


def _words(sentence: str) -> str:
    return "".join(letter for letter in sentence if not letter.isdigit() and letter not in ".,")


def _forecast(new: Forecast | None, old: OutOfMemoryForecast | None) -> OutOfMemoryForecast | None:
    if new is None:
        return None
    return OutOfMemoryForecast(
        p10=steady.number(max(new.p10, 0.0), old.p10 if old else None),
        p50=steady.number(max(new.p50, 0.0), old.p50 if old else None),
        p90=steady.number(max(new.p90, 0.0), old.p90 if old else None),
    )


def _next_out_of_memory(verdicts: Iterable[Verdict], old: datetime | None, now: datetime) -> datetime | None:
    moments = [
        verdict.judged_at + timedelta(seconds=max(verdict.oom_forecast_seconds.p50, 0.0))
        for verdict in verdicts
        if verdict.oom_forecast_seconds is not None and verdict.oom_forecast_seconds.p50 < 10 * 365 * 86_400
    ]
    return steady.when(min(moments), old, now) if moments else None


def _stopped(observed: Observed, now: datetime) -> tuple[StoppedInjection, ...]:
    """Those that were stopped and stay so, and those that the breaker stops now."""
    stay = {
        entry.workload: entry
        for entry in observed.profile.status.injection_stopped
        if not breaker.tried_again(entry.reason, entry.since, now)
    }
    for workload, stop in observed.stops.items():
        if workload.label not in stay:
            stay[workload.label] = StoppedInjection(
                workload=workload.label,
                reason=stop.reason,
                message=stop.message[:1024],
                since=now.replace(microsecond=0),
            )
    return tuple(sorted(stay.values(), key=lambda entry: entry.workload))[:MAX_STOPPED]


# ── Conditions ───────────────────────────────────────────────────────────────────────────────────────────


def _said(
    observed: Observed,
    coverage: Coverage,
    workloads: tuple[WorkloadStatus, ...],
    stopped: tuple[StoppedInjection, ...],
    now: datetime,
) -> tuple[Said, ...]:
    stalled = _stalled(observed)
    reconciling = _reconciling(observed)
    injected = _injected(observed, coverage, stopped)
    collecting = _collecting(observed, coverage, now)
    leak_free = _leak_free(observed, workloads)
    ready = _ready(coverage, stalled, reconciling, injected, collecting)
    return ready, reconciling, stalled, injected, collecting, leak_free


def _stalled(observed: Observed) -> Said:
    if observed.stalled is not None:
        return Said(names.CONDITION_STALLED, "True", *observed.stalled)
    return Said(names.CONDITION_STALLED, "False", names.REASON_NO_OBSTACLE, "Nothing is in the way")


def _reconciling(observed: Observed) -> Said:
    scan = observed.scan
    if scan is None or scan.generation != observed.profile.metadata.generation:
        text = "The namespace's pods have not been looked over for this spec yet; it is done once a minute"
        return Said(names.CONDITION_RECONCILING, "True", names.REASON_LOOKING, text)
    return Said(names.CONDITION_RECONCILING, "False", names.REASON_UP_TO_DATE, "The status is of this spec")


def _injected(observed: Observed, coverage: Coverage, stopped: tuple[StoppedInjection, ...]) -> Said:
    kind = names.CONDITION_INJECTED
    if observed.profile.spec.injection.mode == "Off":
        return Said(
            kind, "False", names.REASON_INJECTION_OFF, "spec.injection.mode is Off: no pod is changed"
        )
    if stopped:
        which = listed([f"{entry.workload} ({entry.reason}: {entry.message})" for entry in stopped], 3)
        text = (
            f"Injection is stopped for {which}. Once the cause is gone, remove the entry from status.injectionStopped: "
            f"kubectl edit memprof {observed.profile.metadata.name} -n {observed.profile.metadata.namespace} "
            "--subresource=status"
        )
        return Said(kind, "False", names.REASON_INJECTION_STOPPED, text)
    if observed.scan is None:
        return Said(
            kind, "Unknown", names.REASON_LOOKING, "The namespace's pods have not been looked over yet"
        )
    if coverage.matched == 0:
        text = "No pod of the namespace is selected and asks to be watched; see spec.selector and the pods' labels"
        return Said(kind, "Unknown", names.REASON_NO_POD, text)
    missed = coverage.matched - coverage.injected
    if missed > 0:
        return Said(kind, "False", names.REASON_PODS_MISSED, _missed(observed, missed, coverage.matched))
    return Said(kind, "True", names.REASON_ALL_INJECTED, f"All {coverage.matched} selected pods are injected")


def _missed(observed: Observed, missed: int, matched: int) -> str:
    found = observed.scan.missed if observed.scan else ()
    reasons = Counter(one.reason for one in found)
    first = {one.reason: one for one in reversed(found)}
    parts = [f"{reason} ({count}): {first[reason].message}" for reason, count in reasons.most_common(3)]
    return f"{missed} of {matched} selected pods are not injected. " + " | ".join(parts)


def _collecting(observed: Observed, coverage: Coverage, now: datetime) -> Said:
    kind = names.CONDITION_COLLECTING
    if not observed.collector.answers:
        since = observed.collector.since.strftime("%Y-%m-%dT%H:%M:%SZ")
        text = f"The collector has not answered since {since} ({observed.collector.cause}); what it says is not known"
        return Said(kind, "Unknown", names.REASON_COLLECTOR_AWAY, text)
    if coverage.injected == 0:
        return Said(kind, "Unknown", names.REASON_NONE_INJECTED, "No pod is injected: none can report")
    expected = observed.expected(now)
    reporting = coverage.reporting if observed.reporting is None else observed.reporting
    if reporting >= len(expected) and reporting:
        return Said(
            kind, "True", names.REASON_SIDECARS_REPORT, f"{reporting} of {coverage.injected} pods report"
        )
    if not expected or observed.reporting is None:
        return Said(
            kind, "Unknown", names.REASON_SIDECARS_START, "The pods started less than two minutes ago"
        )
    silent = [pod.name for pod in expected if pod.uid not in observed.ever_reported] or [
        pod.name for pod in expected
    ]
    if reporting == 0 and not any(pod.uid in observed.ever_reported for pod in expected):
        return Said(kind, "False", names.REASON_NO_SIDECAR_REACHED, _unreached(observed, silent))
    text = (
        f"{len(expected) - reporting} of {len(expected)} pods send no data ({listed(silent, 3)}); "
        f"see kubectl logs -n {observed.profile.metadata.namespace} POD -c {names.CONTAINER_SIDECAR}"
    )
    return Said(kind, "False", names.REASON_SIDECARS_SILENT, text)


def _unreached(observed: Observed, silent: list[str]) -> str:
    namespace = observed.profile.metadata.namespace
    begin = f"No sidecar of {len(silent)} pods ({listed(silent, 3)}) has reached the collector. "
    if observed.denying:
        return (
            f"{begin}NetworkPolicy {listed(list(observed.denying), 3)} rules where these pods may connect to; "
            f"add one that lets them: {egress_policy(namespace, *observed.collector_at)}"
        )
    return (
        f"{begin}No NetworkPolicy of the namespace is in the way; see "
        f"kubectl logs -n {namespace} {silent[0]} -c {names.CONTAINER_SIDECAR}"
    )


def _leak_free(observed: Observed, workloads: tuple[WorkloadStatus, ...]) -> Said:
    kind = names.CONDITION_LEAK_FREE
    if not observed.collector.answers:
        return Said(
            kind, "Unknown", names.REASON_COLLECTOR_AWAY, "The collector does not answer: verdicts may be old"
        )
    leaking = [one for one in workloads if one.verdict == "Leaking"]
    if leaking:
        return Said(kind, "False", names.REASON_LEAKS_FOUND, listed([_leak(one) for one in leaking], 5))
    if not any(one.verdict in _JUDGED for one in workloads):
        return Said(kind, "Unknown", names.REASON_NOT_JUDGED, "No container has been watched for long enough")
    judged = sum(1 for one in workloads if one.verdict in _JUDGED)
    return Said(kind, "True", names.REASON_NO_LEAK, f"{judged} containers are judged and none leaks")


def _leak(one: WorkloadStatus) -> str:
    parts = [f"{one.kind}/{one.name} container {one.container}"]
    parts += [f"grows by {rate(one.growth_bytes_per_second)}"] if one.growth_bytes_per_second else []
    parts += [f"likely at {one.site}"] if one.site else []
    if one.oom_forecast_seconds is not None and one.oom_forecast_seconds.p50 is not None:
        parts.append(f"out of memory in about {span(one.oom_forecast_seconds.p50)}")
    return ", ".join(parts)


def _ready(coverage: Coverage, stalled: Said, reconciling: Said, injected: Said, collecting: Said) -> Said:
    kind = names.CONDITION_READY
    if stalled.status == "True":
        return Said(kind, "False", stalled.reason, stalled.message)
    if reconciling.status == "True":
        return Said(kind, "Unknown", reconciling.reason, reconciling.message)
    none_injected = (
        coverage.matched > 0 and coverage.injected == 0 and injected.reason == names.REASON_PODS_MISSED
    )
    if injected.reason == names.REASON_INJECTION_STOPPED or none_injected:
        return Said(kind, "False", injected.reason, injected.message)
    if collecting.status == "False":
        return Said(kind, "False", collecting.reason, collecting.message)
    if collecting.reason == names.REASON_COLLECTOR_AWAY:
        return Said(kind, "Unknown", collecting.reason, collecting.message)
    if injected.reason == names.REASON_NO_POD:
        # Not True: who waits for Ready, or looks at the column, would take a mistyped selector for a watched app. Not
        # False either: a CronJob between its runs and a Deployment of no replicas are nobody's mistake.
        return Said(kind, "Unknown", names.REASON_NO_POD, injected.message)
    text = f"{coverage.injected} of {coverage.matched} pods are injected, {coverage.reporting} report"
    return Said(kind, "True", names.REASON_WATCHING, text)
