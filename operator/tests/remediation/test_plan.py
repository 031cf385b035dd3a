"""Which pod goes, and why not: a table of what is the case and what is decided."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from memwarden_api import names
from memwarden_api.v1alpha1.remediation import Acted
from memwarden_operator.controller.observed import Collector
from memwarden_operator.controller.owners import Workload
from memwarden_operator.remediation.case import Action, Case, Refusal, Replicas
from memwarden_operator.remediation.plan import plan
from remediation.cases import AROUND, NOW, Row, case, pod, profile, share, verdict

SET = Workload("shop", "StatefulSet", "db")


def ago(**since: float) -> Acted:
    return Acted(time=NOW - timedelta(**since), decided=NOW - timedelta(**since))


def of_kind(kind: str) -> Case:
    work = Workload("shop", kind, "web")
    return replace(case(), workload=work, verdicts=(replace(case().verdicts[0], workload=work),))


def a_set() -> Case:
    pods = tuple(pod(f"db-{number}") for number in (0, 2, 10))
    shares = (share("db-0", 0.99), share("db-2", 0.7), share("db-10", 0.6))
    return replace(case(*pods), workload=SET, verdicts=(verdict(*shares, workload=SET),))


GROWS = case(shares=(share("a", said="Growing"),))
AWAY = replace(AROUND, collector=Collector(False, NOW - timedelta(minutes=3), "connection refused"))
IN_THE_NIGHT: dict[str, Any] = {"limits": {"windows": [{"start": "22:00", "end": "06:00"}]}}

NOW_AND_THEN: dict[str, Any] = {"limits": {"maxPerHour": 2, "cooldown": "10s"}}
ONE_IS_ENOUGH: dict[str, Any] = {"limits": {"minimumReadyReplicas": 1}}


def alone(**given: Any) -> Case:
    return case(pod("a", **given), replicas=Replicas(1, 1, rolling=False))


def returned(**since: float) -> Acted:
    return ago(**since).model_copy(update={"returned": True})


CASES = (
    # Which pod
    Row("all leak: the one nearest to its limit", "pod b"),
    Row("a limit that is not known comes last", "pod c", case(shares=(share("a", None), share("c", 0.1)))),
    Row("only one leaks", "pod a", case(shares=(share("a", 0.2),))),
    Row("a StatefulSet: the highest number", "pod db-10", a_set()),
    # What is asked for
    Row("nobody leaks", None, case(shares=())),
    Row("it grows, and Growing is not asked for", None, GROWS),
    Row("it grows, and that is asked for", "pod a", GROWS, {"when": {"verdict": ["Growing"]}}),
    Row("usage is below what is asked for", None, rules={"when": {"usageAboveRatio": 0.97}}),
    Row("usage is just what is asked for, not above", None, rules={"when": {"usageAboveRatio": 0.95}}),
    Row("usage is not known", None, case(shares=(share("a", None),)), {"when": {"usageAboveRatio": 0.1}}),
    Row("the limit is far", None, rules={"when": {"oomWithin": "9m"}}),
    Row("the limit is near", "pod b", rules={"when": {"oomWithin": "10m"}}),
    Row(
        "no forecast, and one is asked for",
        None,
        case(shares=(share("a", oom=None),)),
        {"when": {"oomWithin": "1h"}},
    ),
    Row(
        "both must hold, of one pod",
        None,
        case(shares=(share("a", 0.99, oom=None), share("c", 0.1))),
        {"when": {"oomWithin": "1h", "usageAboveRatio": 0.5}},
    ),
    Row("the one that leaks has ended", None, case(pod("a", phase="Failed"), shares=(share("a"),))),
    # Guards
    Row("not switched on", names.REFUSED_NOT_SWITCHED_ON, around=replace(AROUND, switched_on=False)),
    Row(
        "not switched on, and only tried",
        "pod b",
        rules={"mode": "DryRun"},
        around=replace(AROUND, switched_on=False),
    ),
    Row("the collector is away", names.REFUSED_COLLECTOR, around=AWAY),
    Row("the verdict is old", names.REFUSED_STALE, case(verdicts=(verdict(share("b"), age=301),))),
    Row("the pod's data are old", names.REFUSED_STALE, case(shares=(share("a", age=301),))),
    Row(
        "the verdict is unsure", names.REFUSED_UNSURE, case(verdicts=(verdict(share("b"), confidence=0.59),))
    ),
    Row("a Job", names.REFUSED_KIND, of_kind("Job")),
    Row("a CronJob", names.REFUSED_KIND, of_kind("CronJob")),
    Row("a pod that nobody owns", names.REFUSED_KIND, of_kind("Pod")),
    Row("an owner that nobody knows", names.REFUSED_KIND, of_kind("Kafka")),
    Row(
        "a ReplicaSet has no rollouts",
        names.REFUSED_KIND,
        of_kind("ReplicaSet"),
        {"action": "RolloutRestart"},
    ),
    Row("injection of it is stopped", names.REFUSED_INJECTION_STOPPED, case(injection_stopped=True)),
    Row(
        "the injector is away", names.REFUSED_INJECTOR, around=replace(AROUND, injector="it does not answer")
    ),
    Row("the workload can't be read", names.REFUSED_UNKNOWN_STATE, replace(case(), replicas=None)),
    Row(
        "a set that waits for somebody to delete its pods",
        names.REFUSED_STRATEGY,
        case(replicas=Replicas(3, 3, rolling=False, held="OnDelete")),
        {"action": "RolloutRestart"},
    ),
    Row(
        "an eviction asks for no strategy",
        "pod b",
        case(replicas=Replicas(3, 3, rolling=False, held="OnDelete")),
    ),
    Row("a rollout is in progress", names.REFUSED_ROLLOUT, case(replicas=Replicas(3, 3, rolling=True))),
    Row(
        "another pod is on its way out",
        names.REFUSED_POD_LEAVING,
        case(pod("a", leaving=True), pod("b"), pod("c")),
    ),
    Row("one replica", names.REFUSED_TOO_FEW, alone()),
    Row("one replica, and one is enough", "pod a", alone(), ONE_IS_ENOUGH),
    Row("one of three is not ready", names.REFUSED_TOO_FEW, case(replicas=Replicas(3, 2, rolling=False))),
    Row("outside the window", names.REFUSED_WINDOW, rules=IN_THE_NIGHT),
    # What was done before
    Row("cooling down", names.REFUSED_COOLDOWN, done=(ago(minutes=29),)),
    Row("cooled down", "pod b", done=(ago(minutes=30),)),
    Row("what was only tried does not cool", "pod b", done=(ago().model_copy(update={"dry_run": True}),)),
    Row(
        "the hour is spent", names.REFUSED_BUDGET, rules=NOW_AND_THEN, done=(ago(minutes=50), ago(minutes=20))
    ),
    Row("an hour later", "pod b", rules=NOW_AND_THEN, done=(ago(minutes=60), ago(minutes=20))),
    Row("the cluster's hour is spent", names.REFUSED_CLUSTER_BUDGET, around=replace(AROUND, cluster_left=0)),
    Row("it came back once", "pod a", alone(age=3600), ONE_IS_ENOUGH, done=(ago(hours=2),)),
    Row(
        "it came back three times",
        names.REFUSED_BREAKER,
        alone(age=3600),
        ONE_IS_ENOUGH,
        done=(ago(hours=4), returned(hours=3), returned(hours=2)),
    ),
    Row(
        "it came back, long ago",
        "pod a",
        alone(age=3600),
        ONE_IS_ENOUGH,
        done=(returned(hours=26), returned(hours=25)),
    ),
    Row(
        "it was there before the other was known to have gone",
        names.REFUSED_BREAKER,
        alone(age=2000),
        {"limits": {"minimumReadyReplicas": 1, "breaker": {"returns": 1}}},
        done=(ago(seconds=1990).model_copy(update={"decided": NOW - timedelta(seconds=2000)}),),
    ),
    Row(
        "a pod that was there before is no return",
        "pod b",
        rules={"limits": {"breaker": {"returns": 1}}},
        done=(ago(minutes=31),),
    ),
)


@pytest.mark.parametrize("row", CASES, ids=lambda row: row.name)
def test_what_goes_and_what_is_left_alone(row: Row) -> None:
    assert row.decided(profile(**row.rules).spec) == row.expected


def test_every_reason_of_a_guard_is_in_the_table() -> None:
    told = {row.expected for row in CASES}
    later = {
        names.REFUSED_DISRUPTION_BUDGET,
        names.REFUSED_BY_SERVER,
        names.REFUSED_NO_RIGHT,
        names.REFUSED_NO_LONGER,
        names.REFUSED_EVIDENCE,
    }  # said of what is pending: test_decisions.py
    later |= {names.REFUSED_TEMPLATE, names.REFUSED_NO_HELP}  # of missed pods: test_bringing_in.py
    assert {value for name, value in vars(names).items() if name.startswith("REFUSED_")} - later <= told


def test_a_budget_of_the_cluster_is_spent_by_one_workload_and_missed_by_the_next() -> None:
    other = of_kind("DaemonSet")
    decided = plan([case(), other], profile().spec, replace(AROUND, cluster_left=1), {}, NOW)
    assert [type(one) for one in decided] == [Action, Refusal]


@pytest.mark.parametrize(
    ("windows", "hour", "is_open"),
    [
        ([], 12, True),
        ([{"start": "08:00", "end": "20:00"}], 19, True),
        ([{"start": "08:00", "end": "20:00"}], 20, False),
        ([{"start": "22:00", "end": "06:00"}], 23, True),
        ([{"start": "22:00", "end": "06:00"}], 5, True),
        ([{"start": "22:00", "end": "06:00"}], 6, False),
        ([{"days": ["Sat"], "start": "22:00", "end": "06:00"}], 5, True),  # Sunday morning is of Saturday's window
        ([{"days": ["Sat"], "start": "22:00", "end": "06:00"}], 23, False),
        ([{"start": "00:00", "end": "01:00"}, {"days": ["Sun"], "start": "11:00", "end": "13:00"}], 12, True),
    ],
)  # fmt: skip
def test_hours_in_which_something_may_be_done(
    windows: list[dict[str, Any]], hour: int, is_open: bool
) -> None:
    rules = {"limits": {"windows": windows}}
    at = NOW.replace(hour=hour)
    fresh = case(verdicts=(replace(verdict(replace(share("a"), last_sample_at=at)), judged_at=at),))
    [one] = plan([fresh], profile(**rules).spec, AROUND, {}, at)
    assert isinstance(one, Action) == is_open
