"""What is told as events: the difference between a status and the one before it. Pure.

An event stands on the workload, since its owner looks there; where only the pod is known, on the pod. What an event
is called follows from what it says (memwarden_kube.events), so telling it twice, after a restart say, does no harm.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from memwarden_api import names
from memwarden_api.v1alpha1 import MemoryProfileStatus
from memwarden_api.v1alpha1.profile_status import StoppedInjection, WorkloadStatus
from memwarden_kube.events import Regarding, Told
from memwarden_operator.controller.observed import Observed
from memwarden_operator.controller.owners import Owned, Workload
from memwarden_operator.controller.pods import Reference
from memwarden_operator.controller.words import rate, span

SOON_SECONDS: Final = 3600
"""A forecast nearer than this is told."""
MOST_MISSED: Final = 10
"""Events about missed pods of one status; the status has the rest."""

_API_VERSIONS: Final = {
    "Deployment": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1", "ReplicaSet": "apps/v1",
    "Job": "batch/v1", "CronJob": "batch/v1", "Pod": "v1",
}  # fmt: skip


def news(observed: Observed, after: MemoryProfileStatus) -> tuple[Told, ...]:
    """All that is new in `after`, in the order of the status."""
    before = observed.profile.status
    references = {owned.workload: owned for owned in observed.owners.values()} | _of_missed_pods(observed)
    told = [
        *_of_workloads(observed, before, after, references),
        *_of_stops(observed, before, after, references),
    ]
    told += _of_remediations(observed, before, after, references)
    return (*told, *_of_missed(observed, before))


def _of_missed_pods(observed: Observed) -> dict[Workload, Owned]:
    """Whose pods none may be injected of."""
    namespace, missed = observed.profile.metadata.namespace, observed.scan.missed if observed.scan else ()
    found = [one.workload for one in missed if one.workload is not None]
    works = [Workload(namespace, one.kind, one.name) for one in found]
    return {work: Owned(work, one) for work, one in zip(works, found, strict=True)}


def _of_workloads(
    observed: Observed,
    before: MemoryProfileStatus,
    after: MemoryProfileStatus,
    references: Mapping[Workload, Owned],
) -> Iterator[Told]:
    known = {(one.kind, one.name, one.container): one for one in before.workloads}
    for one in after.workloads:
        old = known.get((one.kind, one.name, one.container))
        regarding = regarding_workload(observed, one.kind, one.name, references)
        leaks, leaked = one.verdict == "Leaking", old is not None and old.verdict == "Leaking"
        if leaks and not leaked:
            yield Told(
                regarding, names.EVENT_LEAK, _suspected(one), "Warning", "Judge", one.container + one.leak
            )
        if leaked and one.verdict == "Healthy":
            note = f"container {one.container}: memory no longer grows"
            leak = old.leak if old is not None else ""
            yield Told(regarding, names.EVENT_LEAK_ENDED, note, "Normal", "Judge", one.container + leak)
        if _soon(one) and not (old is not None and _soon(old)):
            yield Told(
                regarding, names.EVENT_OOM_FORECAST, _forecast(one), "Warning", "Forecast", one.container
            )


def _suspected(one: WorkloadStatus) -> str:
    parts = [f"container {one.container}: {one.message or 'memory is not given back'}"]
    parts += [f"grows by {rate(one.growth_bytes_per_second)}"] if one.growth_bytes_per_second else []
    parts += [f"likely at {one.site}"] if one.site else []
    parts += [f"confidence {one.confidence:.0%}"]
    parts += [f"leak {one.leak}"] if one.leak else []
    return "; ".join(parts)


def _soon(one: WorkloadStatus) -> bool:
    forecast = one.oom_forecast_seconds
    return forecast is not None and forecast.p50 is not None and forecast.p50 <= SOON_SECONDS


def _forecast(one: WorkloadStatus) -> str:
    forecast = one.oom_forecast_seconds
    assert forecast is not None  # _soon has looked
    between = (
        f" (between {span(forecast.p10)} and {span(forecast.p90)})"
        if forecast.p10 is not None and forecast.p90 is not None
        else ""
    )
    return f"container {one.container} meets its memory limit in about {span(forecast.p50 or 0)}{between}"


def _of_stops(
    observed: Observed,
    before: MemoryProfileStatus,
    after: MemoryProfileStatus,
    references: Mapping[Workload, Owned],
) -> Iterator[Told]:
    known = {entry.workload for entry in before.injection_stopped}
    for entry in after.injection_stopped:
        if entry.workload not in known:
            kind, _, name = entry.workload.partition("/")
            yield Told(
                regarding_workload(observed, kind, name, references),
                names.EVENT_INJECTION_STOPPED,
                _stopped(entry),
                "Warning",
                "StopInjection",
                entry.since.isoformat(),
            )


def _of_remediations(
    observed: Observed,
    before: MemoryProfileStatus,
    after: MemoryProfileStatus,
    references: Mapping[Workload, Owned],
) -> Iterator[Told]:
    """Each decision, done or refused."""
    for one in after.remediations:
        if one not in before.remediations:
            kind, _, name = one.workload.partition("/")
            what = f"{one.action} of {f'pod {one.pod}' if one.pod else one.workload}"
            yield Told(
                regarding_workload(observed, kind, name, references),
                names.EVENT_REMEDIATION,
                f"{one.result}: {what}: {one.reason}: {one.message}"[:1024],
                "Normal" if one.result in ("Done", "WouldDo") else "Warning",
                "Remediate",
                one.pod + one.result + one.reason,
            )


def _stopped(entry: StoppedInjection) -> str:
    return f"Memwarden is no longer put into pods of {entry.workload}: {entry.reason}: {entry.message}"


def _of_missed(observed: Observed, before: MemoryProfileStatus) -> Iterator[Told]:
    """One for each workload and reason that was not in the status before."""
    if observed.scan is None:
        return
    known = {(one.pod, one.reason) for one in before.coverage.skipped}
    told: set[tuple[str, str]] = set()
    for missed in observed.scan.missed:
        about = missed.workload or Reference("v1", "Pod", missed.pod)
        if (missed.pod, missed.reason) in known or (about.name, missed.reason) in told:
            continue
        if len(told) == MOST_MISSED:
            return
        told.add((about.name, missed.reason))
        yield missed_pod(observed.profile.metadata.namespace, about, missed.reason, missed.message)


def missed_pod(namespace: str, about: Reference, reason: str, message: str) -> Told:
    """That pods of an owner are not watched."""
    regarding = Regarding(about.api_version, about.kind, namespace, about.name, about.uid)
    return Told(regarding, names.EVENT_POD_MISSED, f"{reason}: {message}", "Warning", "Scan", reason)


def regarding_workload(
    observed: Observed, kind: str, name: str, references: Mapping[Workload, Owned]
) -> Regarding:
    """The object itself; without its uid where no pod of it is there to tell it."""
    namespace = observed.profile.metadata.namespace
    owned = references.get(Workload(namespace, kind, name))
    if owned is not None:
        return Regarding(owned.reference.api_version, kind, namespace, name, owned.reference.uid)
    return Regarding(_API_VERSIONS.get(kind, "v1"), kind, namespace, name)
