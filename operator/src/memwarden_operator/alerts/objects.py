"""The objects that a policy becomes in its namespace: kinds of the Prometheus operator where they are, else ConfigMaps.

Each is owned by the policy, so that it goes with it, whoever is away then. Labels are by setting, so that any selector
of a Prometheus or of what reads ConfigMaps can match.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from memwarden_api import names
from memwarden_api.generate.yaml_text import yaml_text
from memwarden_api.v1alpha1.alert_policy import MemoryAlertPolicy
from memwarden_api.v1alpha1.alert_policy_status import Generated
from memwarden_kube.objects import ALERTMANAGER_CONFIGS, CONFIG_MAPS, PROMETHEUS_RULES, Object, Resource
from memwarden_operator.alerts import alertmanager_config
from memwarden_operator.alerts.fragment import fragment
from memwarden_operator.alerts.rules import rule_groups

RULES_FILE: Final = "rules.yaml"
ROUTES_FILE: Final = "routes.yaml"
_RULES, _ROUTES = "rules", "routes"
"""Values of the label `memwarden.dev/alerts`."""


@dataclass(frozen=True, slots=True)
class Kinds:
    """Which kinds of the Prometheus operator the cluster has."""

    rules: bool = False
    routes: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """One object: `fields` is all of it but version and kind."""

    resource: Resource
    name: str
    fields: Object

    @property
    def labels(self) -> Mapping[str, str]:
        found: dict[str, str] = self.fields["metadata"]["labels"]
        return found

    @property
    def generated(self) -> Generated:
        return Generated(api_version=self.resource.api_version, kind=self.resource.kind, name=self.name)


def object_name(policy: MemoryAlertPolicy) -> str:
    return f"memwarden-{policy.metadata.name}"


def wanted(policy: MemoryAlertPolicy, kinds: Kinds, labels: Mapping[str, str]) -> tuple[Wanted, ...]:
    """Rules first."""
    name = object_name(policy)
    groups = rule_groups(policy)
    if kinds.rules:
        made = [_object(policy, PROMETHEUS_RULES, name, _RULES, labels, {"spec": groups})]
    else:
        text = {"data": {RULES_FILE: yaml_text(groups)}}
        made = [_object(policy, CONFIG_MAPS, f"{name}-{_RULES}", _RULES, labels, text)]
    if kinds.routes:
        spec = alertmanager_config.spec(policy)
        if spec:
            made.append(_object(policy, ALERTMANAGER_CONFIGS, name, _ROUTES, labels, {"spec": spec}))
    elif routes := fragment(policy):
        text = {"data": {ROUTES_FILE: yaml_text(routes)}}
        made.append(_object(policy, CONFIG_MAPS, f"{name}-{_ROUTES}", _ROUTES, labels, text))
    return tuple(made)


def _object(
    policy: MemoryAlertPolicy,
    resource: Resource,
    name: str,
    part: str,
    labels: Mapping[str, str],
    content: dict[str, Any],
) -> Wanted:
    owner = {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND_ALERT_POLICY,
        "name": policy.metadata.name,
        "uid": policy.metadata.uid,
        "controller": True,
    }
    metadata = {
        "name": name,
        "namespace": policy.metadata.namespace,
        "labels": {"app.kubernetes.io/managed-by": "memwarden", names.ALERTS: part, **labels},
        "ownerReferences": [owner],
    }
    return Wanted(resource, name, {"metadata": metadata, **content})


def is_of(policy: MemoryAlertPolicy, found: Object) -> bool:
    """Whether an object of the cluster was made for this very policy."""
    owners = found["metadata"].get("ownerReferences") or ()
    return any(one.get("uid") == policy.metadata.uid for one in owners)
