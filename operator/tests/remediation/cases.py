"""Profiles, pods, verdicts and workloads for what is asked of remediation."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from memwarden_api import names
from memwarden_api.v1alpha1 import MemoryProfile, MemoryProfileSpec
from memwarden_api.v1alpha1.remediation import Acted, WorkloadActions
from memwarden_operator.controller.observed import Collector, Missed
from memwarden_operator.controller.owners import Workload
from memwarden_operator.controller.pods import Container, Pod, Reference
from memwarden_operator.controller.verdicts import Share, Verdict
from memwarden_operator.remediation.bringing_in import TO_INJECT
from memwarden_operator.remediation.case import Action, Around, Case, Replicas
from memwarden_operator.remediation.plan import plan

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)  # a Sunday
AROUND = Around(
    switched_on=True, collector=Collector(True, NOW - timedelta(hours=1)), injector="", cluster_left=10
)
WEB = Workload("shop", "Deployment", "web")


def profile(
    status: dict[str, Any] | None = None, missed_pods: str = "Report", **remediation: Any
) -> MemoryProfile:
    return MemoryProfile.from_cluster(
        {
            "metadata": {"name": "shop", "namespace": "shop", "uid": "p1", "generation": 1},
            "spec": {
                "remediation": {"mode": "Act", "captureEvidence": "Off"} | remediation,
                "injection": {"missedPods": missed_pods},
            },
            "status": status or {},
        }
    )


def pod(name: str, age: float = 7200, **given: Any) -> Pod:
    made = Pod(
        namespace="shop", name=name, uid=f"uid-{name}", profile="shop", version="v1",
        owner=Reference("apps/v1", "ReplicaSet", "web-1", "rs"), created_at=NOW - timedelta(seconds=age),
        phase="Running", leaving=False, ready=True, ready_at=NOW,
        containers=(Container("app", "web:1", 0, True, "", "", None),),
    )  # fmt: skip
    return replace(made, **given)


def share(
    name: str, usage: float | None = 0.9, *, said: Any = "Leaking", oom: float | None = 600, age: float = 0
) -> Share:
    """`oom`: seconds until the limit is met; `age`: of its newest sample."""
    return Share(
        pod_uid=f"uid-{name}", verdict=said, usage_ratio=usage, growth_bytes_per_second=1000.0,
        meets_limit_at=NOW + timedelta(seconds=oom) if oom is not None else None,
        first_seen=NOW - timedelta(hours=1), last_sample_at=NOW - timedelta(seconds=age),
    )  # fmt: skip


def verdict(*shares: Share, workload: Workload = WEB, confidence: float = 0.9, age: float = 0) -> Verdict:
    return Verdict(
        workload=workload, container="app", runtime="cpython 3.13.1", verdict="Leaking",
        headline="orders.py keeps every order", at_risk=True, confidence=confidence, since=None,
        growth_bytes_per_second=1000.0, oom_forecast_seconds=None, leak="leak-1", site="",
        judged_at=NOW - timedelta(seconds=age), containers=len(shares), reported=frozenset(), shares=shares,
    )  # fmt: skip


def missed(name: str = "late", version: str = "v1", age: float = 600) -> Missed:
    """A pod that the injector did not see, and would change."""
    made = NOW - timedelta(seconds=age)
    about = Reference("apps/v1", "Deployment", "web", "uid-web")
    return Missed(
        name, names.MISSED_NOT_SEEN, "it was not seen", about, f"uid-{name}", version, made, curable=True
    )


def case(
    *pods: Pod, shares: tuple[Share, ...] | None = None, replicas: Replicas | None = None, **given: Any
) -> Case:
    """Of a Deployment of three that all leak, b the most, if nothing else is said."""
    members = pods or (pod("a"), pod("b"), pod("c"))
    usage = {"a": 0.8, "b": 0.95, "c": 0.9}
    said = (
        shares if shares is not None else tuple(share(one.name, usage.get(one.name, 0.9)) for one in members)
    )
    made = Case(
        WEB,
        Reference("apps/v1", "Deployment", "web", "uid-web"),
        (verdict(*said),),
        members,
        replicas or Replicas(len(members), len(members), rolling=False),
    )
    return replace(made, **given)


@dataclass(frozen=True)
class Row:
    """What is the case, and what is decided: "pod NAME" that goes, "rollout for NAME" that was missed, the reason why
    neither, or None: nothing is told."""

    name: str
    expected: str | None
    of: Case = field(default_factory=case)
    rules: dict[str, Any] = field(default_factory=dict)
    around: Around = AROUND
    done: tuple[Acted, ...] = ()

    def decided(self, spec: MemoryProfileSpec) -> str | None:
        """In the words of `expected`."""
        label = self.of.workload.label
        entries = {label: WorkloadActions(workload=label, acted=self.done)}
        said = plan([self.of], spec, self.around, entries, NOW)
        if not said:
            return None
        [one] = said
        if isinstance(one, Action):
            return f"{'rollout for' if one.action == TO_INJECT else 'pod'} {one.pod.name}"
        assert one.message
        return one.reason
