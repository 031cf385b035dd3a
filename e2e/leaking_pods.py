"""Memory of pods as their sidecars would send it: the judge takes what grows for a leak, whatever the pod runs."""

import ssl
import time
from typing import TYPE_CHECKING, Any

import collector_requests as otlp
import httpx
from reader import collector_of

from memwarden_api import names
from memwarden_api.scopes import container_scope

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace
    from collector_processes import Collector
    from release import Release

TICKS, LIMIT, PACE = 240, 1e9, 1e6


def leak(collector: "Collector", pod: dict[str, Any], level: float = 1e8, ago: float = 0) -> None:
    """Four minutes up to now, or `ago` seconds, in which it grew by a megabyte a second, from `level` on."""
    _send(f"{collector.url}/v1/metrics", _growth(pod, level, ago))


def leak_to(release: "Release", namespace: "Namespace", pod: dict[str, Any], level: float) -> None:
    """The same to an installed release, with a token of the pod's as its sidecar would have one."""
    about = pod["metadata"]
    bound = {"apiVersion": "v1", "kind": "Pod", "name": about["name"], "uid": about["uid"]}
    request = {"audiences": [names.AUDIENCE], "expirationSeconds": 3600, "boundObjectRef": bound}
    made = namespace.core.create_namespaced_service_account_token(
        "default", namespace.name, {"spec": request}
    )
    url, trusted = collector_of(release)
    content = _growth(pod, level)
    _send(f"{url}/v1/metrics", content, trusted, authorization=f"Bearer {made.status.token}")


def _send(url: str, content: bytes, verify: ssl.SSLContext | bool = True, **headers: str) -> None:
    answer = httpx.post(
        url,
        content=content,
        headers={**otlp.PROTOBUF, **headers},
        timeout=60,
        trust_env=False,
        verify=verify,
    )
    assert answer.status_code == 200, answer.text


def _growth(pod: dict[str, Any], level: float, ago: float = 0) -> bytes:
    now = time.time() - ago
    request = otlp.ExportMetricsServiceRequest()
    for tick in range(TICKS):
        noise = 1e5 * (tick * 7919 % 11 - 5)
        points: list[Any] = [
            (names.MEMORY_ANON, level + PACE * tick + noise, {}),
            (names.MEMORY_LIMIT, LIMIT, {names.LIMIT_SOURCE: "cgroup"}),
            (names.CPU_TIME, 0.1 * tick, {}),
            (names.PROCESS_COUNT, 1, {}),
        ]
        otlp.add_resource(request, about(pod), now - TICKS + 1 + tick, points)
    return bytes(request.SerializeToString())


def about(pod: dict[str, Any]) -> dict[str, object]:
    """The attributes of its container's scope."""
    metadata = pod["metadata"]
    return {
        **otlp.scope_attributes(
            container_scope(metadata["namespace"], metadata["name"], metadata["uid"], "app", "1")
        ),
        names.SCOPE_KIND: names.SCOPE_KIND_CONTAINER,
        names.K8S_NAMESPACE: metadata["namespace"],
        names.K8S_POD: metadata["name"],
        names.K8S_POD_UID: metadata["uid"],
        names.K8S_CONTAINER: "app",
    }
