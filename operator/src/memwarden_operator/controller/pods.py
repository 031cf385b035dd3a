"""Injected pods as the controller keeps them: trimmed to what is asked of them, so that thousands fit.

`trimmed` is pure. `Pods` holds what the watch said last; it is bounded by what carries our label, and counts what it
had to leave out beyond `limit`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from sys import intern
from typing import Any, Final

from memwarden_api.names import CONTAINERS_IMAGE, INJECTED, OUR_CONTAINERS
from memwarden_operator.controller.moments import moment, moment_or_none

TEMPLATE_LABELS: Final = ("pod-template-hash", "controller-revision-hash")  # what tells a pod's version
LABEL_LENGTH: Final = 63
OUT_OF_MEMORY: Final = "OOMKilled"


@dataclass(frozen=True, slots=True)
class Reference:
    """Who owns a pod directly, or on top."""

    api_version: str
    kind: str
    name: str
    uid: str = ""


@dataclass(frozen=True, slots=True)
class End:
    """How a container's last life ended."""

    reason: str
    exit_code: int | None
    started_at: datetime | None
    finished_at: datetime

    @property
    def crashed(self) -> bool:
        return self.exit_code != 0 or self.reason == OUT_OF_MEMORY


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a pod and its state; ours are among them."""

    name: str
    image: str
    restarts: int
    started: bool
    waiting: str  # the reason that it waits for, or ""
    message: str  # why it waits; of one that looks at an image, what it found
    end: End | None  # of this life where it is over, else of the one before

    @property
    def ours(self) -> bool:
        return self.name in OUR_CONTAINERS

    @property
    def looks(self) -> bool:
        """It is ours and runs in an image of the app."""
        return self.name in CONTAINERS_IMAGE


@dataclass(frozen=True, slots=True)
class Pod:
    """One injected pod."""

    namespace: str
    name: str
    uid: str
    profile: str
    version: str
    owner: Reference | None
    created_at: datetime
    phase: str
    leaving: bool
    ready: bool
    ready_at: datetime | None
    containers: tuple[Container, ...]

    @property
    def key(self) -> tuple[str, str]:
        return self.namespace, self.name

    @property
    def over(self) -> bool:
        """It has ended, or is about to."""
        return self.leaving or self.phase in ("Succeeded", "Failed")

    @property
    def app(self) -> tuple[Container, ...]:
        return tuple(container for container in self.containers if not container.ours)

    @property
    def running(self) -> bool:
        """Its app has started: init containers of the app are over, at least one container runs."""
        return not self.over and any(container.started for container in self.app)


def trimmed(pod: Mapping[str, Any]) -> Pod:
    """A pod of the API as the controller keeps it. Fields that are not there count as unset."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    labels = metadata.get("labels") or {}
    ready = _ready(status)
    return Pod(
        namespace=intern(metadata["namespace"]),
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        profile=intern(labels.get(INJECTED, "")),
        version=intern(version_of(labels)),
        owner=controller_of(metadata),
        created_at=moment(metadata["creationTimestamp"]),
        phase=intern(status.get("phase", "Pending")),
        leaving="deletionTimestamp" in metadata,
        ready=ready is not None and ready.get("status") == "True",
        ready_at=moment_or_none(ready.get("lastTransitionTime")) if ready else None,
        containers=tuple(_containers(pod.get("spec") or {}, status)),
    )


def label_of(profile: str) -> str:
    """The value of our label on a profile's pods: a label's value is shorter than a name may be."""
    return profile[:LABEL_LENGTH].rstrip("-.")


def version_of(labels: Mapping[str, str]) -> str:
    """Hash of the template that a pod was made from, or "" where nothing says it."""
    return next((labels[key] for key in TEMPLATE_LABELS if labels.get(key)), "")


