"""Of which pod and container a HeapSnapshot is taken. Pure.

A pod that is named is that pod. Of a workload it is the youngest pod that shows the growth: its process has lived the
shortest, so what it has kept is likelier the leak than what all of them keep. While none grows it is the youngest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from memwarden_api import names
from memwarden_api.v1alpha1.heap_snapshot import HeapSnapshotSpec
from memwarden_operator.controller.owners import Owned, Workload
from memwarden_operator.controller.pods import Pod
from memwarden_operator.controller.verdicts import Verdict
from memwarden_operator.controller.words import listed

GROWS: Final = frozenset(("Leaking", "Growing"))


@dataclass(frozen=True, slots=True)
class Target:
    """That very pod, and one of its containers."""

    pod: Pod
    container: str


@dataclass(frozen=True, slots=True)
class NoTarget:
    """Why there is none."""

    reason: str
    message: str


def of_pod(spec: HeapSnapshotSpec, pod: Pod, verdicts: Sequence[Verdict]) -> Target | NoTarget:
    """`verdicts`: of its namespace."""
    if not pod.running:
        return NoTarget(names.CAPTURE_NOT_RUNNING, f"pod {pod.name} does not run (phase {pod.phase})")
    apps = [container.name for container in pod.app]
    if spec.container is not None:
        if spec.container in apps:
            return Target(pod, spec.container)
        text = f"pod {pod.name} has no container {spec.container}: it has {listed(apps, 5)}"
        return NoTarget(names.CAPTURE_NO_CONTAINER, text)
    growing = [name for name in apps if pod.uid in _growing(verdicts, name)]
    heard = [
        name for name in apps if any(one.container == name and pod.uid in one.reported for one in verdicts)
    ]
    for found in (growing, heard, apps):
        if len(found) == 1:
            return Target(pod, found[0])
    text = f"pod {pod.name} has the containers {listed(apps, 5)}: name one in spec.container"
    return NoTarget(names.CAPTURE_CONTAINER_UNCLEAR, text)


def of_workload(
    spec: HeapSnapshotSpec,
    workload: Workload,
    pods: Sequence[Pod],
    owners: Mapping[str, Owned],
    verdicts: Sequence[Verdict],
) -> Target | NoTarget:
    """`pods`: injected ones of its namespace; `owners`: by their uids."""
    members = [
        pod for pod in pods if pod.running and pod.uid in owners and owners[pod.uid].workload == workload
    ]
    if not members:
        return NoTarget(
            names.CAPTURE_NO_POD,
            f"no pod of {workload.label} runs with Memwarden in namespace {workload.namespace}",
        )
    growing = _growing([one for one in verdicts if one.workload == workload], spec.container)
    chosen = [pod for pod in members if pod.uid in growing] or members
    return of_pod(spec, max(chosen, key=lambda pod: (pod.created_at, pod.name)), verdicts)


def _growing(verdicts: Sequence[Verdict], container: str | None) -> set[str]:
    """Uids of pods whose memory grows, in this container or in any."""
    return {
        share.pod_uid
        for one in verdicts
        if container in (None, one.container)
        for share in one.shares
        if share.verdict in GROWS
    }
