"""Whose pod it is, as far as admission shows it: the direct owner, and the workload behind it where names tell.

A pod of a Deployment is owned by a ReplicaSet that is called after the Deployment and the hash of the template; the
pod has the hash as a label. A Job of a CronJob ends in a number, but so may any Job: the controller resolves those.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from memwarden_api import names

TEMPLATE_HASH: Final = "pod-template-hash"
ATTRIBUTES: Final = {
    "Deployment": "k8s.deployment.name",
    "StatefulSet": "k8s.statefulset.name",
    "DaemonSet": "k8s.daemonset.name",
    "CronJob": "k8s.cronjob.name",
    "Job": "k8s.job.name",
    "ReplicaSet": "k8s.replicaset.name",
}
"""Kind → resource attribute: those of names.K8S_OWNERS."""
_NUMBERED: Final = re.compile(r"(.+)-\d{6,}")


@dataclass(frozen=True, slots=True)
class Reference:
    """An object, as events and owners name it."""

    api_version: str
    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Workload:
    """`kind` and `name` of what runs the pod; a Pod of its own where nobody does."""

    kind: str
    name: str
    version: str
    """Hash of the pod template, or ""."""

    @property
    def attribute(self) -> str:
        return ATTRIBUTES.get(self.kind, "")


def owner_of(pod: Mapping[str, Any]) -> Reference | None:
    """The object that controls the pod."""
    for reference in pod["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            return Reference(
                reference.get("apiVersion", ""),
                reference.get("kind", ""),
                reference.get("name", ""),
                reference.get("uid", ""),
            )
    return None


def workload_of(pod: Mapping[str, Any]) -> Workload:
    metadata = pod["metadata"]
    version = (metadata.get("labels") or {}).get(TEMPLATE_HASH, "")
    owner = owner_of(pod)
    if owner is None:
        return Workload("Pod", metadata.get("name") or metadata.get("generateName") or "", version)
    if owner.kind == "ReplicaSet" and version and owner.name.endswith(f"-{version}"):
        return Workload("Deployment", owner.name.removesuffix(f"-{version}"), version)
    return Workload(owner.kind, owner.name, version)


def possible_names(pod: Mapping[str, Any]) -> frozenset[str]:
    """KIND/NAME by which the controller may have written the pod's workload into a profile's status."""
    workload, owner = workload_of(pod), owner_of(pod)
    found = {f"{workload.kind}/{workload.name}"}
    if owner is not None:
        found.add(f"{owner.kind}/{owner.name}")
        if owner.kind == "Job" and (match := _NUMBERED.fullmatch(owner.name)):
            found.add(f"CronJob/{match[1]}")
    return frozenset(found)


assert set(ATTRIBUTES.values()) == set(names.K8S_OWNERS)
