"""Looking over the pods of a namespace: what profiles mean, what is injected, what was missed and why.

Pods come as pages of metadata and are forgotten at once; whole pods are read of candidates only, each once, and no
more than `CANDIDATES` in a round. Also read here: whom FailedCreate events accuse, and what rules egress.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from memwarden_api import names
from memwarden_api.quantities import quantity
from memwarden_api.v1alpha1 import MemoryProfile
from memwarden_kube.errors import NotFound
from memwarden_kube.events import Told
from memwarden_kube.objects import DAEMON_SETS, JOBS, PODS, REPLICA_SETS, STATEFUL_SETS, Object, Resource
from memwarden_operator.controller import metrics
from memwarden_operator.controller.breaker import FRESH, Plain, Stop, compared
from memwarden_operator.controller.cluster import Cluster
from memwarden_operator.controller.examination import examined
from memwarden_operator.controller.missed import Homeless, Meant, Namespace, look, never_seen
from memwarden_operator.controller.moments import last_seen
from memwarden_operator.controller.news import missed_pod
from memwarden_operator.controller.observed import Missed, Scan
from memwarden_operator.controller.owners import Owners, Workload
from memwarden_operator.controller.pods import Pod, Reference, label_of, trimmed
from memwarden_operator.controller.profiles import Known
from memwarden_operator.controller.refusals import because_of_us
from memwarden_operator.injector.profile import Profile
from memwarden_operator.injector.selection import Choice, select
from memwarden_operator.injector.selector import Selector

CANDIDATES: Final = 100
"""Whole pods read in one round; the others keep their turn."""
REMEMBERED: Final = 20_000
SIBLINGS: Final = 20
"""Pods without us that are enough to compare with."""
LOOKED_AT: Final = 500
NOT_EXAMINED: Final = "it was not injected; why is looked into within the next minutes"
_CURABLE: Final = frozenset((names.MISSED_NOT_SEEN, names.MISSED_OLDER_THAN_PROFILE))
_OWNERS: Final[Mapping[str, Resource]] = {
    "ReplicaSet": REPLICA_SETS, "StatefulSet": STATEFUL_SETS, "DaemonSet": DAEMON_SETS, "Job": JOBS,
}  # fmt: skip


class Scanner:
    """Remembers, by pod uid, why a pod was missed: a pod's spec doesn't change."""

    def __init__(self, cluster: Cluster, owners: Owners) -> None:
        self._cluster = cluster
        self._owners = owners
        self._examined: OrderedDict[tuple[str, int], tuple[str, str]] = OrderedDict()

    async def scan(
        self, namespace: str, known: Sequence[Known], now: datetime
    ) -> tuple[dict[str, Scan], list[Told]]:
        """By profile, and what is to be told of pods that no profile can be said to mean."""
        about = await namespace_of(self._cluster, namespace, known)
        injected: dict[str, int] = {}
        meant: list[Meant] = []
        homeless: list[Homeless] = []
        async for pods, _ in self._cluster.pods(namespace):
            metrics.SCANNED.inc(len(pods))
            counts, more, lost = look(pods, about)
            for profile, count in counts.items():
                injected[profile] = injected.get(profile, 0) + count
            meant += more
            homeless += lost
        found = await self._missed(about, known, meant)
        told = [missed_pod(namespace, _about(one), one.skip.reason, one.skip.message) for one in homeless]
        return {one.key[1]: _scan(one, injected, found, now) for one in known}, told

    async def _missed(
        self, about: Namespace, known: Sequence[Known], meant: Sequence[Meant]
    ) -> dict[str, list[Missed]]:
        by_name = {one.key[1]: one for one in known}
        found: dict[str, list[Missed]] = {}
        room = CANDIDATES
        for one in meant:
            owned = await self._owners.of(about.name, one.pod, one.uid, one.owner)
            reason, message, why = one.reason, one.message, None
            if not reason:
                generation = by_name[one.profile].profile.metadata.generation
                why = self._examined.get((one.uid, generation))
                if why is None and room:
                    room -= 1
                    why = await self._examine(about, one, by_name[one.profile], generation)
                    if why is None:
                        continue  # gone meanwhile
                reason, message = why or (names.MISSED_NOT_SEEN, NOT_EXAMINED)
            curable = why is not None and reason in _CURABLE and owned.final
            found.setdefault(one.profile, []).append(
                Missed(one.pod, reason, message, owned.reference, one.uid, one.version, one.made_at, curable)
            )
        return found

    async def _examine(
        self, about: Namespace, meant: Meant, known: Known, generation: int
    ) -> tuple[str, str] | None:
        try:
            pod = await self._cluster.pod(about.name, meant.pod)
        except NotFound:
            return None
        owned = await self._owners.of(about.name, meant.pod, meant.uid, meant.owner)
        why = examined(pod, as_injector_reads(known.profile)) or never_seen(pod, meant.profile, about, owned)
        self._examined[meant.uid, generation] = why
        if len(self._examined) > REMEMBERED:
            self._examined.popitem(last=False)
        return why

    # ── For the breaker ────────────────────────────────────────────────────────────────────────────────
    async def plain(self, workload: Workload, now: datetime) -> Plain:
        """What pods of the workload without us do."""
        siblings = []
        looked = 0
        async for pods, _ in self._cluster.plain_pods(workload.namespace):
            for pod in map(trimmed, pods):
                owned = await self._owners.of(pod.namespace, pod.name, pod.uid, pod.owner)
                if owned.workload == workload:
                    siblings.append(pod)
            looked += len(pods)
            if len(siblings) >= SIBLINGS or looked >= LOOKED_AT:
                break
        return compared(siblings, now)

    async def refused(
        self, namespace: str, known: Sequence[Known], now: datetime
    ) -> dict[str, dict[Workload, Stop]]:
        """Workloads whose pods could not be made because of us, by profile."""
        found: dict[str, dict[Workload, Stop]] = {}
        profiles = tuple(as_injector_reads(one.profile) for one in known if one.stalled is None)
        amounts = {one.key[1]: sidecar_amounts(one.profile) for one in known}
        async for events, _ in self._cluster.failed_creates(namespace):
            for event in events:
                if now - last_seen(event) > FRESH:
                    continue
                accused = await self._accused(namespace, event, profiles)
                if accused is None:
                    continue
                profile, workload = accused
                why = because_of_us(event.get("note", ""), amounts[profile])
                if why is not None:
                    found.setdefault(profile, {})[workload] = Stop(*why, stuck=())
        return found

    async def _accused(
        self, namespace: str, event: Object, profiles: Sequence[Profile]
    ) -> tuple[str, Workload] | None:
        """The profile that would have the pod injected, and the workload."""
        regarding = event.get("regarding") or {}
        resource = _OWNERS.get(regarding.get("kind", ""))
        if resource is None:
            return None
        try:
            owner = await self._cluster.whole(resource, namespace, regarding["name"])
        except NotFound:
            return None
        template = (owner.get("spec") or {}).get("template") or {}
        pod = {"metadata": {"name": regarding["name"]} | (template.get("metadata") or {})}
        labels = await self._cluster.namespace_labels(namespace)
        choice = select(pod, labels.get(names.INJECT), profiles)
        if not isinstance(choice, Choice):
            return None
        direct = Reference(resource.api_version, resource.kind, regarding["name"], owner["metadata"]["uid"])
        owned = await self._owners.of(namespace, "", "", direct)
        return choice.profile.name, owned.workload

    async def denying(self, pod: Pod) -> tuple[str, ...]:
        """Names of network policies that rule where a pod may connect to."""
        try:
            metadata = (await self._cluster.metadata(PODS, pod.namespace, pod.name))["metadata"]
        except NotFound:
            return ()
        labels = metadata.get("labels") or {}
        return tuple(
            sorted(
                policy["metadata"]["name"]
                for policy in await self._cluster.egress_policies(pod.namespace)
                if Selector.of((policy.get("spec") or {}).get("podSelector") or {}).matches(labels)
            )
        )


async def namespace_of(cluster: Cluster, namespace: str, known: Sequence[Known]) -> Namespace:
    """What of it decides over its pods; `known` are its profiles."""
    labels = await cluster.namespace_labels(namespace)
    return Namespace(
        namespace,
        labels.get(names.INJECT),
        tuple(as_injector_reads(one.profile) for one in known if one.stalled is None),
        {one.key[1]: one.created_at for one in known},
    )


def as_injector_reads(profile: MemoryProfile) -> Profile:
    """The same profile, as the injector has it."""
    return Profile.of(profile.to_cluster())


def sidecar_amounts(profile: MemoryProfile) -> dict[str, float]:
    """What our sidecar adds to a pod, as quotas name it."""
    resources = profile.spec.injection.sidecar.resources
    requests = {"cpu": resources.requests.cpu, "memory": resources.requests.memory}
    limits = {"cpu": resources.limits.cpu, "memory": resources.limits.memory}
    found = {name: quantity(amount) for name, amount in requests.items() if amount is not None}
    found |= {f"requests.{name}": amount for name, amount in found.items()}
    return found | {
        f"limits.{name}": quantity(amount) for name, amount in limits.items() if amount is not None
    }


def _scan(
    known: Known, injected: Mapping[str, int], missing: Mapping[str, list[Missed]], now: datetime
) -> Scan:
    name = known.key[1]
    # A list that began anew has a pod twice; a list of the status must not.
    count, lacking = injected.get(label_of(name), 0), {one.pod: one for one in missing.get(name, [])}
    return Scan(
        matched=count + len(lacking),
        injected=count,
        missed=tuple(sorted(lacking.values(), key=lambda one: (one.reason, one.pod))),
        at=now,
        generation=known.profile.metadata.generation,
    )


def _about(homeless: Homeless) -> Reference:
    return homeless.owner or Reference("v1", "Pod", homeless.pod)
