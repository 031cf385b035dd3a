"""Which pod this is: what the downward API says, in OpenTelemetry's words, and the identity of a container's scope.

The scope is one life of one container: its id names namespace, pod and container, so that people find it, and ends
in the pod's unique id and the start of the container's first process, so that no other life has it. What stays the
same over pods and deployments stands in the attributes: namespace, owner, container, service.
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from memwarden_api import names
from memwarden_api.scopes import container_scope
from memwarden_sidecar.errors import CannotStart

ATTRIBUTES: Final = 24
VALUE_BYTES: Final = 256
NEEDED: Final = (names.K8S_NAMESPACE, names.K8S_POD, names.K8S_POD_UID)
OF_PROFILE: Final = frozenset({names.PROFILE_NAME, names.DETECTION_SENSITIVITY, names.DETECTION_WARM_UP})
"""What the injector says of the pod's MemoryProfile: passed on, unlike other names that are ours to give."""
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")

Attributes = tuple[tuple[str, str], ...]


def attributes_of(environment: Mapping[str, str]) -> Attributes:
    """Resource attributes as OpenTelemetry's SDKs read them: `key=value,…`, percent-encoded.

    Raises CannotStart where the pod is not named.
    """
    found: dict[str, str] = {}
    for pair in environment.get(names.ENV_RESOURCE, "").split(","):
        key, equals, value = pair.partition("=")
        if equals and key.strip() and value.strip():
            found[key.strip()] = unquote(value.strip())
    if service := environment.get(names.ENV_SERVICE, ""):
        found[names.SERVICE_NAME] = service
    missing = [name for name in NEEDED if name not in found]
    if missing:
        raise CannotStart(
            f"${names.ENV_RESOURCE} does not say {', '.join(missing)}; "
            "set it from the downward API, as docs/operations/images.md shows"
        )
    if len(found) > ATTRIBUTES or any(
        len(text.encode()) > VALUE_BYTES for pair in found.items() for text in pair
    ):
        raise CannotStart(
            f"${names.ENV_RESOURCE} has more than {ATTRIBUTES} attributes, or one over {VALUE_BYTES} bytes; "
            "leave out what does not name the pod or its workload"
        )
    return tuple(found.items())


def container_names(text: str) -> tuple[str, ...]:
    """`app,worker` to its parts. Raises CannotStart."""
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    wrong = [name for name in found if not _LABEL.fullmatch(name)]
    if wrong or not found:
        raise CannotStart(
            f"--containers {text!r} is not a list of containers' names; write them as the pod has them: app,worker"
        )
    return found


def scope_id(attributes: Attributes, container: str, life: str) -> str:
    """`NAMESPACE/POD/CONTAINER@UID-LIFE`, at most 256 bytes."""
    value = dict(attributes)
    pod = (value[names.K8S_NAMESPACE], value[names.K8S_POD], value[names.K8S_POD_UID])
    return container_scope(*pod, container, life)


def of_container(attributes: Attributes, container: str) -> Attributes:
    """What is said of one container: the service has a place of its own in a scope's identity."""
    own = (names.SERVICE_NAME, names.HOST_NAME, names.K8S_CONTAINER)
    kept = tuple(
        (key, value)
        for key, value in attributes
        if key in OF_PROFILE or (key not in own and not key.startswith(("memwarden.", "process.")))
    )
    return (*kept, (names.K8S_CONTAINER, container))


def service_of(attributes: Attributes, container: str) -> str:
    """As OpenTelemetry's conventions for Kubernetes name a service that does not name itself."""
    value = dict(attributes)
    owners = (value.get(owner, "") for owner in names.K8S_OWNERS)
    return value.get(names.SERVICE_NAME, "") or next(filter(None, owners), "") or container
