"""Numbers, lists and commands as they stand in messages to people. Pure."""

from collections.abc import Sequence

from memwarden_api import names

_UNITS = ("B", "kB", "MB", "GB")


def rate(bytes_per_second: float) -> str:
    """`1.4 MB/s`; slow ones by the hour."""
    if abs(bytes_per_second) < 1000:
        return f"{_size(bytes_per_second * 3600)}/h"
    return f"{_size(bytes_per_second)}/s"


def _size(amount: float) -> str:
    for unit in _UNITS:
        if abs(amount) < 1000 or unit == _UNITS[-1]:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    raise AssertionError


def span(seconds: float) -> str:
    """`40 s`, `25 min`, `7 h`, `3 d`."""
    for size, unit in ((2 * 86_400, "d"), (2 * 3600, "h"), (120, "min")):
        if seconds >= size:
            return f"{seconds / (size / 2 if unit != 'min' else 60):.0f} {unit}"
    return f"{seconds:.0f} s"


def listed(items: Sequence[str], most: int) -> str:
    """`a, b and 3 more`."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more


def restart(kind: str, name: str, namespace: str) -> str:
    """The command that makes a workload's pods anew, or what to do where there is none."""
    if kind in ("Deployment", "StatefulSet", "DaemonSet"):
        return f"kubectl rollout restart {kind.lower()}/{name} -n {namespace}"
    if kind == "Pod":
        return f"delete the pod and make it anew: kubectl delete pod {name} -n {namespace}"
    return f"let {kind} {name} make its pods anew"


def label_namespace(namespace: str) -> str:
    """The command that opens a namespace to the injector."""
    return f"kubectl label namespace {namespace} {names.INJECT}=true"


def egress_policy(namespace: str, collector_namespace: str, port: int) -> str:
    """A NetworkPolicy, on one line, that lets injected pods reach the collector and ask for its name."""
    return (
        "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, "
        f"metadata: {{name: memwarden-egress, namespace: {namespace}}}, "
        f"spec: {{podSelector: {{matchExpressions: [{{key: {names.INJECTED}, operator: Exists}}]}}, "
        "policyTypes: [Egress], egress: ["
        f"{{to: [{{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {collector_namespace}}}}}}}], "
        f"ports: [{{port: {port}}}]}}, "
        "{ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]}]}}"
    )
