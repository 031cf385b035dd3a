"""What the status says of remediation, mode by mode, and what becomes of what is pending."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from memwarden_api import names
from memwarden_api.v1alpha1 import MemoryProfile
from memwarden_operator.controller.owners import Workload
from memwarden_operator.remediation.case import Case, Replicas
from memwarden_operator.remediation.decisions import Outcome, Remedied, decide, settled
from memwarden_operator.remediation.evidence import PATIENCE, Taken
from memwarden_operator.remediation.replicas import replicas_of
from remediation.cases import AROUND, NOW, case, pod, profile, share

EVERYTHING = case()
NEW, OLD, FOUR = {"updatedReplicas": 3}, {"updatedReplicas": 1}, {"updatedNumberScheduled": 4}


def decided(
    of: MemoryProfile, given: Case = EVERYTHING, at: Any = NOW, evidence: Taken | None = None
) -> Remedied:
    """`evidence`: of what is pending."""
    living = frozenset(one.uid for one in given.pods if not one.over)
    ids = [entry.pending.id for entry in of.status.actions if entry.pending is not None]
    return decide(of, [given], living, AROUND, at, dict.fromkeys(ids, evidence) if evidence else {})


def after(of: MemoryProfile, remedied: Remedied) -> MemoryProfile:
    return of.model_copy(update={"status": remedied.put_into(of.status)})


def pending(**rules: Any) -> MemoryProfile:
    """A profile that is about to send a pod away."""
    of = profile(**rules)
    return after(of, decided(of))


@pytest.mark.parametrize(
    ("mode", "recommends", "results", "acted", "pends"),
    [
        ("Off", False, [], 0, False),
        ("Recommend", True, [], 0, False),
        ("DryRun", True, ["WouldDo"], 1, False),
        ("Act", True, [], 0, True),
    ],
)
def test_a_mode_goes_as_far_as_it_says(
    mode: str, recommends: bool, results: list[str], acted: int, pends: bool
) -> None:
    said = decided(profile(mode=mode))
    assert bool(said.recommendations) == recommends
    assert [one.result for one in said.decisions] == results
    assert sum(len(entry.acted) for entry in said.actions) == acted
    assert [entry.pending is not None for entry in said.actions if entry.pending] == [True] * pends
    assert said.acts == (), "what is decided now is not done before it is written"


def test_a_dry_run_cools_down_as_the_act_would() -> None:
    of = profile(mode="DryRun")
    of = after(of, decided(of))
    again = decided(of)
    assert [one.reason for one in again.decisions] == [names.DECIDED, names.REFUSED_COOLDOWN]
    assert decided(after(of, again)).decisions == again.decisions, "told once"


def test_what_is_recommended_names_the_command_and_the_bytes() -> None:
    (advice,) = decided(profile(mode="Recommend")).recommendations
    assert (advice.workload, advice.kind) == ("Deployment/web", "Restart")
    assert "kubectl rollout restart deployment/web -n shop" in advice.message
    assert advice.bytes_at_stake == pytest.approx(3 * 1000 * 3600, rel=0.05)
    later = decided(after(profile(), Remedied((advice,), (), ())), at=NOW + timedelta(minutes=1))
    assert later.recommendations[0].since == advice.since


def test_what_is_pending_is_done_in_the_next_round() -> None:
    of = pending()
    (act,) = decided(of).acts
    assert act.pending.pod == "b"
    status = settled(of, [Outcome(act, "Done", names.DECIDED, "evicted")], NOW)
    assert [(one.pod, one.result) for one in status.remediations] == [("b", "Done")]
    (entry,) = status.actions
    assert (len(entry.acted), entry.pending) == (1, None)


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ("Blocked", names.REFUSED_DISRUPTION_BUDGET),
        ("Failed", names.REFUSED_NO_RIGHT),
        ("Failed", names.REFUSED_BY_SERVER),
    ],
)
def test_what_could_not_be_done_stays_pending_is_told_once_and_is_given_up(result: Any, reason: str) -> None:
    of = pending()
    (act,) = decided(of).acts
    blocked = Outcome(act, result, reason, "cannot evict")
    of = of.model_copy(update={"status": settled(of, [blocked], NOW)})
    assert settled(of, [blocked], NOW) == of.status
    assert decided(of).acts
    given_up = decided(of, at=NOW + timedelta(minutes=10, seconds=1))
    assert given_up.acts == ()
    told = [(one.result, one.reason) for one in given_up.decisions]
    assert told == [(result, reason), ("Refused", reason), ("Refused", names.REFUSED_STALE)]


@pytest.mark.parametrize(
    ("name", "given", "reason"),
    [
        ("it stopped to leak", case(shares=()), names.REFUSED_NO_LONGER),
        ("a rollout began", case(replicas=Replicas(3, 3, rolling=True)), names.REFUSED_ROLLOUT),
        ("another pod is leaving", case(pod("a", leaving=True), pod("b"), pod("c")), names.REFUSED_POD_LEAVING),
    ],
)  # fmt: skip
def test_what_is_pending_is_asked_again_before_it_is_done(name: str, given: Case, reason: str) -> None:
    said = decided(pending(), given)
    assert said.acts == (), name
    assert [one.reason for one in said.decisions] == [reason]
    assert not any(entry.pending for entry in said.actions)


def test_a_mode_that_is_no_longer_act_does_nothing_that_was_pending() -> None:
    of = pending()
    said = decided(of.model_copy(update={"spec": profile(mode="Recommend").spec}))
    assert said.acts == ()
    assert not any(entry.pending for entry in said.actions)


def test_a_restart_that_the_template_carries_was_done() -> None:
    of = pending(action="RolloutRestart")
    (entry,) = of.status.actions
    assert entry.pending is not None
    assert entry.pending.pod == ""
    carried = case(replicas=Replicas(3, 3, rolling=True, restarted=entry.pending.id))
    said = decided(of, carried)
    assert [one.result for one in said.decisions] == ["Done", "Refused"]
    assert said.decisions[1].reason == names.REFUSED_ROLLOUT
    assert len(said.actions[0].acted) == 1


def test_a_pod_whose_owner_is_not_known_yet_is_not_gone() -> None:
    of = pending()
    unknown = replace(EVERYTHING, pods=())
    living = frozenset(one.uid for one in EVERYTHING.pods)
    said = decide(of, [unknown], living, AROUND, NOW)
    assert (said.acts, said.decisions) == ((), ())
    assert said.actions == of.status.actions


def test_the_last_ten_decisions_are_kept_and_what_budgets_count_beside() -> None:
    of = profile(mode="DryRun", limits={"cooldown": "10s", "maxPerHour": 20})
    for minute in range(12):
        of = after(of, decided(of, at=NOW + timedelta(seconds=11 * minute)))
    assert len(of.status.remediations) == 10
    assert len(of.status.actions[0].acted) == 12


def test_of_more_than_ten_workloads_refusals_are_told_once_too() -> None:
    works = [Workload("shop", "Job", f"report-{number:02}") for number in range(12)]
    cases = [
        replace(EVERYTHING, workload=one, verdicts=(replace(EVERYTHING.verdicts[0], workload=one),))
        for one in works
    ]
    living = frozenset(one.uid for one in EVERYTHING.pods)
    of = profile()
    said = decide(of, cases, living, AROUND, NOW)
    assert [one.workload for one in said.decisions] == [one.label for one in works[:10]]
    assert decide(after(of, said), cases, living, AROUND, NOW).decisions == said.decisions
    healed = decide(after(of, said), cases[1:], living, AROUND, NOW)
    assert [one.workload for one in healed.decisions] == [one.label for one in works[1:11]], "there is room"


def test_what_no_longer_counts_is_forgotten() -> None:
    of = profile(mode="DryRun")
    of = after(of, decided(of))
    assert decided(of, case(shares=(share("a", said="Healthy"),)), NOW + timedelta(hours=25)).actions == ()


@pytest.mark.parametrize(
    ("kind", "spec", "status", "expected"),
    [
        ("Deployment", {"replicas": 3}, {"replicas": 3, **NEW, "readyReplicas": 2}, Replicas(3, 2, False)),
        ("Deployment", {"replicas": 3}, {"replicas": 4, **OLD, "readyReplicas": 3}, Replicas(3, 3, True)),
        ("Deployment", {"replicas": 3}, {"replicas": 4, **NEW, "readyReplicas": 3}, Replicas(3, 3, True)),
        ("StatefulSet", {}, {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1}, Replicas(1, 1, False)),
        ("ReplicaSet", {"replicas": 2}, {"replicas": 2, "readyReplicas": 2}, Replicas(2, 2, False)),
        ("DaemonSet", {}, {"desiredNumberScheduled": 5, "numberReady": 5, **FOUR}, Replicas(5, 5, True)),
    ],
)  # fmt: skip
def test_what_a_workload_says_of_its_pods(
    kind: str, spec: dict[str, Any], status: dict[str, Any], expected: Replicas
) -> None:
    metadata = {"generation": 2}
    seen = {"metadata": metadata, "spec": spec, "status": status | {"observedGeneration": 2}}
    assert replicas_of(kind, seen) == expected
    unseen = {"metadata": metadata, "spec": spec, "status": status | {"observedGeneration": 1}}
    assert replicas_of(kind, unseen).rolling, "what is newer than its status may be a rollout"


# ── Evidence ─────────────────────────────────────────────────────────────────────────────────────────────
COMES = Taken("shop-1", "Capturing")
THERE = Taken("shop-1", "Done", "/api/v1/evidence/1/recording")
NONE = Taken("shop-1", "Refused", why="NoHeadroom: 3 MiB left")
LATE = NOW + PATIENCE + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("wanted", "evidence", "at", "step"),
    [
        ("Off", None, NOW, "acts"),
        ("Required", None, NOW, "takes"),
        ("Required", COMES, NOW, "waits"),
        ("Required", THERE, NOW, "acts"),
        ("Required", THERE, LATE, "acts"),
        ("Required", NONE, NOW, "refuses"),
        ("Required", replace(NONE, phase="Failed"), NOW, "refuses"),
        ("Required", COMES, LATE, "refuses"),
        ("Required", None, LATE, "refuses"),
        ("BestEffort", None, NOW, "takes"),
        ("BestEffort", COMES, NOW, "waits"),
        ("BestEffort", THERE, NOW, "acts"),
        ("BestEffort", NONE, NOW, "acts without"),
        ("BestEffort", COMES, LATE, "acts without"),
        ("BestEffort", None, LATE, "acts without"),
    ],
)
def test_what_is_done_by_the_evidence_that_there_is(
    wanted: str, evidence: Taken | None, at: Any, step: str
) -> None:
    of = pending(captureEvidence=wanted)
    said = decided(of, at=at, evidence=evidence)
    (entry,) = said.actions
    assert entry.pending is not None
    assert said.waits == (step == "waits")
    if step in ("waits", "refuses"):
        assert said.acts == ()
    else:
        (act,) = said.acts
        assert act.take == (step == "takes")
        assert bool(act.without) == (step == "acts without")
    assert [one.reason for one in said.decisions] == [names.REFUSED_EVIDENCE] * (step == "refuses")


def test_what_is_refused_for_want_of_evidence_is_told_once_and_decided_anew_later() -> None:
    of = pending(captureEvidence="Required")
    of = after(of, decided(of, evidence=NONE))
    (told,) = of.status.remediations
    assert (told.result, told.reason) == ("Refused", names.REFUSED_EVIDENCE)
    assert "NoHeadroom" in told.message
    assert told.evidence is not None
    assert told.evidence.snapshot == "shop-1"
    (before,) = of.status.actions
    again = decided(of, evidence=NONE)
    assert (again.decisions, again.actions) == (of.status.remediations, of.status.actions)
    fresh = case(
        verdicts=tuple(replace(one, judged_at=NOW + timedelta(minutes=11)) for one in EVERYTHING.verdicts)
    )
    fresh = replace(
        fresh,
        verdicts=tuple(
            replace(one, shares=tuple(replace(each, last_sample_at=one.judged_at) for each in one.shares))
            for one in fresh.verdicts
        ),
    )
    later = decided(of, fresh, at=NOW + timedelta(minutes=11), evidence=NONE)
    (entry,) = later.actions
    assert entry.pending is not None
    assert before.pending is not None
    assert entry.pending.id != before.pending.id, "another one is asked for"
    assert later.decisions == of.status.remediations


def test_a_decision_names_its_evidence_whoever_finds_it_done() -> None:
    of = pending(captureEvidence="Required")
    (act,) = decided(of, evidence=THERE).acts
    status = settled(of, [Outcome(act, "Done", names.DECIDED, "evicted")], NOW)
    gone = case(pod("a"), pod("c"), shares=())
    for told in (*status.remediations, *decided(of, gone, evidence=THERE).decisions):
        assert told.result == "Done"
        assert told.evidence is not None
        assert (told.evidence.snapshot, told.evidence.path) == (THERE.snapshot, THERE.path)
