"""A policy in Alertmanager's own language: a fragment of its configuration, to be joined with the rest of it.

`route` belongs below the `routes` of the main one; `receivers`, `inhibit_rules` and `time_intervals` are added to the
lists of that name. Secrets are files: that of Secret NAME with key KEY is `<folder>/NAME/KEY`, as the Prometheus
operator mounts them. Alertmanager 0.25 or newer; `url_file` of a webhook needs 0.26.
"""

from collections.abc import Sequence
from typing import Any, Final

from memwarden_api.v1alpha1.alert_policy import MemoryAlertPolicy
from memwarden_api.v1alpha1.alert_receivers import Receiver, SecretKey
from memwarden_operator.alerts.expressions import quoted
from memwarden_operator.alerts.routing import NOBODY, Matcher, inhibition, of_policy, told
from memwarden_operator.alerts.windows import Interval, intervals

SECRETS_FOLDER: Final = "/etc/alertmanager/secrets"


def receiver_name(policy: MemoryAlertPolicy, name: str) -> str:
    """One of its kind in the cluster."""
    return f"{policy.metadata.namespace}/memwarden-{policy.metadata.name}/{name}"


def fragment(policy: MemoryAlertPolicy, secrets: str = SECRETS_FOLDER) -> dict[str, Any]:
    """Empty where the policy names no receiver and keeps nothing back."""
    found = inhibition(policy)
    made: dict[str, Any] = {}
    if policy.spec.receivers:
        own = [one.receiver for one in told(policy) if one.receiver.existing is None]
        made["route"] = _route(policy)
        made["receivers"] = [
            {"name": receiver_name(policy, NOBODY)},
            *({"name": receiver_name(policy, one.name), **_ways(one, secrets)} for one in own),
        ]
    if found is not None:
        made["inhibit_rules"] = [
            {
                "source_matchers": _matchers(found.source),
                "target_matchers": _matchers(found.targets),
                "equal": list(found.equal),
            }
        ]
    if policy.spec.receivers and policy.spec.mute_windows:
        made["time_intervals"] = [
            {
                "name": receiver_name(policy, window.name),
                "time_intervals": [_interval(one) for one in intervals(window)],
            }
            for window in policy.spec.mute_windows
        ]
    return made


def _route(policy: MemoryAlertPolicy) -> dict[str, Any]:
    grouping = policy.spec.grouping
    muted = [receiver_name(policy, window.name) for window in policy.spec.mute_windows]
    return {
        "receiver": receiver_name(policy, NOBODY),
        "matchers": _matchers(of_policy(policy)),
        "group_by": list(grouping.by),
        "group_wait": grouping.wait,
        "group_interval": grouping.interval,
        "repeat_interval": grouping.repeat,
        "continue": True,
        "routes": [
            {
                "receiver": one.receiver.existing.name
                if one.receiver.existing is not None
                else receiver_name(policy, one.receiver.name),
                **({"matchers": _matchers(one.matchers)} if one.matchers else {}),
                **({"mute_time_intervals": muted} if muted else {}),
                "continue": True,
            }
            for one in told(policy)
        ],
    }


def _matchers(matchers: Sequence[Matcher]) -> list[str]:
    return [f"{one.label}{one.operator}{quoted(one.value)}" for one in matchers]


def _interval(interval: Interval) -> dict[str, Any]:
    made: dict[str, Any] = {"times": [{"start_time": interval.begins, "end_time": interval.ends}]}
    return made | ({"weekdays": list(interval.days)} if interval.days else {})


def _ways(receiver: Receiver, secrets: str) -> dict[str, Any]:
    def file(key: SecretKey) -> str:
        return f"{secrets}/{key.name}/{key.key}"

    way: dict[str, Any] = {"send_resolved": receiver.send_resolved}
    if (email := receiver.email) is not None:
        way["to"] = ", ".join(email.to)
        way |= {"from": email.sender} if email.sender else {}
        way |= {"smarthost": email.smarthost} if email.smarthost else {}
        way |= {"auth_username": email.username} if email.username else {}
        way |= {"auth_password_file": file(email.password)} if email.password else {}
        return {"email_configs": [way]}
    if (slack := receiver.slack) is not None:
        way["api_url_file"] = file(slack.url)
        way |= {"channel": slack.channel} if slack.channel else {}
        return {"slack_configs": [way]}
    if receiver.pager_duty is not None:
        way["routing_key_file"] = file(receiver.pager_duty.routing_key)
        return {"pagerduty_configs": [way]}
    webhook = receiver.webhook
    assert webhook is not None
    way |= {"url": webhook.url} if webhook.url else {}
    way |= {"url_file": file(webhook.url_from)} if webhook.url_from else {}
    http: dict[str, Any] = {}
    if webhook.bearer_token is not None:
        http["authorization"] = {"credentials_file": file(webhook.bearer_token)}
    if webhook.certificate_authority is not None:
        http["tls_config"] = {"ca_file": file(webhook.certificate_authority)}
    return {"webhook_configs": [way | ({"http_config": http} if http else {})]}
