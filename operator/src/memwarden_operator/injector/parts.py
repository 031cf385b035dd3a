"""What a pod is given: a native sidecar, three volumes, and for each watched container mounts and variables.

The sidecar's image has the probes, and its start copies them: the kubelet starts the next container of a pod when it
has seen the one before start or end, for which it looks once a second, so each container of ours that the app waits for
costs it about a second. Everything of ours obeys Pod Security `restricted`. No startup probe: the app must not wait for
the sidecar to listen, and a probe that finds no socket tries again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

from memwarden_api import names
from memwarden_operator.injector.installation import Installation
from memwarden_operator.injector.ownership import TEMPLATE_HASH, Workload, workload_of
from memwarden_operator.injector.profile import Profile
from memwarden_operator.injector.resources import Resources

OUR_USER: Final = 65532
USUAL_SENSITIVITY: Final = "normal"
"""Not told: the collector's own setting counts then."""
TOKEN_SECONDS: Final = 3600
PROBES_SIZE: Final = "16Mi"
SOCKETS_SIZE: Final = "64Mi"
SPOOL_LIMIT: Final = "40m"
"""Below 80 % of the volume's size: over it the kubelet evicts the pod."""
_COPY_TARGET: Final = "/memwarden"
_IN_IMAGE: Final = "/usr/lib/memwarden-probes"
_COPY: Final = {"exec": {"command": [f"{_IN_IMAGE}/copy", f"{_IN_IMAGE}/files", _COPY_TARGET]}}
"""After the sidecar's start; until it is over the kubelet starts no other container, and where it fails, none."""

Object = dict[str, Any]
FrozenResources = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]

SOCKET_MOUNT_NAME: Final = names.CONTAINER_SIDECAR
OUR_VOLUMES: Final = frozenset({names.CONTAINER_PROBES, names.CONTAINER_SIDECAR, names.VOLUME_TOKEN})


KEPT: Final = 256
"""Parts of so many workloads are kept: its pods come in numbers, and all get the same."""


@dataclass(frozen=True, slots=True)
class Parts:
    """All that is added to a pod, but for what each watched container gets. Shared by pods: not to be changed."""

    sidecar: Object
    volumes: list[Object]
    digest: str
    """Of both: the same wherever and whenever they are made."""


def parts(
    pod: Mapping[str, Any],
    profile: Profile,
    installation: Installation,
    containers: Sequence[str],
    resources: Resources,
) -> Parts:
    is_root = (pod["spec"].get("securityContext") or {}).get("runAsUser") == 0
    return _parts(workload_of(pod), is_root, profile, installation, tuple(containers), _frozen(resources))


@lru_cache(maxsize=KEPT)
def _parts(
    workload: Workload,
    is_root: bool,
    profile: Profile,
    installation: Installation,
    containers: tuple[str, ...],
    resources: FrozenResources,
) -> Parts:
    mounts: list[Object] = [
        {"name": names.CONTAINER_SIDECAR, "mountPath": names.SOCKET_FOLDER},
        {"name": names.CONTAINER_PROBES, "mountPath": _COPY_TARGET},
    ]
    volumes: list[Object] = [
        {"name": names.CONTAINER_PROBES, "emptyDir": {"sizeLimit": PROBES_SIZE}},
        {"name": names.CONTAINER_SIDECAR, "emptyDir": {"sizeLimit": SOCKETS_SIZE}},
    ]
    if installation.token or installation.trust:
        mounts.append({"name": names.VOLUME_TOKEN, "mountPath": names.TOKEN_FOLDER, "readOnly": True})
        volumes.append({"name": names.VOLUME_TOKEN, "projected": {"sources": _secrets(installation)}})
    sidecar = {
        "name": names.CONTAINER_SIDECAR,
        "image": installation.sidecar_image,
        "imagePullPolicy": installation.pull_policy,
        "restartPolicy": "Always",
        "args": _arguments(profile, installation, containers),
        "env": _identity(workload, profile),
        "lifecycle": {"postStart": _COPY},
        "volumeMounts": mounts,
        "resources": {part: dict(values) for part, values in resources},
        "securityContext": _security(is_root),
    }
    # Made in one order by one function: its text is the same wherever it is made.
    digest = blake2b(repr((sidecar, volumes)).encode(), digest_size=8).hexdigest()
    return Parts(sidecar, volumes, digest)


