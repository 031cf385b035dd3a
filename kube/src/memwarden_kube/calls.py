"""One request of the API server, its JSON as it is. Whatever goes wrong is a KubeError that names the request.

Beside the generated methods of the official client, since those make an object of each field: a page of 500 pods would
cost some hundred MB. Connection, credentials and time-outs are the client's.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, cast

import aiohttp
from kubernetes.aio.client import ApiClient

from memwarden_kube.client import asking
from memwarden_kube.errors import KubeError, Request, Unreachable, of_answer
from memwarden_kube.objects import Object

__all__ = ["Expired", "call", "opened"]

JSON: Final = "application/json"
METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class Expired(KubeError):
    """410: what was to be gone on from is no longer known; list again."""


async def call(
    client: ApiClient,
    method: str,
    path: str,
    request: Request,
    *,
    query: Mapping[str, str] | None = None,
    body: Object | None = None,
    content_type: str = JSON,
    accept: str = JSON,
) -> Object:
    """Send it and read the answer whole."""
    async with opened(
        client, method, path, request, query=query, body=body, content_type=content_type, accept=accept
    ) as response:
        with asking(request.verb, request.resource, request.namespace, request.name):
            text = await response.read()
    try:
        read = json.loads(text)
    except ValueError:
        raise Unreachable(
            f"can't {request}: the answer is no JSON ({text[:80]!r}); it is asked again"
        ) from None
    if not isinstance(read, dict):
        raise Unreachable(f"can't {request}: the answer is no object; it is asked again")
    return read


@asynccontextmanager
async def opened(
    client: ApiClient,
    method: str,
    path: str,
    request: Request,
    *,
    query: Mapping[str, str] | None = None,
    body: Object | None = None,
    content_type: str = JSON,
    accept: str = JSON,
    patience: aiohttp.ClientTimeout | None = None,
) -> AsyncIterator[aiohttp.ClientResponse]:
    """An answer of success, not read yet: a watch reads it line by line."""
    with asking(request.verb, request.resource, request.namespace, request.name):
        sent, url, headers, content, posted = await client.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params={"Accept": accept, "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        answer = await client.call_api(sent, url, headers, content, posted, _request_timeout=patience)
    response = cast(aiohttp.ClientResponse, answer.response)
    try:
        if response.status == 410:
            raise Expired(f"can't {request}: the API server has forgotten where it was; it is listed again")
        if not 200 <= response.status < 300:
            with asking(request.verb, request.resource, request.namespace, request.name):
                said = await response.text(errors="replace")
            raise of_answer(request, response.status, said, cast("Mapping[str, Any]", response.headers))
        yield response
    finally:
        # A watch that is left must not give its connection, in the middle of a line, to the next request.
        response.close() if not response.content.is_eof() else response.release()
