"""Which scope and which process a resource is.

With `memwarden.scope.id` it is ours: the scope as a whole, or with `process.pid` one process of it, known by
scope, process id and creation time; its other attributes may change. Without, it is a foreign resource: its
scope is `service:<service.namespace>/<service.name>@<pod or host>`, and it is known by all its attributes.
"""

from typing import Final

from memwarden_api import names
from memwarden_collector.batch import Attributes, ResourceId, fingerprint
from memwarden_collector.otlp.attributes import BadAttributes

KIND_SERVICE: Final = "service"
_MAX_SCOPE_BYTES: Final = 256
_MAX_PID: Final = 2**31 - 1
_YEAR_10000: Final = 253_402_300_800


def identify(attributes: Attributes) -> ResourceId:
    """Raises BadAttributes when an attribute that identifies has the wrong type."""
    scope = attributes.get(names.SCOPE_ID)
    return _foreign(attributes) if scope is None else _own(scope, attributes)


def _own(scope: object, attributes: Attributes) -> ResourceId:
    if not isinstance(scope, str) or not scope or len(scope.encode()) > _MAX_SCOPE_BYTES:
        raise BadAttributes("identity", f"{names.SCOPE_ID} is not a text of 1 to {_MAX_SCOPE_BYTES} bytes")
    kind = attributes.get(names.SCOPE_KIND, names.SCOPE_KIND_RUN)
    if kind not in (names.SCOPE_KIND_RUN, names.SCOPE_KIND_CONTAINER):
        raise BadAttributes(
            "identity",
            f"{names.SCOPE_KIND} is neither {names.SCOPE_KIND_RUN!r} nor {names.SCOPE_KIND_CONTAINER!r}",
        )
    pid = _pid(attributes)
    created = attributes.get(names.PROCESS_CREATION_TIME) if pid is not None else None
    if created is not None and (
        isinstance(created, bool) or not isinstance(created, int | float) or not 0 <= created < _YEAR_10000
    ):
        raise BadAttributes(
            "identity", f"{names.PROCESS_CREATION_TIME} is not a number of Unix seconds before the year 10000"
        )
    moment = None if created is None else float(created)
    return ResourceId(scope, str(kind), pid, moment, fingerprint("own", scope, pid, moment))


def _foreign(attributes: Attributes) -> ResourceId:
    service = _text(attributes, names.SERVICE_NAME) or "unknown_service"
    namespace = _text(attributes, "service.namespace")
    where = _text(attributes, "k8s.pod.name") or _text(attributes, names.HOST_NAME)
    scope = f"service:{namespace + '/' if namespace else ''}{service}@{where}"
    if len(scope.encode()) > _MAX_SCOPE_BYTES:
        raise BadAttributes(
            "identity", f"{names.SERVICE_NAME} and host name have more than {_MAX_SCOPE_BYTES} bytes"
        )
    pid = _pid(attributes)
    return ResourceId(scope, KIND_SERVICE, pid, None, fingerprint("foreign", attributes))


def _pid(attributes: Attributes) -> int | None:
    pid = attributes.get(names.PROCESS_PID)
    if pid is None:
        return None
    if isinstance(pid, bool) or not isinstance(pid, int) or not 0 <= pid <= _MAX_PID:
        raise BadAttributes("identity", f"{names.PROCESS_PID} is not an integer from 0 to {_MAX_PID}")
    return pid


def _text(attributes: Attributes, key: str) -> str:
    value = attributes.get(key)
    return value if isinstance(value, str) else ""
