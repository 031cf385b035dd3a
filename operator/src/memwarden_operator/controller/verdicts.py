"""What the collector says of workloads, as the controller keeps it: trimmed, by workload, bounded."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from memwarden_api.report import Forecast, VerdictName
from memwarden_api.workloads import Workload as Told
from memwarden_api.workloads import WorkloadScope
from memwarden_operator.controller.owners import Workload

LEAKING = "Leaking"
TOLD_BY_POD: Final = frozenset(("Leaking", "Growing", "Fragmented", "CacheFilling"))
"""Verdicts of which it is kept whose pods they are about."""
MOST_SECONDS: Final = 10 * 365 * 86_400
"""A forecast beyond ten years is none, and no date."""


@dataclass(frozen=True, slots=True)
class Share:
    """One pod's part in a verdict on its workload's container."""

    pod_uid: str
    verdict: VerdictName
    usage_ratio: float | None
    growth_bytes_per_second: float | None
    meets_limit_at: datetime | None
    """As likely before as after."""
    first_seen: datetime
    last_sample_at: datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one container of one workload."""

    workload: Workload
    container: str
    runtime: str
    verdict: VerdictName
    headline: str
    at_risk: bool
    confidence: float
    since: datetime | None
    growth_bytes_per_second: float | None
    oom_forecast_seconds: Forecast | None
    leak: str
    site: str
    judged_at: datetime
    containers: int
    """That live, as the collector sees it."""
    reported: frozenset[str]
    """Uids of its pods that data came from."""
    shares: tuple[Share, ...] = ()
    """Of pods that are not healthy."""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.workload.kind, self.workload.name, self.container


def trimmed(told: Told) -> Verdict:
    """Without what the controller never asks."""
    return Verdict(
        workload=Workload(told.namespace, told.kind, told.name),
        container=told.container,
        runtime=told.runtime,
        verdict=told.verdict,
        headline=told.headline,
        at_risk=told.at_risk,
        confidence=told.confidence,
        since=told.since,
        growth_bytes_per_second=told.growth_bytes_per_second,
        oom_forecast_seconds=told.oom_forecast_seconds,
        leak=told.leak or "",
        site=f"{told.site.file}:{told.site.line}" if told.site else "",
        judged_at=told.judged_at,
        containers=told.scope_count,
        reported=frozenset(scope.pod_uid for scope in told.scopes if scope.pod_uid),
        shares=tuple(
            _share(scope) for scope in told.scopes if scope.pod_uid and scope.verdict in TOLD_BY_POD
        ),
    )


def _share(scope: WorkloadScope) -> Share:
    forecast = scope.oom_forecast_seconds
    soon = forecast is not None and forecast.p50 < MOST_SECONDS
    return Share(
        pod_uid=scope.pod_uid,
        verdict=scope.verdict,
        usage_ratio=scope.usage_ratio,
        growth_bytes_per_second=scope.growth_bytes_per_second,
        meets_limit_at=scope.last_sample_at + timedelta(seconds=max(forecast.p50, 0.0))
        if forecast is not None and soon
        else None,
        first_seen=scope.first_seen,
        last_sample_at=scope.last_sample_at,
    )


class Verdicts:
    """The last word on each workload in a cluster."""

    def __init__(self, limit: int = 20_000) -> None:
        self._limit = limit
        self.left_out = 0
        self._by_namespace: dict[str, dict[tuple[str, str, str], Verdict]] = {}
        self._count = 0

    def put(self, verdict: Verdict) -> bool:
        """Keep it, if there is room; whether pods report that were not known to."""
        there = self._by_namespace.setdefault(verdict.workload.namespace, {})
        before = there.get(verdict.key)
        if before is None:
            if self._count >= self._limit:
                self.left_out += 1
                return False
            self._count += 1
        there[verdict.key] = verdict
        return not verdict.reported <= (before.reported if before is not None else frozenset())

    def of(self, namespace: str) -> Iterator[Verdict]:
        yield from self._by_namespace.get(namespace, {}).values()

    def clear(self) -> None:
        """Everything is told anew."""
        self._by_namespace, self._count = {}, 0

    def __len__(self) -> int:
        return self._count
