"""The resources that we ask for: their paths, and their names in the words of RBAC."""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from memwarden_api.names import (
    GROUP,
    KIND_ALERT_POLICY,
    KIND_PROFILE,
    KIND_SNAPSHOT,
    PLURAL_ALERT_POLICY,
    PLURAL_PROFILE,
    PLURAL_SNAPSHOT,
    VERSION,
)

__all__ = [
    "ALERTMANAGERS",
    "ALERTMANAGER_CONFIGS",
    "ALERT_POLICIES",
    "CONFIG_MAPS",
    "DAEMON_SETS",
    "DEPLOYMENTS",
    "EVENTS",
    "JOBS",
    "NAMESPACES",
    "NETWORK_POLICIES",
    "PODS",
    "PROFILES",
    "PROMETHEUSES",
    "PROMETHEUS_RULES",
    "REPLICA_SETS",
    "SNAPSHOTS",
    "STATEFUL_SETS",
    "Object",
    "Resource",
]

Object = dict[str, Any]
"""An object of the API as its JSON is: what the official client's models cost isn't worth what they add."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of one version of a group; "" is the core group."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Below the server's address; without a namespace it is all of them, without a name all objects."""
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part]
        return "/" + "/".join(quote(part, safe="") for part in parts)

    def named(self, subresource: str = "") -> str:
        """`pods`, `memoryprofiles.memwarden.dev/status`."""
        resource = f"{self.plural}.{self.group}" if self.group else self.plural
        return f"{resource}/{subresource}" if subresource else resource


PODS: Final = Resource("", "v1", "pods", "Pod")
NAMESPACES: Final = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
EVENTS: Final = Resource("events.k8s.io", "v1", "events", "Event")
REPLICA_SETS: Final = Resource("apps", "v1", "replicasets", "ReplicaSet")
DEPLOYMENTS: Final = Resource("apps", "v1", "deployments", "Deployment")
STATEFUL_SETS: Final = Resource("apps", "v1", "statefulsets", "StatefulSet")
DAEMON_SETS: Final = Resource("apps", "v1", "daemonsets", "DaemonSet")
JOBS: Final = Resource("batch", "v1", "jobs", "Job")
NETWORK_POLICIES: Final = Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
CONFIG_MAPS: Final = Resource("", "v1", "configmaps", "ConfigMap")
PROMETHEUS_RULES: Final = Resource("monitoring.coreos.com", "v1", "prometheusrules", "PrometheusRule")
PROMETHEUSES: Final = Resource("monitoring.coreos.com", "v1", "prometheuses", "Prometheus")
ALERTMANAGERS: Final = Resource("monitoring.coreos.com", "v1", "alertmanagers", "Alertmanager")
ALERTMANAGER_CONFIGS: Final = Resource(
    "monitoring.coreos.com", "v1alpha1", "alertmanagerconfigs", "AlertmanagerConfig"
)
ALERT_POLICIES: Final = Resource(GROUP, VERSION, PLURAL_ALERT_POLICY, KIND_ALERT_POLICY)
SNAPSHOTS: Final = Resource(GROUP, VERSION, PLURAL_SNAPSHOT, KIND_SNAPSHOT)
PROFILES: Final = Resource(GROUP, VERSION, PLURAL_PROFILE, KIND_PROFILE)
