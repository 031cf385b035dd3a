"""What kubelets tell of containers: memory, limit, CPU time and out-of-memory kills, as Prometheus reads it.

Asked through the API server's proxy, which knows each kubelet's certificate; it takes `list nodes` and
`get nodes/proxy`. The latter is a strong right (the kubelet's other doors are behind it): who doesn't grant it does
without this, and only containers with a sidecar are watched.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from memwarden_kube.api import Api
from memwarden_kube.errors import Request

__all__ = ["ContainerUse", "node_names", "read_cadvisor", "uses_on"]

_PAGE: Final = 500
_MAX_NODES: Final = 20_000
_METADATA: Final = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"
# Anonymous memory as the kernel's control group counts it, which garbage collection and page cache leave alone.
_ANON: Final = "container_memory_rss"
_FIELDS: Final = {
    _ANON: "anon_bytes",
    "container_spec_memory_limit_bytes": "limit_bytes",
    "container_cpu_usage_seconds_total": "cpu_seconds",
    "container_oom_events_total": "oom_events",
}
_LABEL: Final = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
_ESCAPED: Final = re.compile(r"\\(.)")
_HEX: Final = r"[0-9a-f]"
_UID: Final = re.compile(rf"pod({_HEX}{{8}}(?:[-_]{_HEX}{{4}}){{3}}[-_]{_HEX}{{12}}|{_HEX}{{32}})")
_CONTAINER_ID: Final = re.compile(rf"({_HEX}{{12}}){_HEX}{{52}}(?:\.scope)?$")


@dataclass(slots=True)
class ContainerUse:
    """One container in one of its lives."""

    namespace: str
    pod: str
    pod_uid: str
    container: str
    life: str
    """The beginning of its id: another one after each restart."""
    at: float = 0.0
    """Unix seconds when the kubelet measured its memory."""
    values: dict[str, float] = field(default_factory=dict)
    """anon_bytes, limit_bytes (none without a limit), cpu_seconds, oom_events."""


def node_names(api: Api) -> list[str]:
    """Raises KubeError."""
    names: list[str] = []
    more = ""
    while len(names) < _MAX_NODES:
        query = f"?limit={_PAGE}" + (f"&continue={quote(more, safe='')}" if more else "")
        page = api.get(Request("list", "nodes"), f"/api/v1/nodes{query}", accept=_METADATA)
        names += [str(item["metadata"]["name"]) for item in page.get("items") or ()]
        more = str((page.get("metadata") or {}).get("continue") or "")
        if not more:
            break
    return names


def uses_on(api: Api, node: str) -> list[ContainerUse]:
    """Of all containers on a node. Raises KubeError."""
    path = f"/api/v1/nodes/{quote(node, safe='')}/proxy/metrics/cadvisor"
    text = api.text(Request("get", "nodes/proxy", name=node), path)
    return read_cadvisor(text.decode("utf-8", "replace").split("\n"))


def read_cadvisor(lines: Iterable[str]) -> list[ContainerUse]:
    """From Prometheus' text format; what is no container's, or can't be read, is left out."""
    found: dict[tuple[str, str, str], ContainerUse] = {}
    for metric, labels, value, at in _samples(lines):
        uid, container_id = _UID.search(labels["id"]), _CONTAINER_ID.search(labels["id"])
        if uid is None or container_id is None or not labels["namespace"] or not labels["pod"]:
            continue
        key = (uid[1], labels["container"], container_id[1])
        use = found.get(key)
        if use is None:
            plain = uid[1].replace("_", "-")
            use = found[key] = ContainerUse(labels["namespace"], labels["pod"], plain, key[1], key[2])
        if metric == _ANON:
            use.at = at
        use.values[_FIELDS[metric]] = value
    for use in found.values():
        if not use.values.get("limit_bytes"):  # 0: none
            use.values.pop("limit_bytes", None)
    return [use for use in found.values() if use.at and "anon_bytes" in use.values]


def _samples(lines: Iterable[str]) -> Iterator[tuple[str, dict[str, str], float, float]]:
    """Metric, labels, value, Unix seconds (0 without) of the lines that are wanted."""
    for line in lines:
        metric, brace, rest = line.partition("{")
        if not brace or metric not in _FIELDS or rest.startswith('container=""'):
            continue
        inner, _, numbers = rest.rpartition("}")
        labels = {key: _ESCAPED.sub(r"\1", text) for key, text in _LABEL.findall(inner)}
        try:
            value, *time = (float(word) for word in numbers.split())
        except ValueError:
            continue
        needed = ("id", "namespace", "pod", "container")
        if value == value and 0 <= value < 2**63 and all(key in labels for key in needed):
            yield metric, labels, value, time[0] / 1000 if time else 0.0
