"""Six real programs, watched at the same time with the ordinary settings: three leak, three don't."""

import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from harness import APPS, Finished, Run, interpreter, line_of

pytestmark = pytest.mark.slow

DURATION_SECONDS = 140  # the slowest leak is told after 100, which a crowded machine makes more
# (app, version of CPython or None for the one that the tests run on)
RUNS = (
    ("sessions_kept", None),
    ("listeners_kept", None),
    ("frames_kept", None),
    ("warm_up", None),
    ("bounded_cache", None),
    ("batches", None),
    ("sessions_kept", "3.13"),
    ("listeners_kept", "3.13"),
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str | None], Finished]:
    """Run all of them side by side: each has its own database, and none may disturb another."""
    folder = tmp_path_factory.mktemp("six")
    options = ["--duration", f"{DURATION_SECONDS}s", "--memory-limit", "192MiB", "--quiet"]
    runs = {}
    with ExitStack() as stack:
        for app, version in RUNS:
            executable = interpreter(version) if version else sys.executable
            if executable is not None:
                command = [executable, str(APPS / f"{app}.py")]
                runs[app, version] = Run(folder / f"{app}-{version}", options, command)
                stack.callback(runs[app, version].end)
        return {key: run.wait(timeout=DURATION_SECONDS + 400) for key, run in runs.items()}


@pytest.mark.parametrize("version", [None, "3.13"])
@pytest.mark.parametrize(
    ("app", "text"), [("sessions_kept", '{"id": number'), ("listeners_kept", "body = [")]
)
def test_a_leak_in_the_python_heap_is_judged_with_its_line(
    finished: dict[tuple[str, str | None], Finished], app: str, text: str, version: str | None
) -> None:
    if (app, version) not in finished:
        pytest.skip(f"no CPython {version} on this machine")
    verdict = finished[app, version].verdict
    assert verdict["verdict"] == "Leaking", verdict["headline"]
    first_three = [(Path(site["file"]).name, site["line"]) for site in verdict["sites"][:3]]
    assert (f"{app}.py", line_of(app, text)) in first_three
    assert verdict["growth_bytes_per_second"] > 0
    assert verdict["since"] is not None


def test_a_leak_outside_of_the_python_heap_is_judged(
    finished: dict[tuple[str, str | None], Finished],
) -> None:
    verdict = finished["frames_kept", None].verdict
    assert verdict["verdict"] == "Leaking", verdict["headline"]
    assert verdict["growth_bytes_per_second"] == pytest.approx(96 * 96 * 8 * 10, rel=0.35)


@pytest.mark.parametrize(
    ("app", "right"),
    [
        ("warm_up", {"Healthy"}),
        ("bounded_cache", {"Healthy", "CacheFilling"}),
        ("batches", {"Healthy"}),
    ],
)
def test_a_healthy_program_is_never_convicted(
    finished: dict[tuple[str, str | None], Finished], app: str, right: set[str]
) -> None:
    verdict = finished[app, None].verdict
    assert verdict["verdict"] in right, verdict["headline"]
    assert "Leaking" not in {entry["verdict"] for entry in verdict["history"]}


def test_the_report_says_what_the_run_cost(finished: dict[tuple[str, str | None], Finished]) -> None:
    components = {
        component["name"]: component
        for component in finished["sessions_kept", None].report["cost"]["components"]
    }
    assert components["sidecar"]["peak_rss_bytes"] <= 48 * 2**20
    assert components["collector"]["peak_rss_bytes"] <= 200 * 2**20
    assert {"database", "probe"} <= components.keys()
