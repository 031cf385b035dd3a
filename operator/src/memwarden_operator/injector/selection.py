"""Whether a pod is to be watched, and by which profile. Used by the injector, and by the controller for missed pods.

`PRECEDENCE` is the whole order: the first line that applies decides. The nearer word counts, and on the pod itself a
"false" counts before a "true".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from memwarden_api import names
from memwarden_operator.injector.ownership import possible_names, workload_of
from memwarden_operator.injector.profile import Profile
from memwarden_operator.injector.runtimes import RUNTIMES, Runtime
from memwarden_operator.injector.skips import Skip

MIRROR: Final = "kubernetes.io/config.mirror"
"""Annotation of pods that a node's kubelet has from a file: changing the copy changes nothing."""
AUTO: Final = "Auto"


class Asked(Enum):
    BY_POD = "the pod asks for it: without a profile it is told why not"
    BY_NAMESPACE = "a profile that selects it decides"
    REFUSED = "left alone"


# (where the word stands, the word, what follows), the nearest first.
PRECEDENCE: Final = (
    ("annotation", "false", Asked.REFUSED),
    ("label", "false", Asked.REFUSED),
    ("annotation", "true", Asked.BY_POD),
    ("label", "true", Asked.BY_POD),
    ("namespace", "false", Asked.REFUSED),
    ("namespace", "true", Asked.BY_NAMESPACE),
)


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to be done to a pod."""

    profile: Profile
    runtimes: tuple[Runtime, ...]
    containers: tuple[str, ...]
    """Empty: all."""


def asked(annotation: str | None, label: str | None, namespace: str | None) -> Asked | None:
    """What pod and namespace say; None: neither says anything."""
    said = {"annotation": annotation, "label": label, "namespace": namespace}
    return next((follows for where, word, follows in PRECEDENCE if said[where] == word), None)


def select(pod: Mapping[str, Any], namespace_label: str | None, profiles: Iterable[Profile]) -> Choice | Skip:
    """`profiles` are those of the pod's namespace; `namespace_label` is that of names.INJECT."""
    metadata = pod["metadata"]
    annotations, labels = metadata.get("annotations") or {}, metadata.get("labels") or {}
    wanted = asked(annotations.get(names.INJECT), labels.get(names.INJECT), namespace_label)
    if MIRROR in annotations or wanted is None:
        return Skip(names.SKIP_NOT_ASKED_FOR, "neither the pod nor its namespace asks for it")
    if wanted is Asked.REFUSED:
        return Skip(names.SKIP_OPTED_OUT, f'{names.INJECT} is "false"')
    profile = _profile(annotations.get(names.PROFILE), labels, profiles)
    if isinstance(profile, Skip):
        is_silent = profile.reason == names.SKIP_NO_PROFILE and wanted is Asked.BY_NAMESPACE
        return Skip(names.SKIP_NOT_ASKED_FOR, "no profile selects it") if is_silent else profile
    return _choice(pod, profile, annotations)


def _profile(named: str | None, labels: Mapping[str, str], profiles: Iterable[Profile]) -> Profile | Skip:
    if named:
        found = next((profile for profile in profiles if profile.name == named), None)
        return found or Skip(
            names.SKIP_PROFILE_NOT_FOUND,
            f"the annotation {names.PROFILE} names the MemoryProfile {named!r}, which does not exist in this "
            "namespace; make it, or name another",
        )
    matching = [profile for profile in profiles if profile.selector.matches(labels)]
    # One that names this pod's labels is nearer than one for all pods.
    nearest = [profile for profile in matching if not profile.selector.is_empty] or matching
    if not nearest:
        return Skip(
            names.SKIP_NO_PROFILE,
            "the pod asks to be watched, and no MemoryProfile of this namespace selects it; make one, or add the pod's "
            "labels to the selector of one",
        )
    if len(nearest) > 1:
        called = ", ".join(sorted(profile.name for profile in nearest))
        return Skip(
            names.SKIP_SEVERAL_PROFILES,
            f"the MemoryProfiles {called} all select this pod; say which counts by the annotation {names.PROFILE}",
        )
    return nearest[0]


def _choice(pod: Mapping[str, Any], profile: Profile, annotations: Mapping[str, str]) -> Choice | Skip:
    if profile.mode != "Webhook":
        return Skip(
            names.SKIP_INJECTION_OFF, f"MemoryProfile {profile.name} has injection.mode: {profile.mode}"
        )
    if not profile.stopped.isdisjoint(possible_names(pod)):
        workload = workload_of(pod)
        return Skip(
            names.SKIP_INJECTION_STOPPED,
            f"pods of {workload.kind} {workload.name} did not start or live with it; MemoryProfile {profile.name} says "
            "why in status.injectionStopped. Remove the entry to try again",
        )
    runtime = annotations.get(names.RUNTIME, profile.runtime)
    runtimes = tuple(one for one in RUNTIMES if runtime in (AUTO, one.name))
    if not runtimes:
        known = ", ".join((AUTO, *(one.name for one in RUNTIMES)))
        return Skip(
            names.SKIP_NO_MATCHING_RUNTIME,
            f"there is no probe for the runtime {runtime!r}; known are {known}",
        )
    listed = annotations.get(names.CONTAINERS)
    containers = profile.containers if listed is None else tuple(_parts(listed))
    return Choice(profile, runtimes, containers)


def _parts(text: str) -> Iterable[str]:
    return (part.strip() for part in text.split(",") if part.strip())
