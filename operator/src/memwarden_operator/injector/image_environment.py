"""Init containers that run our program in the app's own image, to learn what that sets: no webhook can see it.

LD_PRELOAD in the spec hides the image's, and what envFrom brings. A program that was to run with jemalloc would run on
another allocator, and nobody would know. So one container for each image looks at its own variables before the app
starts, and leaves what it found as its termination message. It never fails. Where the spec itself has LD_PRELOAD the
image's is hidden by the user, and nothing has to be looked at.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from memwarden_api import names
from memwarden_operator.injector.containers import Container
from memwarden_operator.injector.environment import PRELOAD_JOIN, preloads_itself
from memwarden_operator.injector.resources import Resources

PROGRAM: Final = f"{names.PROBES_FOLDER}/lib/memwarden-look"
_IDENTITY: Final = ("runAsUser", "runAsGroup", "runAsNonRoot", "seLinuxOptions", "appArmorProfile")
"""What decides whether the image may run at all, and as whom: as for the app."""


def lookers(chosen: Sequence[Container], resources: Resources) -> list[dict[str, Any]]:
    """One for each image and what else its variables come from."""
    made: list[dict[str, Any]] = []
    for container in chosen:
        if preloads_itself(container, PRELOAD_JOIN):
            continue
        one = _looker(container, resources)
        if one not in [{key: value for key, value in other.items() if key != "name"} for other in made]:
            made.append({"name": names.CONTAINERS_IMAGE[len(made)], **one})
    return made


def _looker(container: Container, resources: Resources) -> dict[str, Any]:
    copied = {key: container[key] for key in ("imagePullPolicy", "envFrom") if container.get(key)}
    return {
        "image": container.get("image", ""),
        "command": [PROGRAM],
        **copied,
        "volumeMounts": [
            {"name": names.CONTAINER_PROBES, "mountPath": names.PROBES_FOLDER, "readOnly": True}
        ],
        "resources": resources,
        "securityContext": _security(container.get("securityContext") or {}),
    }


def _security(of_app: Mapping[str, Any]) -> dict[str, Any]:
    """`restricted`, as whom the app's container runs."""
    return {key: of_app[key] for key in _IDENTITY if key in of_app} | {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
