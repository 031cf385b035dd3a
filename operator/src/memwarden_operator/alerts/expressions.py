"""A rule of a policy as PromQL over the collector's series: docs/reference/metrics.md.

Series of several collectors say the same, so each expression keeps one of them by `max`. Series that a rule reads carry
the namespace of what is watched: `honorLabels` is needed where Prometheus gives its targets such a label of its own.
"""

import json
from collections.abc import Sequence
from typing import Final

from memwarden_api import names
from memwarden_api.quantities import duration_seconds, memory_bytes
from memwarden_api.v1alpha1.alert_policy import AlertRule

BY_CONTAINER: Final = ("namespace", "profile", "kind", "workload", "container")
BY_PROFILE: Final = ("namespace", "profile")


def expression(rule: AlertRule, namespace: str, profiles: Sequence[str]) -> str:
    """What is not empty while the alert is to fire."""

    def series(name: str, **labels: str) -> str:
        return f"{name}{{{_matchers(namespace, profiles, labels)}}}"

    def pods(state: str) -> str:
        return f"max by ({', '.join(BY_PROFILE)}) ({series(names.PROMETHEUS_PROFILE_PODS, state=state)})"

    by = f"max by ({', '.join(BY_CONTAINER)})"
    if rule.verdict is not None:
        return f"{by} ({series(names.PROMETHEUS_VERDICT, verdict=rule.verdict)}) == 1"
    if rule.oom_within is not None:
        forecast = series(names.PROMETHEUS_FORECAST, quantile="0.5")
        return f"{by} ({forecast}) < {_number(duration_seconds(rule.oom_within))}"
    if rule.usage_above_ratio is not None:
        return f"{by} ({series(names.PROMETHEUS_USAGE)}) > {_number(rule.usage_above_ratio)}"
    if rule.growth_above is not None:
        return f"{by} ({series(names.PROMETHEUS_GROWTH)}) * 3600 > {memory_bytes(rule.growth_above)}"
    if rule.injection_missing is not None:
        return f"{pods('matched')} - {pods('injected')} >= {rule.injection_missing}"
    known = series(names.PROMETHEUS_PROFILE_PODS, state="injected")
    return f"{pods('injected')} - {pods('reporting')} >= {rule.data_missing} or max by (namespace) (absent({known}))"


def _matchers(namespace: str, profiles: Sequence[str], labels: dict[str, str]) -> str:
    made = [f"namespace={quoted(namespace)}"]
    if len(profiles) == 1:
        made.append(f"profile={quoted(profiles[0])}")
    elif profiles:
        made.append(f"profile=~{quoted('|'.join(map(literally, sorted(profiles))))}")
    return ",".join([*made, *(f"{name}={quoted(value)}" for name, value in labels.items())])


def quoted(text: str) -> str:
    """A string of PromQL, and of Alertmanager's matchers: both read what JSON writes."""
    return json.dumps(text, ensure_ascii=False)


def literally(text: str) -> str:
    """A regular expression of RE2 that matches nothing but the text."""
    return "".join(f"\\{one}" if one.isascii() and not one.isalnum() else one for one in text)


def _number(value: float) -> str:
    return repr(int(value)) if value == int(value) else repr(value)
