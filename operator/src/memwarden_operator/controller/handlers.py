"""Kopf's part: it follows objects of our kinds and hands each event on. Nothing of it writes to any object.

`on.event` alone: no finalizer, no annotation, so profiles go also while the operator is away. Prefix and finalizer's
name are our own all the same: handlers that come later must not find two kinds of marks.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

import kopf

from memwarden_kube.client import Client
from memwarden_operator.controller.following import Following

PREFIX: Final = "controller.memwarden.dev"
FINALIZER: Final = "memwarden.dev/finalizer"
CREDENTIALS_LIVE: Final = timedelta(minutes=10)
"""The kubelet replaces a service account's token long before it expires."""
_log = logging.getLogger(__name__)


def operator_settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True  # neither namespaces nor CRDs are followed: no right is needed for them
    settings.posting.enabled = False  # events are told by our own recorder
    settings.persistence.finalizer = FINALIZER
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=PREFIX, v1=False)
    settings.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=PREFIX)
    settings.watching.server_timeout = 300
    settings.watching.connect_timeout = 5
    settings.watching.chunk_size = 100
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    settings.process.ultimate_exiting_timeout = 15
    return settings


def registry_for(client: Client, kinds: Sequence[Following]) -> kopf.OperatorRegistry:
    """Not Kopf's own registry: that one looks for client libraries to log in by, and imports them."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry, id="login")
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return await credentials(client)

    for kind in kinds:
        _follow(registry, kind)
    return registry


def _follow(registry: kopf.OperatorRegistry, kind: Following) -> None:
    about = kind.resource

    @kopf.on.event(about.group, about.version, about.plural, registry=registry, id=about.plural)
    async def event_of(event: kopf.RawEvent, **_: Any) -> None:
        found: dict[str, Any] = dict(cast("Mapping[str, Any]", event["object"]))
        if event["type"] == "DELETED":
            kind.gone((found["metadata"]["namespace"], found["metadata"]["name"]))
        else:
            kind.put(found)


async def credentials(client: Client) -> kopf.ConnectionInfo:
    """Those of our own client, so that there is one way to log in."""
    configuration = client.configuration
    token = await configuration.get_api_key_with_prefix("BearerToken")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert or None,
        insecure=not configuration.verify_ssl,
        token=token.split(" ", 1)[-1].strip() if token else None,
        certificate_path=configuration.cert_file or None,
        private_key_path=configuration.key_file or None,
        expiration=datetime.now(UTC) + CREDENTIALS_LIVE,
    )
