"""Random histories of a cluster: whatever happens in whatever order, what must never be touched is not.

Two workloads of one profile live through events: pods leak, go, come back, the collector falls silent, a rollout
begins, writes of the status are refused, a controller dies between doing and writing. All that the controller keeps is
in the status, so a step is a step of whichever controller it is. Each touch is checked when it is done. Evidence is
asked for by whoever finds that it was not; it comes, or it does not.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memwarden_api.v1alpha1 import MemoryProfile
from memwarden_api.v1alpha1.heap_snapshot import Phase
from memwarden_api.v1alpha1.remediation import CaptureEvidence
from memwarden_operator.controller.observed import Collector
from memwarden_operator.controller.owners import Workload
from memwarden_operator.controller.pods import Pod
from memwarden_operator.remediation import ledger
from memwarden_operator.remediation.case import Around, Case, Replicas
from memwarden_operator.remediation.decisions import Act, Outcome, decide, settled
from memwarden_operator.remediation.evidence import Taken
from remediation.cases import AROUND, NOW, case, pod, profile, share, verdict

MINIMUM, PER_HOUR, CLUSTER = 2, 2, 3
EVENTS = (
    "minute", "ten minutes", "leak", "leak", "all leak", "heal", "come", "come", "collector", "stale", "rollout",
    "blocked", "failing", "decide", "decide", "decide", "decide", "conflict", "dies", "dies before", "evidence",
    "evidence", "evidence", "no evidence", "no right",
)  # fmt: skip


@dataclass
class Shop:
    """One workload as it really is."""

    kind: str
    pods: list[Pod]
    made: int = 0
    leaking: set[str] = field(default_factory=set)
    rolling: bool = False
    touched: list[datetime] = field(default_factory=list)

    @property
    def work(self) -> Workload:
        return Workload("shop", self.kind, "web")

    def ready(self) -> int:
        return sum(1 for one in self.pods if one.ready and not one.leaving)


class Cluster:
    """It and a controller, event by event."""

    def __init__(self, wanted: CaptureEvidence) -> None:
        self.now = NOW
        limits = {"maxPerHour": PER_HOUR, "cooldown": "10s", "breaker": {"returns": 10}}
        self.profile = profile(limits=limits, captureEvidence=wanted)
        self.wanted = wanted
        self.evidence: dict[str, Taken] = {}
        self.no_right = False
        self.shops = [
            Shop(kind, [pod(f"{kind.lower()}-{number}") for number in range(3)])
            for kind in ("Deployment", "StatefulSet")
        ]
        self.collector = True
        self.stale = False
        self.blocked = False
        self.failing = False
        self.touches = 0

    def happen(self, event: str) -> None:
        first, *_ = self.shops
        match event:
            case "minute":
                self.now += timedelta(minutes=1)
            case "ten minutes":
                self.now += timedelta(minutes=10)
            case "leak":
                first.leaking |= {one.uid for one in first.pods[:1]}
            case "all leak":
                for shop in self.shops:
                    shop.leaking = {one.uid for one in shop.pods}
            case "heal":
                first.leaking.clear()
            case "come":
                for shop in self.shops:
                    self._come(shop)
            case "collector":
                self.collector = not self.collector
            case "stale":
                self.stale = not self.stale
            case "rollout":
                first.rolling = not first.rolling
            case "blocked":
                self.blocked = not self.blocked
            case "failing":
                self.failing = not self.failing
            case "evidence":
                self._comes("Done")
            case "no evidence":
                self._comes("Failed")
            case "no right":
                self.no_right = not self.no_right
            case _:
                self._controller(event)

    def _comes(self, phase: Phase) -> None:
        """What is being taken is over."""
        for id, one in self.evidence.items():
            if one.phase == "Capturing":
                self.evidence[id] = replace(one, phase=phase)

    def _come(self, shop: Shop) -> None:
        """Pods that left are gone, others come instead and are ready a step later."""
        shop.pods = [replace(one, ready=True) for one in shop.pods if not one.leaving]
        while len(shop.pods) < 3:
            shop.made += 1
            age = (NOW - self.now).total_seconds()
            name = f"{shop.kind.lower()}-new-{shop.made}"
            shop.pods.append(replace(pod(name, age=age), ready=False))

    def _controller(self, event: str) -> None:
        cases = [self._case(shop) for shop in self.shops]
        living = frozenset(one.uid for shop in self.shops for one in shop.pods if not one.over)
        remedied = decide(self.profile, cases, living, self._around(), self.now, self.evidence)
        after = remedied.put_into(self.profile.status)
        if after != self.profile.status:
            if (
                event != "conflict"
            ):  # else somebody else wrote meanwhile: nothing of it is there, nothing is done
                self._write(after)
            return
        if event == "dies before":
            return
        outcomes = [outcome for act in remedied.acts if (outcome := self._do(act))]
        if event == "decide" and outcomes:
            self._write(settled(self.profile, outcomes, self.now))

    def _write(self, status: object) -> None:
        self.profile = MemoryProfile.from_cluster(
            self.profile.model_copy(update={"status": status}).to_cluster()
        )

    def _do(self, act: Act) -> Outcome | None:
        if act.take and not self.no_right:
            assert act.pending.id not in self.evidence, "asked for twice"
            self.evidence[act.pending.id] = Taken("evidence", "Capturing")
            return None
        if self.wanted == "Required":
            if act.take:
                return Outcome(act, "Refused", "EvidenceNotToBeHad", "no right")
            assert self.evidence[act.pending.id].phase == "Done", "there is no evidence"
        return self._touch(act.case.workload, act.pending.pod_uid, act)

    def _touch(self, work: Workload, uid: str, act: Act) -> Outcome:
        shop = next(one for one in self.shops if one.work == work)
        there = next((one for one in shop.pods if one.uid == uid), None)
        if there is None or there.leaving:
            return Outcome(act, "Done", "ConditionsHold", "gone")
        if self.failing:
            return Outcome(act, "Failed", "EvictionFails", "no")
        if self.blocked:
            return Outcome(act, "Blocked", "DisruptionBudget", "no")
        self._is_allowed(shop, there)
        shop.pods[shop.pods.index(there)] = replace(there, leaving=True, ready=False)
        shop.touched.append(self.now)
        self.touches += 1
        return Outcome(act, "Done", "ConditionsHold", "evicted")

    def _is_allowed(self, shop: Shop, there: Pod) -> None:
        assert there.uid in shop.leaking, "it does not leak"
        assert self.collector, "the collector is away"
        assert not self.stale, "the data are old"
        assert not shop.rolling, "a rollout is in progress"
        assert not any(one.leaving for one in shop.pods), "two pods of one workload at once"
        assert shop.ready() == len(shop.pods) >= MINIMUM, "fewer are ready than must be"
        hour = self.now - ledger.HOUR
        assert sum(1 for at in shop.touched if at > hour) < PER_HOUR, "the workload's budget"
        assert sum(1 for one in self.shops for at in one.touched if at > hour) < CLUSTER, (
            "the cluster's budget"
        )

    def _case(self, shop: Shop) -> Case:
        at = self.now - timedelta(minutes=6 if self.stale else 0)
        shares = tuple(
            replace(share(one.name), last_sample_at=at) for one in shop.pods if one.uid in shop.leaking
        )
        said = replace(verdict(*shares, workload=shop.work), judged_at=at)
        replicas = Replicas(len(shop.pods), shop.ready(), shop.rolling)
        return replace(case(*shop.pods, verdicts=(said,), replicas=replicas), workload=shop.work)

    def _around(self) -> Around:
        spent = sum(
            ledger.within_hour(ledger.counted(entry, dry_run=False), self.now) + (entry.pending is not None)
            for entry in self.profile.status.actions
        )
        collector = Collector(self.collector, self.now)
        return replace(AROUND, collector=collector, cluster_left=max(CLUSTER - spent, 0))


WANTED = st.sampled_from(("Required", "BestEffort", "Off"))
HISTORY = st.lists(st.sampled_from(EVENTS), min_size=1, max_size=60)


def live_through(history: list[str], wanted: CaptureEvidence = "Off") -> Cluster:
    cluster = Cluster(wanted)
    for event in history:
        cluster.happen(event)
    return cluster


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(HISTORY, WANTED)
def test_no_history_makes_it_touch_what_it_must_not(history: list[str], wanted: CaptureEvidence) -> None:
    live_through(history, wanted)


@pytest.mark.nightly
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(HISTORY, WANTED)
def test_not_in_ten_thousand_histories_either(history: list[str], wanted: CaptureEvidence) -> None:
    live_through(history, wanted)


def test_histories_do_touch_pods() -> None:
    """Else the ones above would prove nothing."""
    history = ["all leak", *["decide"] * 3, "minute", "come", "come"] * 3
    assert live_through(history).touches == CLUSTER
    comes = ["all leak", "decide", "decide", "evidence", "decide", "decide", "minute", "come", "come"] * 3
    assert live_through(comes, "Required").touches == CLUSTER
    fails = ["no evidence" if event == "evidence" else event for event in comes]
    assert live_through(fails, "Required").touches == 0
    assert live_through(fails, "BestEffort").touches == CLUSTER


def test_evidence_that_came_before_the_controller_died_is_found_by_the_next() -> None:
    cluster = live_through(["leak", "decide", "decide", "evidence", "dies before", "decide"], "Required")
    assert (cluster.touches, len(cluster.evidence)) == (1, 1)


def test_what_is_pending_is_done_once_by_whoever_comes() -> None:
    cluster = live_through(["leak", "decide", "dies"])  # touched, and dead before it was written
    assert cluster.touches == 1
    cluster.happen("decide")
    [entry] = cluster.profile.status.actions
    assert entry.pending is None
    assert len(entry.acted) == 1
    assert [one.result for one in cluster.profile.status.remediations] == ["Done"]
    assert cluster.touches == 1


def test_what_failed_is_tried_again_and_done_once() -> None:
    cluster = live_through(["leak", "failing", *["decide"] * 4, "failing", *["decide"] * 4])
    assert cluster.touches == 1
    assert [one.result for one in cluster.profile.status.remediations] == ["Failed", "Done"]


def test_what_dies_before_it_is_done_is_done_by_the_next() -> None:
    cluster = live_through(["leak", "decide", "dies before", "decide"])
    assert cluster.touches == 1
    assert [one.result for one in cluster.profile.status.remediations] == ["Done"]
