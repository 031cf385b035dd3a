"""Which pods a profile means, and why one that it means is not injected. Pure, from pods' metadata.

What selects is the injector's own function; here is only what the injector can't know: pods that it never saw.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from memwarden_api import names
from memwarden_operator.controller.moments import moment
from memwarden_operator.controller.owners import Owned
from memwarden_operator.controller.pods import Reference, controller_of, version_of
from memwarden_operator.controller.words import label_namespace, restart
from memwarden_operator.injector.profile import Profile
from memwarden_operator.injector.selection import Choice, select
from memwarden_operator.injector.skips import Skip

Metadata = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Namespace:
    """What of a namespace decides over its pods."""

    name: str
    label: str | None
    """Value of its label memwarden.dev/inject."""
    profiles: tuple[Profile, ...]
    created: Mapping[str, datetime] = field(default_factory=dict)
    """When each profile was made."""

    @property
    def unbarred(self) -> tuple[Profile, ...]:
        """As if nothing were switched off or stopped: whom a pod belongs to all the same."""
        return tuple(replace(profile, mode="Webhook", stopped=frozenset()) for profile in self.profiles)


@dataclass(frozen=True, slots=True)
class Meant:
    """A pod without us that a profile means. `reason` is "" where only the whole pod can tell."""

    profile: str
    pod: str
    uid: str
    owner: Reference | None
    reason: str
    message: str
    version: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Homeless:
    """A pod that asks to be watched, and no profile can be said to mean it."""

    pod: str
    owner: Reference | None
    skip: Skip


def look(
    pods: Iterable[Metadata], namespace: Namespace
) -> tuple[dict[str, int], list[Meant], list[Homeless]]:
    """Injected pods by our label's value; meant ones that are not; and those that nobody means."""
    injected: dict[str, int] = {}
    meant: list[Meant] = []
    homeless: list[Homeless] = []
    for pod in pods:
        metadata = pod["metadata"]
        if "deletionTimestamp" in metadata:
            continue
        profile = (metadata.get("labels") or {}).get(names.INJECTED)
        if profile:
            injected[profile] = injected.get(profile, 0) + 1
            continue
        found = _without_us(pod, namespace)
        if isinstance(found, Meant):
            meant.append(found)
        elif found is not None:
            homeless.append(found)
    return injected, meant, homeless


def _without_us(pod: Metadata, namespace: Namespace) -> Meant | Homeless | None:
    metadata = pod["metadata"]
    labels = metadata.get("labels") or {}
    would = select(pod, namespace.label or _if_labelled(pod, namespace), namespace.unbarred)
    if isinstance(would, Skip):
        return Homeless(metadata["name"], controller_of(metadata), would) if would.is_told else None
    if namespace.label is None and names.INJECT not in labels:
        message = (
            f"namespace {namespace.name} is not labelled, so the injector does not see this pod; "
            f"{label_namespace(namespace.name)}, then make the pod anew"
        )
        return _meant(would, metadata, names.MISSED_NAMESPACE_NOT_LABELLED, message)
    now = select(pod, namespace.label, namespace.profiles)
    if isinstance(now, Skip):
        return _meant(would, metadata, now.reason, now.message)
    return _meant(would, metadata, "", "")


def _if_labelled(pod: Metadata, namespace: Namespace) -> str | None:
    """In a namespace that says nothing, a profile that names a pod's labels wants it all the same."""
    labels = pod["metadata"].get("labels") or {}
    wanted = any(not one.selector.is_empty and one.selector.matches(labels) for one in namespace.profiles)
    return "true" if wanted else None


def _meant(choice: Choice, metadata: Metadata, reason: str, message: str) -> Meant:
    return Meant(
        choice.profile.name,
        metadata["name"],
        metadata.get("uid", ""),
        controller_of(metadata),
        reason,
        message,
        version_of(metadata.get("labels") or {}),
        moment(metadata["creationTimestamp"]),
    )


def never_seen(pod: Metadata, profile: str, namespace: Namespace, owned: Owned) -> tuple[str, str]:
    """(reason, message) for a pod that the injector would have changed."""
    made = moment(pod["metadata"]["creationTimestamp"])
    workload = owned.workload
    command = restart(workload.kind, workload.name, namespace.name)
    profile_made = namespace.created.get(profile)
    if profile_made is not None and made < profile_made:
        return names.MISSED_OLDER_THAN_PROFILE, f"it was made before MemoryProfile {profile}; {command}"
    return (
        names.MISSED_NOT_SEEN,
        f"it was made at {made:%Y-%m-%dT%H:%M:%SZ}, and the injector did not change it: it did not answer then, or "
        f"pod or namespace got their label later; {command}",
    )
