"""From containers to their workload: identity, killed lives that convict together, what is news. No database."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from memwarden_api import names
from memwarden_api.report import Forecast, Frame
from memwarden_collector.analysis.composition import Member, compose
from memwarden_collector.analysis.digest import Digest
from memwarden_collector.analysis.floor_board import DAY, FINE, SPANS, WEEK, FloorBoard, as_rows
from memwarden_collector.analysis.identity import Owner, identify
from memwarden_collector.analysis.workloads import is_news
from memwarden_collector.store.workloads import ScopeState, WorkloadRow
from memwarden_core.settings import JudgeSettings
from memwarden_core.verdict import Kind

NOW = 1_800_000_000.0
WEB = WorkloadRow(1, "shop/Deployment/web/app", "shop", "Deployment", "web", "app")
POD = {
    names.K8S_NAMESPACE: "shop",
    names.K8S_POD: "web-7d9-x",
    names.K8S_POD_UID: "u1",
    names.K8S_CONTAINER: "app",
}


# ── Whose container ──────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("kind", "attributes", "owner", "workload", "version"),
    [
        ("container", POD, None, "shop/Pod/web-7d9-x/app", ""),
        ("container", {**POD, "k8s.deployment.name": "web"}, None, "shop/Deployment/web/app", ""),
        (
            "container",
            {**POD, "k8s.deployment.name": "web", "k8s.replicaset.name": "web-7d9"},
            None,
            "shop/Deployment/web/app",
            "7d9",
        ),
        ("container", {**POD, "k8s.replicaset.name": "web-7d9"}, None, "shop/ReplicaSet/web-7d9/app", ""),
        ("container", {**POD, "k8s.job.name": "j", "k8s.cronjob.name": "c"}, None, "shop/CronJob/c/app", ""),
        (
            "container",
            {**POD, "k8s.replicaset.name": "web-7d9"},
            Owner("shop", "web-7d9-x", "Deployment", "web", "h"),
            "shop/Deployment/web/app",
            "h",
        ),
        ("container", {names.SERVICE_NAME: "x"}, None, "run 1", ""),
        ("run", POD, None, "run 1", ""),
        ("container", {**POD, names.K8S_NAMESPACE: "a/b%"}, None, "a%2Fb%25/Pod/web-7d9-x/app", ""),
        ("container", {**POD, names.K8S_POD: 7}, None, "run 1", ""),
    ],
)
def test_whose_container_it_is(
    kind: str, attributes: dict[str, Any], owner: Owner | None, workload: str, version: str
) -> None:
    found = identify("run 1", kind, attributes, owner)
    assert (found.workload, found.version) == (workload, version)


def test_names_that_are_too_long_stay_apart() -> None:
    found = [
        identify("s", "container", {**POD, names.K8S_POD: "p" * 4000 + end}, None).workload for end in "ab"
    ]
    assert len(set(found)) == 2
    assert {len(one) for one in found} == {512}


# ── Together ─────────────────────────────────────────────────────────────────────────────────────────────
def member(
    scope: str, kind: Kind, *, ended: bool = False, at: float = NOW, usage: float = 0.5, **said: Any
) -> Member:
    state = ScopeState(
        len(scope) * 1000 + ord(scope[-1]), 1, scope, scope, f"uid-{scope}", "v1", kind.value, ended, at, at,
        at - 600, 15.0, usage * 1e9, 1e9, {}, at,
    )  # fmt: skip
    return Member(state, Digest(**{"confidence": 0.8, "headline": f"{kind}: {scope}.", **said}), kind)


GROWING = {
    "site_fingerprints": ("f",),
    "site": Frame(file="a.py", line=1, function="g"),
    "drift": 8.0,
    "growth": 1e6,
}


def test_lives_that_the_limit_ended_convict_together() -> None:
    lives = [
        member(f"life{number}", Kind.GROWING, ended=True, at=NOW - 600 * number, usage=0.97, **GROWING)
        for number in range(1, 4)
    ]
    young = member("young", Kind.WARMING_UP)
    found = compose(WEB, [young, *lives], (), JudgeSettings())
    assert found.document.verdict == "Leaking"
    assert "grow by the same code" in found.document.reason
    assert list(found.leaking) == ["f"]
    assert found.document.site == GROWING["site"]
    assert [one.scope for one in found.document.scopes] == ["young"], "only who lives is listed"

    ended_well = [replace(one, state=replace(one.state, anon_bytes=3e8)) for one in lives]
    assert compose(WEB, [young, *ended_well], (), JudgeSettings()).document.verdict == "WarmingUp"
    long_ago = [replace(one, state=replace(one.state, at=one.state.at - 90_000)) for one in lives]
    assert compose(WEB, [young, *long_ago], (), JudgeSettings()).document.verdict == "WarmingUp"
    before = [replace(one, state=replace(one.state, version="v0")) for one in lives]
    assert compose(WEB, [young, *before], (), JudgeSettings()).document.verdict == "WarmingUp"


def test_replicas_convict_together_once_one_has_grown_for_long_enough() -> None:
    def verdict(*said: dict[str, Any]) -> str:
        replicas = [member(f"r{number}", Kind.GROWING, **GROWING, **one) for number, one in enumerate(said)]
        return compose(WEB, replicas, (), JudgeSettings()).document.verdict

    young, old = {"gates": {"lasting": False}}, {"gates": {"lasting": True}}
    pool = {"gates": {"lasting": True, "no-new-threads": False}}
    assert verdict(young, young, young) == "Growing", "a cache fills in all of them at once"
    assert verdict(old, young, young) == "Leaking"
    assert verdict(old, young, pool) == "Growing", "the same pool starts in all of them"


def test_the_worst_speaks_and_the_nearest_limit_is_told() -> None:
    soon, late = Forecast(p10=1, p50=2, p90=3), Forecast(p10=10, p50=20, p90=30)
    found = compose(
        WEB,
        [
            member("a", Kind.HEALTHY, usage=0.9),
            member("b", Kind.GROWING, growth=5.0, forecast=soon, at_risk=True),
            member("c", Kind.LEAKING, growth=3.0, forecast=late, fingerprint="f", runtime="cpython 3.12"),
        ],
        (),
        JudgeSettings(),
    ).document
    assert [one.scope for one in found.scopes] == ["c", "b", "a"]
    assert (found.verdict, found.at_risk, found.growth_bytes_per_second) == ("Leaking", True, 5.0)
    assert (found.usage_ratio, found.oom_forecast_seconds, found.runtime) == (0.9, soon, "cpython 3.12")


def test_an_open_leak_keeps_its_name_when_another_site_leads() -> None:
    one = member("a", Kind.LEAKING, fingerprint="new", site_fingerprints=("new", "old"))
    assert list(compose(WEB, [one], ("old",), JudgeSettings()).leaking) == ["old"]
    assert list(compose(WEB, [one], (), JudgeSettings()).leaking) == ["new"]
    assert list(compose(WEB, [one], ("old", "new"), JudgeSettings()).leaking) == ["new"]


def test_what_is_news() -> None:
    base = compose(WEB, [member("a", Kind.GROWING, growth=1e6)], (), JudgeSettings()).document
    said = base.model_dump(mode="json")
    assert not is_news(said, said)
    for change in (
        {"verdict": "Leaking"}, {"leak": "1"}, {"at_risk": True}, {"confidence": 0.9}, {"usage_ratio": None},
        {"usage_ratio": 0.6}, {"growth_bytes_per_second": 2e6}, {"growth_bytes_per_second": None}, {"version": "v2"},
        {"oom_forecast_seconds": {"p10": 1, "p50": 2, "p90": 3}}, {"judged_at": "2027-01-15T08:02:00Z"},
        {"scopes": []},
    ):  # fmt: skip
        assert is_news(said, {**said, **change}), change
    for change in (
        {"confidence": 0.82},
        {"usage_ratio": 0.52},
        {"growth_bytes_per_second": 1.1e6},
        {"headline": "x"},
    ):
        assert not is_news(said, {**said, **change}), change


# ── The floors that the screen reads ─────────────────────────────────────────────────────────────────────
def test_floors_are_the_same_in_whatever_order_samples_come() -> None:
    generator = np.random.default_rng(1)
    times, values = NOW + np.arange(0.0, 3000.0, 15.0), generator.uniform(1e8, 2e8, 200)
    whole, mixed = FloorBoard(), FloorBoard()
    row, other = whole.add(60.0), mixed.add(60.0)
    whole.note(np.full(200, row), times, values)
    order = generator.permutation(200)
    for part in np.array_split(np.concatenate((order, order[:50])), 7):
        mixed.note(np.full(len(part), other), times[part], values[part])
    for span in SPANS:
        found = [board.longer(span, as_rows([one])) for board, one in ((whole, row), (mixed, other))]
        assert np.array_equal(*found, equal_nan=True)
    assert np.array_equal(whole.fine(as_rows([row])), mixed.fine(as_rows([other])), equal_nan=True)
    assert (
        np.nanmin(whole.longer(WEEK, as_rows([row])))
        == np.nanmin(whole.longer(DAY, as_rows([row])))
        == values.min()
    )
    fine = whole.fine(as_rows([row]))[0]
    expected = [values[start : start + 4].min() for start in range(0, 200, 4)]
    assert np.array_equal(fine[FINE - 50 :], expected)
    assert np.isnan(fine[: FINE - 50]).all()


def test_floors_of_long_ago_give_way_and_rows_are_used_again() -> None:
    board = FloorBoard()
    row = board.add(60.0)
    board.note(as_rows([row]), np.array([NOW]), np.array([1.0]))
    board.note(as_rows([row]), np.array([NOW + 60.0 * (FINE - 1)]), np.array([2.0]))
    fine = board.fine(as_rows([row]))[0]
    assert (fine[0], fine[-1]) == (1.0, 2.0)
    board.note(as_rows([row]), np.array([NOW + 60.0 * FINE]), np.array([3.0]))
    board.note(as_rows([row]), np.array([NOW]), np.array([0.5]))  # too late
    fine = board.fine(as_rows([row]))[0]
    assert np.isnan(fine[0])
    assert list(fine[-2:]) == [2.0, 3.0]
    board.remove(row)
    assert board.add(5.0) == row
    assert np.isnan(board.fine(as_rows([row]))).all()
    assert np.isnan(board.longer(DAY, as_rows([row]))).all()
