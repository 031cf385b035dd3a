"""The official client, connected: in a pod by its service account, elsewhere by kubeconfig.

`connect()` makes no request. The service account's token is read anew every minute, as the kubelet replaces it. Every
request has a time-out (a watch names its own: `watch_timeout()`); what goes wrong comes as KubeError when the call
stands in `with asking(verb, resource, namespace):`.

Importing this costs some 20 MiB; who only has tokens and rights reviewed takes `api.py`, which costs less than one.
"""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.client.rest import RESTClientObject

from memwarden_kube.errors import NotConnected, Request, Unreachable, of_answer

__all__ = ["Client", "asking", "connect", "watch_timeout"]

Client = ApiClient
"""By our name, for those who may not import the official client."""

CONNECT_SECONDS: Final = 5.0
REQUEST_SECONDS: Final = 30.0
"""The API server itself gives up after 60."""
_ENV_IN_POD: Final = "KUBERNETES_SERVICE_HOST"
_ENV_KUBECONFIG: Final = "KUBECONFIG"


class _Rest(RESTClientObject):
    """With our time-outs where the caller names none: the library waits five minutes."""

    async def request(
        self,
        method: str,
        url: str,
        headers: Any = None,
        body: Any = None,
        post_params: Any = None,
        _request_timeout: Any = None,
    ) -> Any:
        timeout = _timeout(_request_timeout)
        return await super().request(method, url, headers, body, post_params, timeout)  # type: ignore[no-untyped-call]


def _timeout(given: object) -> aiohttp.ClientTimeout:
    if isinstance(given, aiohttp.ClientTimeout):
        return given
    if isinstance(given, tuple):
        return aiohttp.ClientTimeout(total=None, sock_connect=given[0], sock_read=given[1])
    total = float(given) if isinstance(given, int | float) else REQUEST_SECONDS
    return aiohttp.ClientTimeout(total=total, sock_connect=CONNECT_SECONDS)


def watch_timeout(silence_seconds: float) -> aiohttp.ClientTimeout:
    """`_request_timeout` of a watch: as long as it likes, but never silent for longer than this."""
    return aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=silence_seconds)


async def connect(
    kubeconfig: Path | None = None, context: str | None = None, user_agent: str = "memwarden"
) -> ApiClient:
    """A client for `async with`, or to be closed by `await client.close()`.

    Without `kubeconfig`: the pod's service account, else $KUBECONFIG, else ~/.kube/config. Raises NotConnected.
    """
    configuration = Configuration()
    try:
        if kubeconfig is None and os.environ.get(_ENV_IN_POD):
            config.load_incluster_config(client_configuration=configuration)
        else:
            file = str(kubeconfig) if kubeconfig is not None else os.environ.get(_ENV_KUBECONFIG) or None
            await config.load_kube_config(
                file, context, client_configuration=configuration, persist_config=False
            )
        client = ApiClient(configuration)
        client.rest_client = _Rest(configuration)
    except (config.ConfigException, OSError, ValueError, ssl.SSLError) as error:
        where = (
            "the pod's service account"
            if kubeconfig is None and os.environ.get(_ENV_IN_POD)
            else "a kubeconfig"
        )
        raise NotConnected(
            f"no cluster by {where} ({' '.join(str(error).split())[:200]}); in a pod mount the service account's "
            f"token, elsewhere set {_ENV_KUBECONFIG} to a file that names a cluster"
        ) from None
    client.user_agent = user_agent
    return client


@contextmanager
def asking(verb: str, resource: str, namespace: str = "", name: str = "") -> Iterator[None]:
    """Whatever the client raises within becomes a KubeError that names this request."""
    request = Request(verb, resource, namespace, name)
    try:
        yield
    except ApiException as error:
        raise of_answer(
            request, error.status or 0, error.body or error.reason or "", error.headers
        ) from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        cause = str(error) or type(error).__name__
        raise Unreachable(
            f"can't {request}: no answer from the API server ({cause[:200]}); it is asked again"
        ) from error
