"""Whose container a scope is: namespace, top owner, container. Pure.

What the controller says of the pod counts more than what the container's own resource says: that one knows its direct
owner at best.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from memwarden_api import names

RUN: Final = "Run"
POD: Final = "Pod"
CONTAINER: Final = "Container"
"""Of a container that says no pod."""
_MAX_NAME: Final = 512
_KINDS: Final = dict(
    zip(
        names.K8S_OWNERS,
        ("Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job", "ReplicaSet"),
        strict=True,
    )
)


@dataclass(frozen=True, slots=True)
class Owner:
    """What the controller says of a pod."""

    namespace: str
    pod: str
    kind: str
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Of one scope. `workload` is the public id of what it belongs to."""

    workload: str
    namespace: str
    kind: str
    owner: str
    container: str
    pod: str
    pod_uid: str
    version: str


def identify(scope: str, kind: str, attributes: Mapping[str, object], owner: Owner | None) -> Identity:
    """`attributes` are those of the scope's resource."""
    pod, pod_uid = _text(attributes, names.K8S_POD), _text(attributes, names.K8S_POD_UID)
    if kind != names.SCOPE_KIND_CONTAINER or not (pod or owner):
        return Identity(
            _bounded(scope),
            "",
            CONTAINER if kind == names.SCOPE_KIND_CONTAINER else RUN,
            scope,
            "",
            "",
            "",
            "",
        )
    container = _text(attributes, names.K8S_CONTAINER) or _text(attributes, names.SERVICE_NAME)
    if owner is None:
        owner = _own_word(attributes, pod)
    parts = (owner.namespace, owner.kind, owner.name, container)
    return Identity(
        workload=_bounded("/".join(part.replace("%", "%25").replace("/", "%2F") for part in parts)),
        namespace=owner.namespace,
        kind=owner.kind,
        owner=owner.name,
        container=container,
        pod=owner.pod or pod,
        pod_uid=pod_uid,
        version=owner.version,
    )


def _own_word(attributes: Mapping[str, object], pod: str) -> Owner:
    """The most telling owner that the resource names, else the pod itself."""
    namespace = _text(attributes, names.K8S_NAMESPACE)
    for key in names.K8S_OWNERS:
        name = _text(attributes, key)
        if name:
            return Owner(namespace, pod, _KINDS[key], name, _template_hash(attributes, name))
    return Owner(namespace, pod, POD, pod, "")


def _template_hash(attributes: Mapping[str, object], deployment: str) -> str:
    """A Deployment's ReplicaSets are named after it and the hash of their pod template."""
    name = _text(attributes, names.K8S_OWNERS[-1])
    return name.removeprefix(f"{deployment}-") if name.startswith(f"{deployment}-") else ""


def _bounded(name: str) -> str:
    if len(name) <= _MAX_NAME:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{name[: _MAX_NAME - 17]}~{digest}"


def _text(attributes: Mapping[str, object], key: str) -> str:
    value = attributes.get(key)
    return value if isinstance(value, str) else ""
