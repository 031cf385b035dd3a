"""Writes what `authority.renewed` says into Secrets, and the bundle into the webhook's configuration.

One writer at a time: a Secret is replaced only as it was read (resourceVersion), so that of two one begins anew.
The authority's Secret is written first: what is not there was never used.
"""

import base64
import binascii
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from memwarden_operator.certificates.authority import Pair, State, renewed
from memwarden_operator.errors import OperatorError
from memwarden_operator.injector.api import Api, ApiError

_log = logging.getLogger(__name__)
TRIES: Final = 5
CONFLICT: Final = 409
NOT_FOUND: Final = 404
_WEBHOOKS: Final = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
_BEGIN: Final = "-----BEGIN CERTIFICATE-----"


class NotWritten(OperatorError):
    """The certificates are not as they should be; the text says which object and why."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Where it is written."""

    namespace: str
    authority_secret: str
    """Only the writer reads it: it has the authorities' keys."""
    server_secret: str
    """For servers, to be mounted: tls.crt, tls.key, ca.crt."""
    names: tuple[str, ...]
    """DNS names of the servers."""
    webhook: str
    """Name of the MutatingWebhookConfiguration; "": none."""


async def write(api: Api, targets: Targets, now: datetime | None = None) -> State:
    """Bring everything up to date; what is, is not touched. Raises NotWritten, and what Api raises."""
    for _ in range(TRIES):
        try:
            return await _write(api, targets, now or datetime.now(UTC))
        except ApiError as error:
            if error.status != CONFLICT:
                raise NotWritten(str(error)) from None
            _log.info("another writer was faster: %s", error)
    raise NotWritten(f"the Secrets of {targets.namespace} change all the time; is there a second writer?")


async def _write(api: Api, targets: Targets, now: datetime) -> State:
    kept = await _read(api, targets.namespace, targets.authority_secret)
    served = await _read(api, targets.namespace, targets.server_secret)
    before = _state(kept, served)
    state = renewed(before, targets.names, now)
    if state.signing is None or state.leaf is None:
        raise AssertionError("renewed makes both")
    authority = {
        "tls.crt": state.signing.certificate,
        "tls.key": state.signing.key,
        "retired.crt": "".join(state.retired),
    }
    if state.successor is not None:
        authority |= {"next.crt": state.successor.certificate, "next.key": state.successor.key}
    await _put(api, targets.namespace, targets.authority_secret, kept, authority)
    leaf = {"tls.crt": state.leaf.certificate, "tls.key": state.leaf.key, "ca.crt": state.bundle()}
    # The bundle reaches those who check before the leaf that needs it reaches those who serve: a new authority has
    # been in it for 90 days, but for the very first one.
    if targets.webhook:
        await _tell_api_server(api, targets.webhook, state.bundle())
    await _put(api, targets.namespace, targets.server_secret, served, leaf)
    return state


def _state(kept: Mapping[str, Any] | None, served: Mapping[str, Any] | None) -> State:
    """What stands in the Secrets. An authority that can't be read is an error: a new one would cut off all pods."""
    authority, server = _data(kept), _data(served)
    retired = [part for part in authority.get("retired.crt", "").split(_BEGIN) if part.strip()]
    return State(
        signing=_pair(authority, "tls"),
        successor=_pair(authority, "next"),
        retired=tuple(f"{_BEGIN}{part}" for part in retired),
        leaf=_pair(server, "tls"),
    )


def _pair(data: Mapping[str, str], name: str) -> Pair | None:
    certificate, key = data.get(f"{name}.crt", ""), data.get(f"{name}.key", "")
    return Pair(certificate, key) if certificate and key else None


def _data(secret: Mapping[str, Any] | None) -> dict[str, str]:
    try:
        return {
            name: base64.b64decode(value).decode("ascii")
            for name, value in ((secret or {}).get("data") or {}).items()
        }
    except (binascii.Error, UnicodeDecodeError) as error:
        name = (secret or {}).get("metadata", {}).get("name", "")
        raise NotWritten(
            f"the Secret {name} has something else than PEM in it ({error}); repair or delete it"
        ) from None


async def _read(api: Api, namespace: str, name: str) -> dict[str, Any] | None:
    try:
        return await api.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")
    except ApiError as error:
        if error.status == NOT_FOUND:
            return None
        raise


async def _put(
    api: Api, namespace: str, name: str, present: Mapping[str, Any] | None, wanted: Mapping[str, str]
) -> None:
    if present is not None and _data(present) == wanted:
        return
    data = {key: base64.b64encode(value.encode()).decode() for key, value in wanted.items()}
    where = f"/api/v1/namespaces/{namespace}/secrets"
    if present is None:
        metadata = {"name": name, "labels": {"app.kubernetes.io/managed-by": "memwarden-certificates"}}
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": metadata,
            "data": data,
        }
        await api.create(where, body)
    else:
        await api.replace(f"{where}/{name}", {**present, "data": data})
    _log.info("wrote the Secret %s/%s", namespace, name)


async def _tell_api_server(api: Api, name: str, bundle: str) -> None:
    found = await api.get(f"{_WEBHOOKS}/{name}")
    text = base64.b64encode(bundle.encode()).decode()
    webhooks: Sequence[dict[str, Any]] = found.get("webhooks") or ()
    if all(one["clientConfig"].get("caBundle") == text for one in webhooks):
        return
    changed = [{**one, "clientConfig": {**one["clientConfig"], "caBundle": text}} for one in webhooks]
    await api.replace(f"{_WEBHOOKS}/{name}", {**found, "webhooks": changed})
    _log.info("wrote the bundle into the MutatingWebhookConfiguration %s", name)
