"""A policy in the language of the Prometheus operator: the spec of an AlertmanagerConfig (v1alpha1).

The operator puts namespace and name before each receiver's name, and reads the Secrets itself. A receiver of
Alertmanager's own configuration can't be named in it: the alerts of such are routed there.
"""

from collections.abc import Sequence
from typing import Any

from memwarden_api.v1alpha1.alert_policy import MemoryAlertPolicy
from memwarden_api.v1alpha1.alert_receivers import Receiver, SecretKey
from memwarden_operator.alerts.routing import NOBODY, Matcher, inhibition, of_policy, told
from memwarden_operator.alerts.windows import Interval, intervals


def spec(policy: MemoryAlertPolicy) -> dict[str, Any]:
    """Empty where there is nothing to route and nothing to keep back."""
    own = [one for one in told(policy) if one.receiver.existing is None]
    kept = inhibition(policy)
    muted = [window.name for window in policy.spec.mute_windows]
    made: dict[str, Any] = {}
    if own:
        grouping = policy.spec.grouping
        made["route"] = {
            "receiver": NOBODY,
            "matchers": _matchers(of_policy(policy)),
            "groupBy": list(grouping.by),
            "groupWait": grouping.wait,
            "groupInterval": grouping.interval,
            "repeatInterval": grouping.repeat,
            "continue": True,
            "routes": [
                {
                    "receiver": one.receiver.name,
                    **({"matchers": _matchers(one.matchers)} if one.matchers else {}),
                    **({"muteTimeIntervals": muted} if muted else {}),
                    "continue": True,
                }
                for one in own
            ],
        }
        made["receivers"] = [
            {"name": NOBODY},
            *({"name": one.receiver.name, **_ways(one.receiver)} for one in own),
        ]
    if kept is not None:
        made["inhibitRules"] = [
            {
                "sourceMatch": _matchers(kept.source),
                "targetMatch": _matchers(kept.targets),
                "equal": list(kept.equal),
            }
        ]
    if own and muted:
        made["muteTimeIntervals"] = [
            {"name": window.name, "timeIntervals": [_interval(one) for one in intervals(window)]}
            for window in policy.spec.mute_windows
        ]
    return made


def _matchers(matchers: Sequence[Matcher]) -> list[dict[str, str]]:
    return [{"name": one.label, "value": one.value, "matchType": one.operator} for one in matchers]


def _interval(interval: Interval) -> dict[str, Any]:
    made: dict[str, Any] = {"times": [{"startTime": interval.begins, "endTime": interval.ends}]}
    return made | ({"weekdays": list(interval.days)} if interval.days else {})


def _ways(receiver: Receiver) -> dict[str, Any]:
    def secret(key: SecretKey) -> dict[str, str]:
        return {"name": key.name, "key": key.key}

    way: dict[str, Any] = {"sendResolved": receiver.send_resolved}
    if (email := receiver.email) is not None:
        way["to"] = ", ".join(email.to)
        way |= {"from": email.sender} if email.sender else {}
        way |= {"smarthost": email.smarthost} if email.smarthost else {}
        way |= {"authUsername": email.username} if email.username else {}
        way |= {"authPassword": secret(email.password)} if email.password else {}
        return {"emailConfigs": [way]}
    if (slack := receiver.slack) is not None:
        way["apiURL"] = secret(slack.url)
        way |= {"channel": slack.channel} if slack.channel else {}
        return {"slackConfigs": [way]}
    if receiver.pager_duty is not None:
        way["routingKey"] = secret(receiver.pager_duty.routing_key)
        return {"pagerdutyConfigs": [way]}
    webhook = receiver.webhook
    assert webhook is not None
    way |= {"url": webhook.url} if webhook.url else {}
    way |= {"urlSecret": secret(webhook.url_from)} if webhook.url_from else {}
    http: dict[str, Any] = {}
    if webhook.bearer_token is not None:
        http["authorization"] = {"credentials": secret(webhook.bearer_token)}
    if webhook.certificate_authority is not None:
        http["tlsConfig"] = {"ca": {"secret": secret(webhook.certificate_authority)}}
    return {"webhookConfigs": [way | ({"httpConfig": http} if http else {})]}