def _frozen(resources: Resources) -> FrozenResources:
    return tuple((part, tuple(values.items())) for part, values in resources.items())


def mounts_of(container: str) -> list[Object]:
    """Of a watched container: both read-only, since connecting to a socket needs no more."""
    return [
        {"name": names.CONTAINER_PROBES, "mountPath": names.PROBES_FOLDER, "readOnly": True},
        {
            "name": names.CONTAINER_SIDECAR,
            "mountPath": names.SOCKET_FOLDER,
            "subPath": container,
            "readOnly": True,
        },
    ]


def _arguments(profile: Profile, installation: Installation, containers: Sequence[str]) -> list[str]:
    arguments = [
        f"--listen={names.SOCKET_FOLDER}",
        f"--containers={','.join(containers)}",
        f"--collector={installation.collector}",
        f"--interval={profile.interval:g}",
        f"--sampling-bytes={profile.average_bytes}",
        f"--spool={names.SOCKET_FOLDER}/.spool",
        f"--spool-limit={SPOOL_LIMIT}",
    ]
    if installation.token:
        arguments.append(f"--token-file={names.TOKEN_FOLDER}/token")
    if installation.trust:
        arguments.append(f"--ca-file={names.TOKEN_FOLDER}/ca.crt")
    return arguments


def _identity(workload: Workload, profile: Profile) -> list[Object]:
    """The downward API's words, and what admission shows of the owner."""
    told = {
        names.K8S_NAMESPACE: "$(MEMWARDEN_NAMESPACE)",
        names.K8S_POD: "$(MEMWARDEN_POD)",
        names.K8S_POD_UID: "$(MEMWARDEN_POD_UID)",
        "k8s.node.name": "$(MEMWARDEN_NODE)",
        workload.attribute: workload.name,
        f"k8s.pod.label.{TEMPLATE_HASH}": workload.version,
        names.PROFILE_NAME: profile.name,
        names.DETECTION_SENSITIVITY: "" if profile.sensitivity == USUAL_SENSITIVITY else profile.sensitivity,
        names.DETECTION_WARM_UP: "" if profile.warm_up is None else f"{profile.warm_up:g}",
    }
    fields = {
        "MEMWARDEN_NAMESPACE": "metadata.namespace",
        "MEMWARDEN_POD": "metadata.name",
        "MEMWARDEN_POD_UID": "metadata.uid",
        "MEMWARDEN_NODE": "spec.nodeName",
    }
    text = ",".join(f"{key}={value}" for key, value in told.items() if key and value)
    made: list[Object] = [
        {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}
        for name, path in fields.items()
    ]
    return [*made, {"name": names.ENV_RESOURCE, "value": text}]


def _security(is_root: bool) -> Object:
    """`restricted`. A user id of our own only where the pod's is root: elsewhere the pod's or the image's counts, and a
    cluster that gives each namespace its own range would refuse ours."""
    made: Object = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if is_root:
        made |= {"runAsUser": OUR_USER, "runAsGroup": OUR_USER}
    return made


def _secrets(installation: Installation) -> list[Object]:
    sources: list[Object] = []
    if installation.token:
        token = {"audience": names.AUDIENCE, "expirationSeconds": TOKEN_SECONDS, "path": "token"}
        sources.append({"serviceAccountToken": token})
    if installation.trust:
        field = {"apiVersion": "v1", "fieldPath": f"metadata.annotations['{names.TRUST}']"}
        sources.append({"downwardAPI": {"items": [{"path": "ca.crt", "fieldRef": field}]}})
    return sources
