"""What the collector is told of pods: owners, versions, ends of containers; and what was decided about them. Pure.

All of it is idempotent: the collector replaces what it has of the same pod, version or start.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from memwarden_api.cluster import Owner, Restart, Rollout
from memwarden_api.decisions import Decision
from memwarden_api.v1alpha1 import MemoryProfile
from memwarden_operator.controller.owners import Owned, Workload
from memwarden_operator.controller.pods import Pod

MOST_IMAGES = 64


def owner_of(pod: Pod, owned: Owned) -> Owner:
    return Owner(
        namespace=pod.namespace,
        pod=pod.name,
        pod_uid=pod.uid,
        kind=owned.workload.kind,
        name=owned.workload.name,
        version=pod.version[:253],
        image=_images(pod),
        profile=pod.profile,
    )


def _images(pod: Pod) -> dict[str, str]:
    return {container.name: container.image[:1024] for container in pod.app[:MOST_IMAGES]}


def restarts_of(pod: Pod) -> Iterator[Restart]:
    """Ends of the app's containers that the pod's status still shows: the last one of each."""
    for container in pod.app:
        if container.end is not None:
            yield Restart(
                namespace=pod.namespace,
                pod=pod.name,
                pod_uid=pod.uid,
                container=container.name,
                restart_count=container.restarts,
                reason=container.end.reason[:253],
                exit_code=container.end.exit_code,
                started_at=container.end.started_at,
                finished_at=container.end.finished_at,
            )


def rollouts_of(pods: Iterable[Pod], owners: Mapping[str, Owned]) -> Iterator[Rollout]:
    """One for each workload and version that has pods. `owners` by pod uid; others don't count."""
    versions: dict[tuple[Workload, str], list[Pod]] = defaultdict(list)
    others: dict[Workload, set[str]] = defaultdict(set)
    for pod in pods:
        if pod.version and pod.uid in owners:
            workload = owners[pod.uid].workload
            versions[workload, pod.version].append(pod)
            others[workload].add(pod.version)
    for (workload, version), made in versions.items():
        yield _rollout(workload, version, made, owners[made[0].uid], alone=len(others[workload]) == 1)


def _rollout(workload: Workload, version: str, pods: Sequence[Pod], owned: Owned, alone: bool) -> Rollout:
    """Finished when all its pods are ready and none of another version is left: at the last one's readiness."""
    about = owned.version
    ready = [pod.ready_at for pod in pods if pod.ready and pod.ready_at is not None]
    started = min(pod.created_at for pod in pods)
    return Rollout(
        namespace=workload.namespace,
        kind=workload.kind,
        name=workload.name,
        version=version[:253],
        revision=about.revision if about else None,
        images=_images(pods[0]),
        started_at=about.started_at if about and about.started_at else started,
        finished_at=max(ready) if alone and ready and len(ready) == len(pods) else None,
    )


def decisions_of(profile: MemoryProfile) -> Iterator[Decision]:
    """The last ones, as its status has them."""
    about = profile.metadata
    for one in profile.status.remediations:
        kind, _, name = one.workload.partition("/")
        said = (about.uid, one.time.isoformat(), one.workload, one.pod, one.result, one.reason)
        yield Decision(
            id=hashlib.sha256("\0".join(said).encode()).hexdigest()[:32],
            namespace=about.namespace,
            profile=about.name,
            kind=kind,
            name=name,
            pod=one.pod,
            action=one.action,
            result=one.result,
            reason=one.reason,
            message=one.message,
            snapshot=one.evidence.snapshot if one.evidence else "",
            recording=one.evidence.path if one.evidence else "",
            at=one.time,
        )
