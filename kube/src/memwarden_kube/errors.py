"""What can go wrong between us and a cluster, as one tree. Each message names the object, the cause, the next step.

KubeError
├── NotConnected        no cluster is named, or what names it can't be read
├── Unreachable         the API server does not answer; it may be asked again
│   └── TooBusy         …it says when (429, 503 with Retry-After): `retry_seconds`
├── Unauthorized        our own credentials are not taken
├── Forbidden           a right is missing: verb, resource and namespace are named
├── NotFound            the object, or its kind, is not there
├── Conflict            somebody else wrote meanwhile: read it again
├── Invalid             the API server refuses what we sent
└── ServerFault         the API server failed at it
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = [
    "Conflict",
    "Forbidden",
    "Invalid",
    "KubeError",
    "NotConnected",
    "NotFound",
    "Request",
    "ServerFault",
    "TooBusy",
    "Unauthorized",
    "Unreachable",
    "of_answer",
]

_TEXT: Final = 300
_MAX_RETRY_SECONDS: Final = 60.0


class KubeError(Exception):
    """Base of all."""


class NotConnected(KubeError):
    """There is no cluster to talk to."""


class Unreachable(KubeError):
    """No answer: network, TLS, or an API server that is away."""


class TooBusy(Unreachable):
    """The API server asks to come again later."""

    def __init__(self, text: str, retry_seconds: float) -> None:
        super().__init__(text)
        self.retry_seconds = retry_seconds


class Unauthorized(KubeError):
    """401 to ourselves."""


class Forbidden(KubeError):
    """403 to ourselves."""


class NotFound(KubeError):
    """404."""


class Conflict(KubeError):
    """409."""


class Invalid(KubeError):
    """400, 413, 415, 422."""


class ServerFault(KubeError):
    """500 and what else is the API server's."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for, in the words of RBAC."""

    verb: str
    resource: str
    """`pods`, `tokenreviews.authentication.k8s.io`, `memoryprofiles.memwarden.dev/status`."""
    namespace: str = ""
    """"" for the whole cluster."""
    name: str = ""

    def __str__(self) -> str:
        named = f" {self.name}" if self.name else ""
        return f"{self.verb} {self.resource}{named} {self.where}"

    @property
    def where(self) -> str:
        return f"in namespace {self.namespace}" if self.namespace else "in the whole cluster"


def of_answer(
    request: Request, status: int, body: str, headers: Mapping[str, str] | None = None
) -> KubeError:
    """The error for an answer of the API server that is none of success."""
    said = _message(body) or f"HTTP {status}"
    if status == 401:
        return Unauthorized(
            f"can't {request}: the API server does not take our credentials ({said}); see whether the service "
            "account's token is mounted and its service account still exists"
        )
    if status == 403:
        return Forbidden(
            f"can't {request}: the right is missing ({said}); grant the verb {request.verb!r} on "
            f"{request.resource!r} {request.where} to our service account"
        )
    if status == 404:
        return NotFound(f"can't {request}: it is not there ({said}); see whether its kind is installed")
    if status == 409:
        return Conflict(f"can't {request}: somebody else wrote it meanwhile ({said}); read it again")
    if status in (429, 503):
        return TooBusy(
            f"can't {request}: the API server is busy ({said}); it is asked again", _retry_after(headers)
        )
    if 400 <= status < 500:
        return Invalid(f"can't {request}: the API server refuses it ({said})")
    return ServerFault(f"can't {request}: the API server failed ({said}); its log has the cause")


def _message(body: str) -> str:
    """The words of a `Status` object, or the beginning of what is none."""
    try:
        read = json.loads(body)
    except ValueError:
        read = body
    text = read.get("message") if isinstance(read, dict) else body
    return " ".join(str(text or "").split())[:_TEXT]


def _retry_after(headers: Mapping[str, str] | None) -> float:
    text = (headers or {}).get("Retry-After", "")
    return min(float(text), _MAX_RETRY_SECONDS) if text.isascii() and text.isdigit() else 1.0
