"""The rights that the controller needs, as rules of a ClusterRole: the chart has the same, and a test compares.

`NEEDED` without which it can't do its work; `BREAKER` to send away pods that don't start because of Memwarden: without
it they stay and the log says so; `REMEDIATION` to obey `spec.remediation.mode: Act`. With `--namespaces` all of it but
`CLUSTER` can be a Role in each of them.
"""

from dataclasses import dataclass
from typing import Any, Final

from memwarden_api.names import GROUP, PLURAL_ALERT_POLICY, PLURAL_PROFILE, PLURAL_SNAPSHOT


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of RBAC, and what it is for."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    why: str

    def document(self) -> dict[str, Any]:
        """As it stands in a ClusterRole."""
        return {"apiGroups": [self.group], "resources": list(self.resources), "verbs": list(self.verbs)}


NEEDED: Final = (
    Rule(GROUP, (PLURAL_PROFILE,), ("list", "watch"), "the profiles"),
    Rule(GROUP, (f"{PLURAL_PROFILE}/status",), ("patch",), "their status"),
    Rule(
        GROUP,
        (f"{PLURAL_PROFILE}/status",),
        ("update",),
        "never used on the cluster: the collector asks who may tell it",
    ),
    Rule(GROUP, (PLURAL_ALERT_POLICY,), ("list", "watch"), "the alert policies"),
    Rule(GROUP, (f"{PLURAL_ALERT_POLICY}/status",), ("patch",), "their status"),
    Rule(
        GROUP, (PLURAL_SNAPSHOT,), ("delete", "list", "watch"), "the snapshots; those whose time is over go"
    ),
    Rule(GROUP, (f"{PLURAL_SNAPSHOT}/status",), ("patch",), "their status"),
    Rule("", ("pods",), ("get", "list", "watch"), "injected pods; metadata of the others; missed ones whole"),
    Rule("apps", ("replicasets",), ("get",), "the Deployment behind a pod"),
    Rule("apps", ("statefulsets", "daemonsets"), ("get",), "whose pods could not be made"),
    Rule("apps", ("deployments",), ("get",), "how many pods are wanted and ready"),
    Rule("batch", ("jobs",), ("get",), "the CronJob behind a pod"),
    Rule(
        "events.k8s.io",
        ("events",),
        ("create", "get", "list", "patch"),
        "telling; pods that could not be made",
    ),
    Rule("networking.k8s.io", ("networkpolicies",), ("list",), "what keeps sidecars from the collector"),
)
CLUSTER: Final = (Rule("", ("namespaces",), ("get", "list"), "whether a namespace is open to the injector"),)
BREAKER: Final = (Rule("", ("pods/eviction",), ("create",), "pods that don't start because of Memwarden"),)
REMEDIATION: Final = (
    Rule("", ("pods/eviction",), ("create",), "pods that leak, where a profile says Act"),
    Rule(
        "apps",
        ("deployments", "statefulsets", "daemonsets"),
        ("patch",),
        "restarting them, where a profile says Act, or Rollout of missed pods",
    ),
    Rule(GROUP, (PLURAL_SNAPSHOT,), ("create",), "evidence before that"),
)
_MAKE: Final = ("create", "get", "patch", "delete")
_MONITORING: Final = "monitoring.coreos.com"
ALERTS: Final = (
    Rule(_MONITORING, ("prometheusrules",), ("create", "get", "patch"), "what an alert policy becomes"),
    Rule(_MONITORING, ("alertmanagerconfigs",), _MAKE, "and where it names receivers"),
    Rule(_MONITORING, ("prometheuses", "alertmanagers"), ("list",), "whether one selects it"),
)
"""Beside the rest, behind a value of the chart: without it the policies' status says what is missing."""
ALERT_FILES: Final = (Rule("", ("configmaps",), _MAKE, "what they become without the Prometheus operator"),)
"""The same, behind another one."""
RULES: Final = (*NEEDED, *CLUSTER, *BREAKER, *REMEDIATION)


def cluster_role(name: str = "memwarden-controller") -> dict[str, Any]:
    """The whole role."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": [rule.document() for rule in RULES],
    }
