"""Replicas and versions of one workload, and many workloads at once."""

import math

import numpy as np
import pytest
from eager import judge

from memwarden_core.discovery import false_discovery_bound, needed_alone, tail
from memwarden_core.fleet import FleetVerdict, Pattern, Replica, judge_fleet, stouffer
from memwarden_core.recording import FloatArray
from memwarden_core.settings import JudgeSettings
from memwarden_core.synthetic import MB, Shape, SyntheticProcess, SyntheticSite, constant, for_ever, record
from memwarden_core.verdict import Kind

SETTINGS = JudgeSettings()


def replica(name: str, version: str, leak: float, ticks: int = 200, noise: float = 0.2) -> Replica:
    """A replica that leaks so many MB a tick, judged at its end."""
    sites = [SyntheticSite("remember", constant(leak * MB), for_ever)] if leak else []
    shape = Shape([SyntheticProcess(sites, 80 * MB)], noise_bytes=noise * MB)
    seed = sum(map(ord, name))
    recording = record(shape, ticks, seed)
    return Replica(name, version, judge(recording, now=recording.ended))


def fleet(*replicas: Replica) -> FleetVerdict:
    return judge_fleet(replicas, SETTINGS)


def test_one_of_four_leaks() -> None:
    found = fleet(*(replica(f"shop-{n}", "1.4", 0.4 if n == 2 else 0.0) for n in range(4)))
    assert (found.kind, found.pattern, found.leaking) == (Kind.LEAKING, Pattern.SOME, ("shop-2",))
    assert found.sentence.startswith("1 of 4 replicas leaks, +")
    assert found.sentence.endswith("shop-2")


def test_all_leak() -> None:
    found = fleet(*(replica(f"shop-{n}", "1.4", 0.4) for n in range(3)))
    assert (found.kind, found.pattern, len(found.leaking)) == (Kind.LEAKING, Pattern.ALL, 3)
    assert "all 3 replicas leak" in found.sentence


def test_only_the_new_version_leaks() -> None:
    old = [replica(f"old-{n}", "1.4", 0.0) for n in range(3)]
    new = [replica(f"new-{n}", "1.5", 0.4) for n in range(2)]
    found = fleet(*old, *new)
    assert (found.pattern, found.versions) == (Pattern.VERSION, ("1.5",))
    assert found.sentence.startswith("the leak came with 1.5: all 2 replicas of it leak")
    assert found.sentence.endswith("none of the 3 of 1.4")


def test_a_version_with_healthy_replicas_is_not_to_blame() -> None:
    found = fleet(replica("a", "1.4", 0.0), replica("b", "1.5", 0.4), replica("c", "1.5", 0.0))
    assert found.pattern is Pattern.SOME


def test_replicas_that_grow_too_unsurely_alone_convict_together() -> None:
    """A slow leak in noise: one has gone on for long enough and is not certain, others are and have not."""
    unsure = [replica(f"shop-{n}", "1.4", 0.05, noise=3.0) for n in range(4)]
    assert Kind.LEAKING not in {one.verdict.kind for one in unsure}
    found = fleet(*unsure)
    assert found.kind is Kind.LEAKING
    assert found.sentence.startswith("3 of 4 replicas leak")
    assert fleet(*unsure[:2]).kind is Kind.GROWING, "two are too few"


def test_caches_that_fill_in_all_replicas_at_once_do_not() -> None:
    young = [replica(f"shop-{n}", "1.4", 0.5, ticks=52) for n in range(4)]
    assert {one.verdict.kind for one in young} == {Kind.GROWING}
    found = fleet(*young)
    assert found.combined_z >= SETTINGS.walk_t_unattributed
    assert found.kind is Kind.GROWING


def test_healthy_replicas_are_healthy_together() -> None:
    found = fleet(*(replica(f"shop-{n}", "1.4", 0.0) for n in range(6)))
    assert (found.kind, found.pattern, found.leaking) == (Kind.HEALTHY, Pattern.NONE, ())
    assert abs(found.combined_z) < 4


def test_those_that_can_not_be_judged_say_nothing() -> None:
    young = [replica(f"shop-{n}", "1.4", 0.4, ticks=10) for n in range(3)]
    assert fleet(*young).kind is Kind.UNKNOWN
    assert fleet(*young).sentence == "none of 3 replicas can be judged yet"
    assert fleet().kind is Kind.UNKNOWN
    assert fleet(replica("a", "1.4", 0.4), *young).pattern is Pattern.ALL


def test_stouffer() -> None:
    assert stouffer([2.0, 2.0, 2.0, 2.0]) == pytest.approx(4.0)
    assert stouffer([99.0]) == stouffer([8.0])
    assert stouffer([]) == 0.0


@pytest.mark.parametrize(
    ("t", "degrees", "p"),
    # Student's t tables: one-sided critical values.
    [
        (1.812, 10, 0.05),
        (2.764, 10, 0.01),
        (4.144, 10, 0.001),
        (1.684, 40, 0.05),
        (3.307, 40, 0.001),
        (0, 5, 0.5),
    ],
)
def test_the_tail_of_student(t: float, degrees: int, p: float) -> None:
    assert tail(t, degrees) == pytest.approx(p, rel=2e-3)
    assert tail(-t, degrees) == pytest.approx(1 - p, rel=2e-3)


def test_the_tail_far_out_and_of_the_normal() -> None:
    assert tail(6.0, 1e7) == pytest.approx(0.5 * math.erfc(6 / math.sqrt(2)), rel=1e-3)
    assert 0 < tail(99.0, 38) < 1e-40
    assert tail(math.nan, 38) == 1.0
    assert tail(1.0, 0) == 1.0


def test_few_of_those_that_are_called_are_false() -> None:
    """1 000 healthy workloads and 20 leaks: at a rate of 5 %, on average at most one in twenty is false."""
    generator = np.random.default_rng(7)
    false = called = 0
    for _ in range(200):
        healthy = generator.uniform(size=1000)
        leaks = np.array([tail(t, 38) for t in generator.normal(6, 1, 20)])
        bound = false_discovery_bound([*healthy, *leaks], 0.05)
        false += int((healthy <= bound).sum())
        called += int((healthy <= bound).sum() + (leaks <= bound).sum())
    assert false / called <= 0.06
    assert called / 200 > 15


def test_without_any_workload_nothing_is_called() -> None:
    assert false_discovery_bound([], 0.05) == 0.0
    assert false_discovery_bound([0.9, 0.8], 0.05) == 0.0
    assert needed_alone(10_000, 0.05) == pytest.approx(5e-6)


def test_pools_that_start_in_all_replicas_do_not_convict_together() -> None:
    starts = np.arange(10.0, 120, 6)

    def brought(tick: FloatArray) -> FloatArray:
        return 3 * MB * (np.searchsorted(starts, tick + 1) - np.searchsorted(starts, tick)).astype(float)

    process = SyntheticProcess(
        [SyntheticSite("serve", brought, for_ever)], threads=lambda tick: 2.0 + np.searchsorted(starts, tick)
    )
    replicas = []
    for seed in range(4):
        recording = record(Shape([process]), 110, seed)
        replicas.append(Replica(f"shop-{seed}", "1.4", judge(recording, now=recording.ended)))
    found = fleet(*replicas)
    assert [one.verdict.kind for one in replicas] == 4 * [Kind.GROWING]
    assert found.combined_z >= SETTINGS.walk_t_unattributed
    assert found.kind is Kind.GROWING
