"""An AdmissionReview in, an AdmissionReview out: the pod is always allowed.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#response
"""

import base64
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from memwarden_api import names
from memwarden_operator.injector.inject import inject
from memwarden_operator.injector.installation import Installation
from memwarden_operator.injector.namespace_limits import NamespaceLimits
from memwarden_operator.injector.profile import Profile
from memwarden_operator.injector.selection import Choice, select
from memwarden_operator.injector.skips import Skip

_log = logging.getLogger(__name__)
WARNING_LENGTH: Final = 250
"""A client shows 256 characters of a warning."""
STORED_BYTES: Final = 1_400_000
"""etcd takes requests of 1.5 MiB; a review is the pod and little more."""

INJECTED: Final = "injected"
UNCHANGED: Final = "unchanged"
SKIPPED: Final = "skipped"
FAILED: Final = "failed"
NOT_SYNCED: Final = "not-synced"
MALFORMED: Final = "malformed"
OUTCOMES: Final = (INJECTED, UNCHANGED, SKIPPED, FAILED, NOT_SYNCED, MALFORMED)


# What is written has been made here: no circle can be in it, and looking for one takes as long as writing.
_encode: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


class Malformed(Exception):
    """This is no AdmissionReview: there is nobody to answer by uid. Answered with 400."""


class Known(Protocol):
    """What must be known of the cluster."""

    @property
    def is_synced(self) -> bool: ...

    def profiles_of(self, namespace: str) -> tuple[Profile, ...]: ...

    def limits_of(self, namespace: str) -> NamespaceLimits: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """The response's body, and what is told of it elsewhere."""

    body: bytes
    outcome: str
    pod: Mapping[str, Any] | None = None
    skips: tuple[Skip, ...] = field(default=())
    """Also of single containers of a pod that is injected."""
    is_trial: bool = False
    """A dry run: nothing may be written for it."""


def answer(body: bytes, namespace_label: str | None, known: Known, installation: Installation) -> Answer:
    """Raises Malformed, nothing else."""
    uid, request = _request(body)
    try:
        return _answer(uid, request, len(body), namespace_label, known, installation)
    except Exception as error:
        # Whatever it is, the pod must start: a denial would stop a rollout for the sake of a profiler.
        _log.exception("a pod of %s was let through unchanged", request.get("namespace"))
        warning = f"memwarden: the injector failed ({type(error).__name__}); the pod is not watched"
        return Answer(_written(uid, warnings=[warning]), FAILED)


def _request(body: bytes) -> tuple[str, Mapping[str, Any]]:
    try:
        request = json.loads(body)["request"]
        uid = request["uid"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Malformed(f"this is no AdmissionReview with a request: {type(error).__name__}") from None
    if not isinstance(request, dict) or not isinstance(uid, str) or not uid:
        raise Malformed("the review's request has no uid")
    return uid, request


def _answer(
    uid: str,
    request: Mapping[str, Any],
    size: int,
    namespace_label: str | None,
    known: Known,
    installation: Installation,
) -> Answer:
    if request.get("operation") != "CREATE" or (request.get("resource") or {}).get("resource") != "pods":
        return Answer(_written(uid), UNCHANGED)
    if not known.is_synced:
        return Answer(_written(uid), NOT_SYNCED)
    pod = _pod(request)
    result = _decided(pod, size, namespace_label, known, installation)
    is_trial = bool(request.get("dryRun"))
    if isinstance(result, Skip):
        warnings = [_warning(result)] if result.is_told else []
        return Answer(_written(uid, warnings=warnings), SKIPPED, pod, (result,), is_trial)
    patch, skips = result
    warnings = [_warning(skip) for skip in skips if skip.is_told]
    outcome = INJECTED if patch else UNCHANGED
    return Answer(_written(uid, patch, warnings), outcome, pod, skips, is_trial)


def _pod(request: Mapping[str, Any]) -> dict[str, Any]:
    """As the request has it, with a namespace: in admission it may stand beside the pod only."""
    pod: dict[str, Any] = request["object"]
    metadata = pod.setdefault("metadata", {})
    if not metadata.get("namespace"):
        # Not written into the patch, which speaks of what differs only.
        metadata["namespace"] = request.get("namespace") or ""
    return pod


def _decided(
    pod: Mapping[str, Any], size: int, namespace_label: str | None, known: Known, installation: Installation
) -> tuple[bytes, tuple[Skip, ...]] | Skip:
    """The patch, "" where there is nothing to do, and what was left out; or why the pod is left alone."""
    namespace = pod["metadata"]["namespace"]
    if namespace in installation.excluded_namespaces:
        return Skip(names.SKIP_NAMESPACE_EXCLUDED, f"the installation leaves the namespace {namespace} alone")
    choice = select(pod, namespace_label, known.profiles_of(namespace))
    if not isinstance(choice, Choice):
        return choice
    result = inject(pod, choice, installation, known.limits_of(namespace))
    if isinstance(result, Skip):
        return result
    patch = _encode(result.operations).encode() if result.operations else b""
    if size + len(patch) > STORED_BYTES:
        return Skip(
            names.SKIP_POD_TOO_LARGE, f"with a sidecar the pod would have more than {STORED_BYTES} bytes"
        )
    return patch, result.left_out


def _warning(skip: Skip) -> str:
    return f"memwarden: {skip.reason}: {skip.message}"[:WARNING_LENGTH]


def _written(uid: str, patch: bytes = b"", warnings: list[str] | None = None) -> bytes:
    response: dict[str, Any] = {"uid": uid, "allowed": True}
    if patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(patch).decode()
    if warnings:
        response["warnings"] = warnings
    return _encode(
        {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
    ).encode()
