"""Who owns a pod on top: ReplicaSet → Deployment, Job → CronJob; whatever else owns a pod is on top already.

Asked for by metadata alone, each owner once; the cache is bounded. What can't be asked (a right is missing, the API
server is away) leaves the direct owner standing until it can: `Owned.final` tells.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from memwarden_kube.errors import KubeError, NotFound
from memwarden_kube.objects import JOBS, REPLICA_SETS, Object, Resource
from memwarden_operator.controller.moments import moment_or_none
from memwarden_operator.controller.pods import Pod, Reference, controller_of

CACHED: Final = 20_000
_BETWEEN: Final[Mapping[str, Resource]] = {"ReplicaSet": REPLICA_SETS, "Job": JOBS}
"""Owners that are themselves owned, and how they are asked for."""
_REVISION: Final = "deployment.kubernetes.io/revision"


@dataclass(frozen=True, slots=True, order=True)
class Workload:
    """A pod's top owner; the pod itself where nobody owns it."""

    namespace: str
    kind: str
    name: str

    @property
    def label(self) -> str:
        """As status and annotations name it within a namespace."""
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class Version:
    """What the object between pod and workload says of the pod's version."""

    revision: int | None
    started_at: datetime | None


@dataclass(frozen=True, slots=True)
class Owned:
    """A pod's top owner, and whether that is the last word."""

    workload: Workload
    reference: Reference
    version: Version | None = None
    final: bool = True


class Metadata(Protocol):
    """Reads one object's metadata; NotFound and other KubeErrors are raised."""

    async def __call__(self, resource: Resource, namespace: str, name: str) -> Object: ...


class Owners:
    """Resolves, with a cache by the direct owner's uid."""

    def __init__(self, metadata: Metadata, limit: int = CACHED) -> None:
        self._metadata = metadata
        self._limit = limit
        self._cache: OrderedDict[str, Owned] = OrderedDict()
        self.error: KubeError | None = None
        """Why the last question was not answered; None once one was."""

    async def of(self, namespace: str, pod: str, uid: str, direct: Reference | None) -> Owned:
        """The top owner of one pod."""
        if direct is None:
            return Owned(Workload(namespace, "Pod", pod), Reference("v1", "Pod", pod, uid))
        if direct.uid in self._cache:
            self._cache.move_to_end(direct.uid)
            return self._cache[direct.uid]
        found = await self._resolved(namespace, direct)
        if found.final:
            self._cache[direct.uid] = found
            if len(self._cache) > self._limit:
                self._cache.popitem(last=False)
        return found

    def known(self, pod: Pod) -> Owned | None:
        """Without asking: what is known of a pod's owner."""
        if pod.owner is None:
            return Owned(Workload(pod.namespace, "Pod", pod.name), Reference("v1", "Pod", pod.name, pod.uid))
        return self._cache.get(pod.owner.uid)

    async def _resolved(self, namespace: str, direct: Reference) -> Owned:
        itself = Owned(Workload(namespace, direct.kind, direct.name), direct)
        resource = _BETWEEN.get(direct.kind)
        if resource is None or not direct.api_version.startswith(resource.group):
            return itself
        try:
            metadata = (await self._metadata(resource, namespace, direct.name))["metadata"]
        except NotFound:
            return itself  # gone with its pods, which follow
        except KubeError as error:
            self.error = error
            return Owned(itself.workload, direct, final=False)
        self.error = None
        if metadata.get("uid") != direct.uid:
            return itself  # another one of that name by now
        above = controller_of(metadata)
        if above is None:
            return itself
        return Owned(Workload(namespace, above.kind, above.name), above, _version(metadata))


def _version(metadata: Mapping[str, Any]) -> Version:
    revision = (metadata.get("annotations") or {}).get(_REVISION, "")
    return Version(
        revision=int(revision) if revision.isascii() and revision.isdigit() else None,
        started_at=moment_or_none(metadata.get("creationTimestamp")),
    )
