"""Policies for tests, as users write them."""

from typing import Any

import yaml

from memwarden_api.v1alpha1 import MemoryAlertPolicy

EACH_RULE = yaml.safe_load("""
- {name: leaks, verdict: Leaking, severity: Critical, for: 1m, runbookUrl: "https://runbooks.example/leaks"}
- {name: grows, verdict: Growing, severity: Info, for: 0s}
- {name: fills, verdict: CacheFilling, for: 0s}
- {name: holes, verdict: Fragmented, for: 0s}
- {name: soon-out, oomWithin: 30m, severity: Critical, for: 2m}
- {name: full, usageAboveRatio: 0.9, for: 2m}
- {name: fast, growthAbove: 10Mi, for: 2m}
- {name: missing, injectionMissing: 2, for: 0s}
- {name: silent, dataMissing: 1, for: 10m}
""")
EACH_RECEIVER = yaml.safe_load("""
- {name: team, existing: {name: team A}}
- name: mail
  email:
    to: [team@shop.example, lead@shop.example]
    from: memwarden@shop.example
    smarthost: "mail.example:587"
    username: memwarden
    password: {name: mail, key: password}
- {name: chat, slack: {url: {name: chat, key: url}, channel: "#shop"}, sendResolved: false}
- {name: pager, pagerDuty: {routingKey: {name: pager, key: key}}, severities: [Critical]}
- name: sms
  webhook:
    url: https://sms.example/send
    bearerToken: {name: sms, key: token}
    certificateAuthority: {name: sms, key: ca.crt}
  severities: [Warning, Critical]
""")
WINDOWS = yaml.safe_load("""
- {name: weekend, days: [Saturday, Sunday]}
- {name: night, days: [Monday, Sunday], from: "22:00", to: "06:00"}
""")


def policy(
    rules: list[dict[str, Any]] | None = None, name: str = "shop", namespace: str = "shop", **spec: Any
) -> MemoryAlertPolicy:
    return MemoryAlertPolicy.model_validate(
        {
            "metadata": {"name": name, "namespace": namespace, "uid": "4711", "generation": 1},
            "spec": {"rules": EACH_RULE if rules is None else rules, **spec},
        }
    )


def everything() -> MemoryAlertPolicy:
    return policy(receivers=EACH_RECEIVER, muteWindows=WINDOWS, profiles=["shop", "jobs.nightly"])
