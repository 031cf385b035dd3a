"""A policy as one group of alerting rules: the spec of a PrometheusRule, and the content of a rules file alike."""

from typing import Any, Final

from memwarden_api.v1alpha1.alert_policy import AlertRule, MemoryAlertPolicy
from memwarden_operator.alerts.expressions import expression
from memwarden_operator.alerts.wording import wording

POLICY: Final = "memalert_policy"
RULE: Final = "memalert_rule"
"""Labels of our alerts: by them routes and inhibitions find them."""


def group_name(policy: MemoryAlertPolicy) -> str:
    """By which Prometheus's answer is searched: one of its kind in the cluster."""
    return f"memwarden/{policy.metadata.namespace}/{policy.metadata.name}"


def rule_groups(policy: MemoryAlertPolicy) -> dict[str, Any]:
    """`groups` with one group; its rules stand in the policy's order."""
    return {
        "groups": [{"name": group_name(policy), "rules": [_rule(policy, one) for one in policy.spec.rules_]}]
    }


def _rule(policy: MemoryAlertPolicy, rule: AlertRule) -> dict[str, Any]:
    said = wording(rule)
    annotations = {"summary": said.summary, "description": said.description}
    if rule.runbook_url is not None:
        annotations["runbook_url"] = rule.runbook_url
    return {
        "alert": said.alert,
        "expr": expression(rule, policy.metadata.namespace, policy.spec.profiles),
        "for": rule.lasting,
        "labels": {
            "severity": rule.severity.lower(),
            # The series say it too, but for what is absent.
            "namespace": policy.metadata.namespace,
            POLICY: policy.metadata.name,
            RULE: rule.name,
        },
        "annotations": annotations,
    }
