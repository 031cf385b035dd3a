"""Generated runs of every family, judged over and over as the collector does; figures in docs/design.

A healthy run is wrong if `Leaking` was said at any moment of it. Eight runs a family at 1 s ticks, one at
15 s, on two processes, with high sensitivity: runs so short say nothing of who waits longer (test_patience.py does).
`benchmarks/judge_families.py` has more runs, judges more often and prints more.
"""

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import replace

import pytest
from eager import EAGER

from memwarden_core.families import FAMILIES, Family
from memwarden_core.scoring import Score, score

LEAKS = [family for family in FAMILIES if family.leak]
HEALTHY = [family for family in FAMILIES if not family.leak and not family.undecidable]
INTERVALS = {1.0: range(8), 15.0: range(100, 101)}
# The forecast says nothing about the kind of a verdict, and takes half the time of a leak's.
SETTINGS = replace(EAGER, bootstrap_rounds=10)
Key = tuple[str, float]


def every_ticks(family: Family) -> float:
    """Every five ticks where little time is given; else less often, so that all of this takes half a minute."""
    return 5.0 if family.leak and family.ticks <= 300 else 12.0


@pytest.fixture(scope="module")
def scores() -> Iterator[dict[Key, "Future[Score]"]]:
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # matrices here are too small to be shared between threads
    for name in [name for name in os.environ if name.startswith("COVERAGE")]:
        del os.environ[name]  # traced, this would take twice as long; test_judge.py covers the same lines
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        yield {
            (family.name, interval): pool.submit(
                score, family.name, seeds, interval, every_ticks(family), SETTINGS
            )
            for family in [*LEAKS, *HEALTHY]
            for interval, seeds in INTERVALS.items()
        }
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("family", LEAKS, ids=lambda family: family.name)
def test_leaks_are_found_in_time(family, interval, scores) -> None:
    found = scores[family.name, interval].result()
    assert found.in_time >= 0.9 * found.runs, found
    assert found.withdrawn <= 0.1 * found.runs
    if family.name != "leak-native":
        assert found.right_site >= 0.95 * found.runs
    assert found.changes <= 7 * found.runs


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("family", HEALTHY, ids=lambda family: family.name)
def test_healthy_runs_are_never_called_leaking(family, interval, scores) -> None:
    found = scores[family.name, interval].result()
    assert found.convicted <= 0.05 * found.runs, found


@pytest.mark.parametrize("interval", INTERVALS)
def test_all_healthy_families_together_stay_under_one_in_a_hundred(interval, scores) -> None:
    found = [scores[family.name, interval].result() for family in HEALTHY]
    assert sum(one.convicted for one in found) <= 0.01 * sum(one.runs for one in found)


@pytest.mark.parametrize("family", HEALTHY, ids=lambda family: family.name)
def test_healthy_runs_are_called_something_harmless_in_the_end(family, scores) -> None:
    found = scores[family.name, 1.0].result()
    fine = found.final["Healthy"] + found.final["CacheFilling"] + found.final["Fragmented"]
    # A program that restarts every 40 ticks while it grows can't be called anything for long.
    assert fine >= (0.85 * found.runs if family.name != "restarting" else 0)
