"""The id of a container's scope, `NAMESPACE/POD/CONTAINER@UID-LIFE`: made by the sidecar, checked by the collector.

People find it by namespace, pod and container; no other life of any container has it. Standard library only.
"""

from typing import Final

ID_BYTES: Final = 256
POD_LENGTH: Final = 96
"""Characters of the pod's name in it; the longest name has 253."""
UID_LENGTH: Final = 8


def container_scope(namespace: str, pod: str, uid: str, container: str, life: str) -> str:
    """At most 256 bytes."""
    return f"{namespace}/{pod[:POD_LENGTH]}/{container}@{uid[:UID_LENGTH]}-{life}"[:ID_BYTES]


def is_scope_of_pod(scope: str, namespace: str, pod: str, uid: str) -> bool:
    """Whether it names a container of this pod."""
    named, _, life = scope.rpartition("@")
    return named.startswith(f"{namespace}/{pod[:POD_LENGTH]}/") and life.startswith(f"{uid[:UID_LENGTH]}-")
