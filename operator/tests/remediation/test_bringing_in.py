"""Pods that the injector missed come back by one rollout of their workload: when, when not, and never again."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from memwarden_api import names
from memwarden_api.v1alpha1 import MemoryProfile
from memwarden_api.v1alpha1.remediation import Acted, WorkloadActions
from memwarden_operator.controller.missed import Namespace
from memwarden_operator.controller.observed import Collector
from memwarden_operator.controller.owners import Workload
from memwarden_operator.injector.profile import Profile
from memwarden_operator.remediation.bringing_in import SETTLES, TO_INJECT
from memwarden_operator.remediation.case import Action, Case, Replicas, Template
from memwarden_operator.remediation.decisions import Outcome, Remedied, decide, settled
from memwarden_operator.remediation.plan import plan
from memwarden_operator.remediation.replicas import replicas_of, template_of
from remediation.cases import AROUND, NOW, WEB, Row, case, missed, pod, profile, share

THREE = Replicas(3, 3, rolling=False)


def lacking(*injected: Any, replicas: Replicas = THREE, **given: Any) -> Case:
    """Of three pods one was missed, if nothing else is said; none leaks."""
    members = injected or (pod("a"), pod("b"))
    usual: dict[str, Any] = {"missed": (missed(),), "template": Template("t1")}
    return case(*members, shares=(), replicas=replicas, **usual | given)


def none_injected(**given: Any) -> Case:
    return replace(lacking(**given), pods=())


def ago(**since: float) -> Acted:
    return Acted(time=NOW - timedelta(**since), decided=NOW - timedelta(**since), injects=True)


def row(name: str, expected: str | None, of: Case | None = None, **given: Any) -> Row:
    """Whose case is `lacking()`, if nothing else is said."""
    return Row(name, expected, of or lacking(), **given)


DONE = Replicas(3, 3, rolling=False, restarted="t1-1")
JOB = replace(lacking(), workload=Workload("shop", "Job", "report"))
NIGHT: dict[str, Any] = {"limits": {"windows": [{"start": "22:00", "end": "06:00"}]}}
OFTEN: dict[str, Any] = {"limits": {"cooldown": "10s", "maxPerHour": 20}}
AWAY = Collector(False, NOW - timedelta(hours=1), "connection refused")

CASES = (
    row("one was missed", "rollout for late"),
    row("all were", "rollout for late", none_injected()),
    row("none was", None, lacking(missed=(), template=None)),
    row("they are to be reported alone", None, rules={"missed_pods": "Report"}),
    row("nothing is to be done about leaks", "rollout for late", rules={"mode": "Off"}),
    row("the collector is away: no verdict is asked for", "rollout for late", around=replace(AROUND, collector=AWAY)),
    row("a leak is decided on first", names.REFUSED_KIND, replace(JOB, verdicts=case().verdicts, pods=case().pods)),
    # Guards
    row("not switched on", names.REFUSED_NOT_SWITCHED_ON, around=replace(AROUND, switched_on=False)),
    row("a Job", names.REFUSED_KIND, JOB),
    row("injection of it is stopped", names.REFUSED_INJECTION_STOPPED, lacking(injection_stopped=True)),
    row("the injector is away", names.REFUSED_INJECTOR, around=replace(AROUND, injector="it does not answer")),
    row("the workload can't be read", names.REFUSED_UNKNOWN_STATE, replace(lacking(), replicas=None)),
    row("nobody makes its pods anew", names.REFUSED_STRATEGY, lacking(replicas=replace(THREE, held="OnDelete"))),
    row("somebody's rollout", names.REFUSED_ROLLOUT, lacking(replicas=replace(THREE, rolling=True))),
    row("a pod leaves", names.REFUSED_POD_LEAVING, lacking(pod("a", leaving=True))),
    row("one is not ready", names.REFUSED_TOO_FEW, lacking(replicas=Replicas(3, 2, rolling=False))),
    row("outside the window", names.REFUSED_WINDOW, rules=NIGHT),
    row("its template says no", names.REFUSED_TEMPLATE, lacking(template=Template("t1", "it is labelled false"))),
    row("cooling down", names.REFUSED_COOLDOWN, done=(ago(minutes=29),)),
    row("the hour is spent", names.REFUSED_BUDGET, rules={"limits": {"cooldown": "10s", "maxPerHour": 1}},
        done=(ago(minutes=30),)),
    row("the cluster's hour is spent", names.REFUSED_CLUSTER_BUDGET, around=replace(AROUND, cluster_left=0)),
    # Never again
    row("it is under way", None, lacking(replicas=replace(DONE, rolling=True))),
    row("its pods came back without us", names.REFUSED_NO_HELP, none_injected(replicas=DONE)),
    row("however long ago", names.REFUSED_NO_HELP, none_injected(replicas=DONE), done=(ago(days=30),)),
    row("those with us are of another version", names.REFUSED_NO_HELP, lacking(pod("a", version="v0"), replicas=DONE)),
    row("another template, since", "rollout for late", none_injected(replicas=DONE, template=Template("t2"))),
    row("a restart that was for a leak", "rollout for late", none_injected(replicas=replace(DONE, restarted="t1"))),
    row("of this very template others are injected", "rollout for late", lacking(replicas=DONE)),
    row("too often within a day", names.REFUSED_NO_HELP, lacking(replicas=DONE), rules=OFTEN,
        done=(ago(hours=20), ago(hours=10), ago(hours=1))),
    row("not so often", "rollout for late", lacking(replicas=DONE), rules=OFTEN,
        done=(ago(hours=25), ago(hours=10), ago(hours=1))),
)  # fmt: skip


@pytest.mark.parametrize("row", CASES, ids=lambda row: row.name)
def test_what_is_rolled_out_and_what_is_left_alone(row: Row) -> None:
    assert row.decided(asking(**row.rules).spec) == row.expected


def test_what_is_left_alone_is_told_with_the_command() -> None:
    (job,) = plan([JOB], asking().spec, AROUND, {}, NOW)
    assert "let Job report make its pods anew" in job.message
    (web,) = plan([none_injected(replicas=DONE)], asking().spec, AROUND, {}, NOW)
    assert "kubectl rollout restart deployment/web -n shop" in web.message


# ── From the decision to its end ─────────────────────────────────────────────────────────────────────────
def asking(missed_pods: str = "Rollout", **rules: Any) -> MemoryProfile:
    return profile(missed_pods=missed_pods, **rules)


def decided(of: MemoryProfile, given: Case, at: datetime = NOW) -> Remedied:
    return decide(of, [given], frozenset(one.uid for one in given.pods), AROUND, at)


def after(of: MemoryProfile, said: Remedied) -> MemoryProfile:
    return of.model_copy(update={"status": said.put_into(of.status)})


def pending(**rules: Any) -> MemoryProfile:
    of = asking(**rules)
    return after(of, decided(of, lacking()))


LATER = NOW + SETTLES


def test_it_is_done_once_it_has_stood_in_the_status_for_a_while() -> None:
    of = pending()
    (entry,) = of.status.actions
    assert entry.pending is not None
    assert (entry.pending.pod, entry.pending.action) == ("", TO_INJECT)
    early = decided(of, lacking(), LATER - timedelta(seconds=1))
    assert (early.acts, early.waits) == ((), True)
    (act,) = decided(of, lacking(), LATER).acts
    status = settled(of, [Outcome(act, "Done", names.DECIDED_MISSED, "restarted")], LATER)
    assert [(one.action, one.result, one.reason) for one in status.remediations] == [
        (TO_INJECT, "Done", names.DECIDED_MISSED)
    ]
    (entry,) = status.actions
    assert (entry.pending, [one.injects for one in entry.acted]) == (None, [True])


def test_the_template_says_that_it_was_done_whoever_did_it() -> None:
    of = pending()
    (entry,) = of.status.actions
    assert entry.pending is not None
    rolling = lacking(replicas=Replicas(3, 3, rolling=True, restarted=entry.pending.id))
    said = decided(of, rolling, LATER)
    assert [(one.action, one.result) for one in said.decisions] == [(TO_INJECT, "Done")]
    assert decided(after(of, said), rolling, LATER).decisions == said.decisions, (
        "what is under way is no news"
    )
    back = none_injected(replicas=Replicas(3, 3, rolling=False, restarted=entry.pending.id))
    much_later = NOW + timedelta(days=3)
    last = decided(after(of, said), back, much_later)
    assert [one.reason for one in last.decisions] == [names.DECIDED_MISSED, names.REFUSED_NO_HELP]
    assert decided(after(of, last), back, much_later).decisions == last.decisions, "told once"


@pytest.mark.parametrize(
    ("name", "given", "reason"),
    [
        ("somebody restarted it", lacking(missed=(), template=None), names.REFUSED_NO_LONGER),
        ("a rollout began", lacking(replicas=replace(THREE, rolling=True)), names.REFUSED_ROLLOUT),
        ("injection of it was stopped", lacking(injection_stopped=True), names.REFUSED_INJECTION_STOPPED),
    ],
)
def test_what_is_pending_is_asked_again_before_it_is_done(name: str, given: Case, reason: str) -> None:
    said = decided(pending(), given, LATER)
    assert said.acts == (), name
    assert [(one.action, one.reason) for one in said.decisions] == [(TO_INJECT, reason)]
    assert not any(entry.pending for entry in said.actions)


@pytest.mark.parametrize("rules", [{"missed_pods": "Report"}, {"mode": "DryRun"}])
def test_what_is_no_longer_asked_for_is_not_done(rules: dict[str, Any]) -> None:
    of = pending().model_copy(update={"spec": asking(**rules).spec})
    said = decided(of, lacking(), LATER)
    assert said.acts == ()
    assert not any(entry.pending for entry in said.actions)


def test_it_does_not_wait_for_a_mode_that_acts_on_leaks() -> None:
    assert decided(pending(mode="Recommend"), lacking(), LATER).acts


def test_a_dry_run_says_it_and_counts_it_and_touches_nothing() -> None:
    of = asking(mode="DryRun")
    said = decided(of, lacking())
    assert [(one.action, one.result, one.reason) for one in said.decisions] == [
        (TO_INJECT, "WouldDo", names.DECIDED_MISSED)
    ]
    assert [one.reason for one in decided(after(of, said), lacking()).decisions][1:] == [
        names.REFUSED_COOLDOWN
    ]


def test_a_pod_that_came_by_it_has_not_returned_when_it_leaks() -> None:
    label = WEB.label
    leaks = case(pod("a", age=60), pod("b", age=60), shares=(share("a"),))
    rules: dict[str, Any] = {"limits": {"cooldown": "10s", "breaker": {"returns": 1}}}
    entries = {label: WorkloadActions(workload=label, acted=(ago(seconds=90),))}
    (one,) = plan([leaks], asking(**rules).spec, AROUND, entries, NOW)
    assert isinstance(one, Action), one
    assert not one.returned


# ── What the workload's object says ──────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("kind", "spec", "held"),
    [
        ("Deployment", {}, ""),
        ("Deployment", {"paused": True}, "paused"),
        ("Deployment", {"strategy": {"type": "Recreate"}}, ""),
        ("StatefulSet", {"updateStrategy": {"rollingUpdate": {"partition": 0}}}, ""),
        ("StatefulSet", {"updateStrategy": {"rollingUpdate": {"partition": 2}}}, "partition 2"),
        ("StatefulSet", {"updateStrategy": {"type": "OnDelete"}}, "OnDelete"),
        ("DaemonSet", {"updateStrategy": {"type": "OnDelete"}}, "OnDelete"),
    ],
)  # fmt: skip
def test_a_strategy_that_makes_no_pod_anew_is_told(kind: str, spec: dict[str, Any], held: str) -> None:
    said = replicas_of(kind, {"metadata": {"generation": 1}, "spec": spec}).held
    assert held in said
    assert bool(said) == bool(held)


LABELS = {"part": "shop"}


def made_from(label: str | None = "true", uid: str = "p1", **template: Any) -> Template:
    spec = {"selector": {"matchLabels": LABELS}}
    profiles = tuple(
        Profile.of({"metadata": {"name": name, "namespace": "shop"}, "spec": more})
        for name, more in (("shop", spec), ("other", {"selector": {"matchLabels": {"part": "other"}}}))
    )
    container = {"name": "app", "image": "web:1"}
    usual = {"metadata": {"labels": LABELS}, "spec": {"containers": [container]}}
    found = {"spec": {"template": usual | template}}
    return template_of(WEB, found, "shop", uid, Namespace("shop", label, profiles))


@pytest.mark.parametrize(
    ("name", "given", "why"),
    [
        ("as its pods are", {}, ""),
        ("pods were labelled by hand", {"metadata": {}}, "no profile selects it"),
        ("it says no", {"metadata": {"labels": LABELS | {names.INJECT: "false"}}}, "is \"false\""),
        ("it is another profile's", {"metadata": {"labels": {"part": "other"}}}, "MemoryProfile other means them"),
        ("in the node's network", {"spec": {"hostNetwork": True, "containers": [{"name": "app"}]}}, "node's network"),
        ("the namespace is not open", {"label": None}, "neither the pod nor its namespace asks for it"),
    ],
)  # fmt: skip
def test_a_template_that_would_not_be_injected_is_known(name: str, given: dict[str, Any], why: str) -> None:
    said = made_from(**given).skipped
    assert why in said, name
    assert bool(said) == bool(why)


def test_a_template_is_the_same_whatever_restart_of_ours_it_carries_and_for_one_profile_alone() -> None:
    def with_annotations(**annotations: str) -> str:
        return made_from(metadata={"labels": LABELS, "annotations": annotations}).hash

    assert made_from().hash == with_annotations(**{names.RESTARTED: "t1-1"})
    assert made_from().hash != with_annotations(**{"kubectl.kubernetes.io/restartedAt": "now"})
    assert made_from().hash != made_from(uid="p2").hash
    assert made_from().hash != made_from(spec={"containers": [{"name": "app", "image": "web:2"}]}).hash