def controller_of(metadata: Mapping[str, Any]) -> Reference | None:
    """The owner that makes a pod anew; other owners (a node's mirror pod, say) don't."""
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("controller"):
            return Reference(
                *(intern(owner.get(field, "")) for field in ("apiVersion", "kind", "name", "uid"))
            )
    return None


def _ready(status: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for condition in status.get("conditions") or ():
        if condition.get("type") == "Ready":
            found: Mapping[str, Any] = condition
            return found
    return None


def _containers(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Iterator[Container]:
    """Our own and the app's, without the app's own init containers: those are the app's business."""
    for field, states in (("initContainers", "initContainerStatuses"), ("containers", "containerStatuses")):
        known = {state["name"]: state for state in status.get(states) or ()}
        for container in spec.get(field) or ():
            if field == "containers" or container["name"] in OUR_CONTAINERS:
                yield _container(container, known.get(container["name"], {}))


def _container(container: Mapping[str, Any], status: Mapping[str, Any]) -> Container:
    state, last = status.get("state") or {}, status.get("lastState") or {}
    waiting = state.get("waiting") or {}
    ended = state.get("terminated") or last.get("terminated")
    said = waiting.get("message")
    if container["name"] in CONTAINERS_IMAGE and ended:
        said = said or ended.get("message")
    return Container(
        name=intern(container["name"]),
        image=intern(status.get("image") or container.get("image", "")),
        restarts=status.get("restartCount", 0),
        started="running" in state or "terminated" in state or status.get("restartCount", 0) > 0,
        waiting=intern(waiting.get("reason", "")),
        message=(said or "")[:512],
        end=_end(ended) if ended else None,
    )


def _end(terminated: Mapping[str, Any]) -> End | None:
    finished = moment_or_none(terminated.get("finishedAt"))
    if finished is None:
        return None  # a container that was lost with its node has no time; the next status has
    return End(
        reason=intern(terminated.get("reason") or ""),
        exit_code=terminated.get("exitCode"),
        started_at=moment_or_none(terminated.get("startedAt")),
        finished_at=finished,
    )


class Pods:
    """What the watch said last of each injected pod."""

    def __init__(self, limit: int = 20_000) -> None:
        self.limit = limit
        self.left_out = 0
        self._by_namespace: dict[str, dict[str, Pod]] = {}
        self._count = 0

    def put(self, pod: Pod) -> bool:
        """Keep it; False where there is no room for another one."""
        there = self._by_namespace.setdefault(pod.namespace, {})
        if pod.name not in there:
            if self._count >= self.limit:
                self.left_out += 1
                return False
            self._count += 1
        there[pod.name] = pod
        return True

    def remove(self, namespace: str, name: str) -> Pod | None:
        there = self._by_namespace.get(namespace, {})
        gone = there.pop(name, None)
        if gone is not None:
            self._count -= 1
            if not there:
                del self._by_namespace[namespace]
        return gone

    def keep_only(self, keys: set[tuple[str, str]], namespace: str = "") -> list[Pod]:
        """After a list, of one namespace or of all: what was not in it is gone. Gives what went."""
        listed = self._by_namespace.get(namespace, {}).values() if namespace else self
        gone = [pod for pod in listed if pod.key not in keys]
        for pod in gone:
            self.remove(pod.namespace, pod.name)
        return gone

    def of(self, namespace: str, profile: str) -> tuple[Pod, ...]:
        """Of one profile, by name."""
        there, label = self._by_namespace.get(namespace, {}), label_of(profile)
        return tuple(there[name] for name in sorted(there) if there[name].profile == label)

    def in_namespace(self, namespace: str) -> tuple[Pod, ...]:
        return tuple(self._by_namespace.get(namespace, {}).values())

    def get(self, namespace: str, name: str) -> Pod | None:
        return self._by_namespace.get(namespace, {}).get(name)

    def __iter__(self) -> Iterator[Pod]:
        for there in self._by_namespace.values():
            yield from there.values()

    def __len__(self) -> int:
        return self._count
