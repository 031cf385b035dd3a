"""What an alert is called and what it says: templates of Prometheus, in which the alert's labels are filled in."""

from dataclasses import dataclass
from typing import Final

from memwarden_api.v1alpha1.alert_policy import AlertRule

_CONTAINER: Final = (
    "{{ $labels.kind }} {{ $labels.workload }}, container {{ $labels.container }}, "
    "in namespace {{ $labels.namespace }}"
)
_BYTES: Final = "{{ $value | humanize1024 }}B"
_PERCENT: Final = "{{ $value | humanizePercentage }}"


@dataclass(frozen=True, slots=True)
class Wording:
    """Name, and two annotations."""

    alert: str
    summary: str
    description: str


_VERDICTS: Final = {
    "Leaking": Wording(
        "MemwardenLeaking",
        f"Memory leaks: {_CONTAINER}",
        "Its memory grows and is not given back. The MemoryProfile's status names the line; "
        "`kubectl describe memprof` shows it.",
    ),
    "Growing": Wording(
        "MemwardenGrowing",
        f"Memory grows: {_CONTAINER}",
        "Its memory grows. Whether it leaks is not known yet; a verdict follows.",
    ),
    "CacheFilling": Wording(
        "MemwardenCacheFilling",
        f"A cache fills: {_CONTAINER}",
        "Its growth slows as that of a cache does. See whether the memory limit leaves room for all of it.",
    ),
    "Fragmented": Wording(
        "MemwardenFragmented",
        f"Memory is fragmented: {_CONTAINER}",
        "The process keeps memory that the program gave back. Its advice stands with the verdict.",
    ),
}


def wording(rule: AlertRule) -> Wording:
    if rule.verdict is not None:
        return _VERDICTS[rule.verdict]
    if rule.oom_within is not None:
        return Wording(
            "MemwardenOutOfMemorySoon",
            f"Out of memory within {rule.oom_within}: {_CONTAINER}",
            "It will meet its memory limit in {{ $value | humanizeDuration }}, if it goes on growing as it does.",
        )
    if rule.usage_above_ratio is not None:
        return Wording(
            "MemwardenMemoryNearLimit",
            f"Memory near its limit: {_CONTAINER}",
            f"{_PERCENT} of the memory limit are in use; told above {rule.usage_above_ratio:.0%}.",
        )
    if rule.growth_above is not None:
        return Wording(
            "MemwardenGrowthFast",
            f"Memory grows fast: {_CONTAINER}",
            f"It grows by {_BYTES} each hour; told above {rule.growth_above}.",
        )
    if rule.injection_missing is not None:
        return Wording(
            "MemwardenPodsNotInjected",
            "Pods are not watched: MemoryProfile {{ $labels.profile }} in namespace {{ $labels.namespace }}",
            "{{ $value }} pods that it selects are without probe and sidecar. Its status names them with the reason; "
            f"told from {rule.injection_missing} on.",
        )
    return Wording(
        "MemwardenNoData",
        "No data of watched pods: MemoryProfile {{ $labels.profile }} in namespace {{ $labels.namespace }}",
        "{{ $value }} injected pods send nothing to the collector, or, where no profile is named, Prometheus has no "
        f"series of it; told from {rule.data_missing} on.",
    )
