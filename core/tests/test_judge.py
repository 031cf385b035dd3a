"""What the judge says about whole runs: odd ones here, generated families in test_families."""

import dataclasses
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from eager import judge, replay

from memwarden_core import gates
from memwarden_core.code import is_library, short_path, site_frame
from memwarden_core.decision import decided_by
from memwarden_core.fingerprint import site_fingerprint
from memwarden_core.recording import Frame, MemoryLimit, ProcessInfo, Recording, Series, SeriesKey
from memwarden_core.settings import JudgeSettings, Sensitivity
from memwarden_core.signals import HEAP_LIVE, MEMORY_ANON, OBJECTS_COUNT, OBJECTS_SIZE, PROCESS_MEMORY_ANON
from memwarden_core.synthetic import (
    EPOCH,
    MB,
    Shape,
    SyntheticProcess,
    SyntheticSite,
    after,
    at_batch_end,
    constant,
    first_in_first_out,
    for_ever,
    record,
)  # fmt: skip
from memwarden_core.verdict import Kind, Verdict

REQUESTS = SyntheticSite("handle", constant(2 * MB), after(0.6))
GARBAGE = SyntheticSite("render", constant(0.5 * MB), at_batch_end(7))
LEAK = SyntheticSite("remember", constant(0.5 * MB, 3), for_ever)


def service(*sites: SyntheticSite, **options: object) -> Shape:
    return Shape([SyntheticProcess([REQUESTS, GARBAGE, *sites])], **options)  # type: ignore[arg-type]


def last(recording: Recording) -> Verdict:
    return list(replay(recording))[-1]


def bare(time: np.ndarray, value: np.ndarray, processes: tuple[ProcessInfo, ...] = ()) -> Recording:
    end = float(time[-1]) if len(time) else EPOCH
    return Recording(
        "s", "app", EPOCH, end, 1.0, None, processes, {SeriesKey(MEMORY_ANON): Series(time, value)}
    )


def process(ended: bool = False, last_seen: float = EPOCH + 1000, started: float = EPOCH) -> ProcessInfo:
    return ProcessInfo(7, None, started, last_seen, ended, "app", "app", "", False, "no Python")


# ── A leak, told as people want to hear it ───────────────────────────────────────────────────────────────
def test_a_leak_of_half_a_megabyte_a_second_is_told_within_a_tenth_of_its_time() -> None:
    verdicts = list(replay(record(service(LEAK), 120, 1)))
    first = next(verdict for verdict in verdicts if verdict.kind is Kind.LEAKING)
    assert first.at - EPOCH <= 105  # of some thousand to the limit
    assert first.sites[0].function == "remember"
    assert first.headline.startswith("LEAKING, ")
    assert "shop/remember.py:12 remember() holds" in first.headline
    assert "the 512 MiB limit is reached in" in first.headline
    assert first.since is not None
    assert abs(first.since - EPOCH - 3) < 10
    assert first.growth_bytes_per_second == pytest.approx(0.54 * MB, rel=0.15)
    assert first.forecast is not None
    assert first.forecast.p10 <= first.forecast.p50 <= first.forecast.p90
    assert first.at_risk
    assert 0.7 < first.confidence <= 0.98
    assert first.advice
    assert "remember()" in first.cause


@pytest.mark.parametrize("sensitivity", [Sensitivity.NORMAL, Sensitivity.HIGH])
@pytest.mark.parametrize(("interval", "minutes"), [(1.0, 5), (2.0, 5), (5.0, 5), (15.0, 20)])
@pytest.mark.parametrize("megabytes_per_second", [0.09, 0.5])
def test_a_leak_of_one_percent_of_the_limit_a_minute_is_told_within_what_is_promised(
    megabytes_per_second: float, interval: float, minutes: int, sensitivity: Sensitivity
) -> None:
    leak = SyntheticSite("remember", constant(megabytes_per_second * MB * interval, 3), for_ever)
    shape = Shape([SyntheticProcess([REQUESTS, GARBAGE, leak])])
    recording = record(shape, round(minutes * 60 / interval), 1, interval)
    verdicts = list(replay(recording, settings=JudgeSettings.of(sensitivity)))
    assert verdicts[-1].kind is Kind.LEAKING, verdicts[-1].reason


def test_its_bounded_twin_never_is_and_is_healthy_at_the_end() -> None:
    cache = SyntheticSite("remember", constant(0.5 * MB, 3), first_in_first_out(25))
    for seed in range(5):
        verdicts = list(replay(record(service(cache), 110, seed)))
        assert all(verdict.kind is not Kind.LEAKING for verdict in verdicts)
        assert verdicts[-1].kind is Kind.HEALTHY
        assert "memory stays at" in verdicts[-1].headline


def test_one_judgement_of_a_whole_recording_without_history_convicts_too() -> None:
    recording = record(service(LEAK), 120, 2)
    assert judge(recording, now=recording.ended).kind is Kind.LEAKING


def test_nothing_later_than_now_is_looked_at() -> None:
    long = record(service(LEAK), 120, 3)
    now = EPOCH + 60.5
    cut = dataclasses.replace(
        long,
        ended=now,
        series={
            key: Series(one.time[one.time <= now], one.value[one.time <= now])
            for key, one in long.series.items()
        },
        profiles=tuple(profile for profile in long.profiles if profile.time <= now),
    )
    assert judge(long, now=now) == judge(cut, now=now)


def test_a_first_judgement_of_a_leak_waits_for_a_second() -> None:
    recording = record(service(LEAK), 120, 4)
    healthy = dataclasses.replace(judge(recording, now=EPOCH + 20))
    first = judge(recording, now=EPOCH + 100, previous=[healthy])
    assert first.kind is Kind.GROWING
    assert "judgements must agree on it for 4 s" in first.reason
    assert judge(recording, now=EPOCH + 105, previous=[healthy, first]).kind is Kind.LEAKING


def test_a_history_that_lost_its_gates_does_not_hold_up_a_leak() -> None:
    recording = record(service(LEAK), 120, 4)
    growing = dataclasses.replace(judge(recording, now=EPOCH + 40), gates=())
    assert growing.kind is Kind.GROWING
    assert judge(recording, now=EPOCH + 100, previous=[growing]).kind is Kind.LEAKING


def test_a_cache_that_is_full_does_not_waver() -> None:
    for seed in range(5):
        cache = SyntheticSite("cached", constant(1 * MB, 3), after(25))
        verdicts = list(replay(record(service(cache), 240, seed)))
        assert verdicts[-1].kind is Kind.HEALTHY
        assert sum(one.kind is not two.kind for one, two in pairwise(verdicts)) <= 5


def test_a_leak_that_stops_is_taken_back_only_after_a_while() -> None:
    leak = SyntheticSite("remember", constant(0.8 * MB, 3, 120), for_ever)
    verdicts = list(replay(record(service(leak), 300, 5)))
    kinds = {round(verdict.at - EPOCH): verdict.kind for verdict in verdicts}
    assert kinds[120] is kinds[130] is Kind.LEAKING
    assert verdicts[-1].kind in (Kind.HEALTHY, Kind.CACHE_FILLING)
    changes = sum(one.kind is not two.kind for one, two in pairwise(verdicts))
    assert changes <= 6


def test_memory_given_back_ends_a_leak_at_once() -> None:
    batch = SyntheticSite("remember", constant(0.8 * MB, 3), at_batch_end(150))
    kinds = {round(verdict.at - EPOCH): verdict.kind for verdict in replay(record(service(batch), 175, 6))}
    assert kinds[140] is Kind.LEAKING
    assert kinds[165] is not Kind.LEAKING


def test_a_restart_of_the_leaking_process_does_not_end_the_leak() -> None:
    shape = Shape([SyntheticProcess([LEAK], 60 * MB, begin, begin + 120) for begin in (0.0, 120.0)])
    kinds = {round(verdict.at - EPOCH): verdict.kind for verdict in replay(record(shape, 220, 7))}
    assert kinds[115] is kinds[135] is kinds[220] is Kind.LEAKING


def test_the_end_of_the_run_does_not_change_the_verdict() -> None:
    shape = Shape([SyntheticProcess([REQUESTS, LEAK], 60 * MB, 0, 118)])
    assert last(record(shape, 118, 8)).kind is Kind.LEAKING


def test_the_last_sample_of_a_program_that_has_gone_takes_no_leak_back() -> None:
    """It is read as nothing before the end of the process is known."""
    whole = record(Shape([SyntheticProcess([REQUESTS, LEAK], 60 * MB)]), 130, 8)
    series = {
        key: Series(one.time, np.where(one.time < one.time[-1] - 2.5, one.value, 0.0))
        if key.metric in (MEMORY_ANON, PROCESS_MEMORY_ANON)
        else one
        for key, one in whole.series.items()
    }
    verdict = last(dataclasses.replace(whole, series=series))
    assert verdict.kind is Kind.LEAKING
    assert (verdict.anon_bytes or 0) > 100 * MB


def test_c_memory_is_convicted_later_and_without_a_site() -> None:
    native = SyntheticSite("array", constant(1 * MB, 3), for_ever, sampled=False)
    verdicts = list(replay(record(service(native), 150, 9)))
    first = next(verdict for verdict in verdicts if verdict.kind is Kind.LEAKING)
    assert 80 <= first.at - EPOCH <= 115
    assert "no allocation site" in first.headline
    assert first.fingerprint is not None


def test_processes_that_cannot_be_hooked_are_judged_from_outside() -> None:
    shape = Shape([SyntheticProcess([LEAK], 60 * MB, hooked=False)])
    verdict = last(record(shape, 150, 10))
    assert verdict.kind is Kind.LEAKING
    assert not verdict.sites
    assert "no process tells of its allocation sites" in verdict.cause


def test_growth_with_the_load_is_not_called_a_leak_while_both_rise() -> None:
    def load(tick: np.ndarray) -> np.ndarray:
        return 0.1 * (1 + tick / 30)

    connections = SyntheticSite("connect", lambda tick: 4 * MB * load(tick), after(12))
    requests = SyntheticSite("handle", lambda tick: 20 * MB * load(tick), after(0.5))
    shape = Shape([SyntheticProcess([connections, requests], 50 * MB)], load=load)
    assert all(verdict.kind is not Kind.LEAKING for verdict in replay(record(shape, 200, 11)))


def test_memory_held_after_a_peak_is_fragmented() -> None:
    peak = SyntheticSite(
        "load_all",
        lambda tick: np.where((tick > 40) & (tick < 50), 6 * MB, 0),
        lambda birth, _: birth * 0 + 70,
    )
    shape = service(peak, added=lambda tick: np.where(tick > 70, 1.05 * 54 * MB, 0.0))
    verdicts = list(replay(record(shape, 260, 12)))
    assert Kind.FRAGMENTED in {verdict.kind for verdict in verdicts}
    assert Kind.LEAKING not in {verdict.kind for verdict in verdicts}


def test_growing_types_are_listed() -> None:
    recording = record(service(LEAK), 120, 13)
    tick = np.arange(0, 120, 10.0)
    series = dict(recording.series)
    series[SeriesKey(OBJECTS_COUNT, 0, "Order")] = Series(EPOCH + tick, 100 + 50 * tick)
    series[SeriesKey(OBJECTS_SIZE, 0, "Order")] = Series(EPOCH + tick, 64 * (100 + 50 * tick))
    series[SeriesKey(OBJECTS_COUNT, 0, "dict")] = Series(EPOCH + tick, 5000 + 0 * tick)
    verdict = judge(dataclasses.replace(recording, series=series), now=recording.ended)
    assert [one.name for one in verdict.types] == ["Order"]
    assert verdict.types[0].growth_count_per_second == pytest.approx(50, rel=0.01)


# ── Odd recordings ───────────────────────────────────────────────────────────────────────────────────────
def test_an_empty_recording_is_unknown() -> None:
    verdict = judge(bare(np.empty(0), np.empty(0)), now=EPOCH + 5)
    assert verdict.kind is Kind.UNKNOWN
    assert "no sample" in verdict.reason
    assert [gate.name for gate in verdict.gates] == list(gates.NAMES)


def test_a_program_of_three_seconds_ran_too_short() -> None:
    seconds = EPOCH + np.arange(4.0)
    recording = bare(seconds, np.full(4, 5e7), (process(True, EPOCH + 3),))
    verdict = judge(recording, now=EPOCH + 3.5)
    assert verdict.kind is Kind.UNKNOWN
    assert "ran only 3 s" in verdict.reason


def test_a_program_that_started_just_now_warms_up() -> None:
    seconds = EPOCH + np.arange(12.0)
    verdict = judge(bare(seconds, np.linspace(1e7, 9e7, 12), (process(),)), now=EPOCH + 11)
    assert verdict.kind is Kind.WARMING_UP


def test_of_memory_that_rose_as_by_chance_it_is_not_said_that_it_stays() -> None:
    seconds = EPOCH + np.arange(240.0)
    # Few steps, of all sizes, at any moment: a drift of 2 to 3 standard errors.
    steps = np.zeros(240)
    steps[[20, 47, 61, 112, 118, 160, 171, 230]] = np.array([1, 6, 0.5, 3, 0.3, 5, 0.4, 2]) * MB
    verdict = judge(bare(seconds, 40 * MB + np.cumsum(steps), (process(),)), now=EPOCH + 240)
    assert verdict.kind is Kind.HEALTHY
    assert "memory is at 5" in verdict.headline
    assert "chance may have done it" in verdict.headline
    assert verdict.confidence < 0.9


def test_silence_is_unknown() -> None:
    seconds = EPOCH + np.arange(100.0)
    verdict = judge(bare(seconds, np.full(100, 5e7), (process(),)), now=EPOCH + 200)
    assert verdict.kind is Kind.UNKNOWN
    assert "no sample for 101 s" in verdict.reason


def test_not_a_number_and_clocks_that_jump_are_passed_over() -> None:
    generator = np.random.default_rng(1)
    seconds = EPOCH + np.arange(200.0)
    seconds[60:70] -= 50
    value = 5e7 + generator.normal(0, 1e5, 200)
    value[::7] = np.nan
    value[100] = np.inf
    verdict = judge(bare(seconds, value, (process(),)), now=EPOCH + 199)
    assert verdict.kind is Kind.HEALTHY


@pytest.mark.parametrize("value", [0.0, 1.0, 1e15])
def test_constant_memory_is_healthy(value: float) -> None:
    seconds = EPOCH + np.arange(200.0)
    assert judge(bare(seconds, np.full(200, value), (process(),)), now=EPOCH + 199).kind is Kind.HEALTHY


def test_no_limit_means_no_forecast() -> None:
    verdict = last(record(service(LEAK, limit_bytes=None), 200, 14))
    assert verdict.kind is Kind.LEAKING
    assert verdict.forecast is None
    assert not verdict.at_risk


def test_random_recordings_never_raise_and_hold_only_finite_numbers() -> None:
    generator = np.random.default_rng(2)
    for _ in range(150):
        size = int(generator.integers(0, 300))
        interval = float(generator.choice([0.1, 1.0, 15.0]))
        seconds = EPOCH + np.cumsum(generator.exponential(interval, size))
        value = np.abs(np.cumsum(generator.standard_cauchy(size))) * 1e6
        value[generator.uniform(size=size) < 0.05] = np.nan
        key = SeriesKey(HEAP_LIVE if generator.integers(2) else PROCESS_MEMORY_ANON, 0)
        recording = Recording(
            "s", "app", EPOCH, EPOCH + 1e4, interval, MemoryLimit(1e9, "available"),
            (process(bool(generator.integers(2)), EPOCH + 100),),
            {SeriesKey(MEMORY_ANON): Series(seconds, value), key: Series(seconds, value * 0.6)},
        )  # fmt: skip
        now = EPOCH + float(generator.uniform(0, 1.2 * max(1, size) * interval))
        verdict = judge(recording, now=now)
        numbers = [
            verdict.confidence,
            verdict.growth_bytes_per_second,
            *(gate.value for gate in verdict.gates),
        ]
        numbers += [*(verdict.growth_interval or ()), verdict.anon_bytes, verdict.since]
        if verdict.forecast is not None:
            numbers += [verdict.forecast.p10, verdict.forecast.p50, verdict.forecast.p90]
        assert all(math.isfinite(number) for number in numbers if number is not None)
        assert [gate.name for gate in verdict.gates] == list(gates.NAMES)
        assert verdict.headline
        gate = decided_by(verdict)
        assert gate is None or gate.passed is (verdict.kind is Kind.LEAKING)


def test_a_short_run_shows_its_sites_however_late_its_end_is_noticed() -> None:
    recording = record(service(LEAK), 12, seed=3)
    (app,) = recording.processes
    ended = dataclasses.replace(app, ended=True)
    late = dataclasses.replace(recording, processes=(ended,), ended=recording.ended + 30)
    told = judge(late, now=late.ended + 1)
    assert told.kind is Kind.UNKNOWN
    assert "remember" in {site.function for site in told.sites}


def test_of_fifty_busy_sites_over_an_hour_the_one_that_leaks_is_named() -> None:
    """How long that takes is measured by benchmarks/judge_fleet.py."""
    sites = [SyntheticSite(f"site{number}", constant(0.05 * MB), after(60)) for number in range(49)]
    recording = record(Shape([SyntheticProcess([*sites, LEAK])], limit_bytes=8 * 2.0**30), 3600, 15)
    verdict = judge(recording, now=recording.ended)
    assert verdict.kind is Kind.LEAKING
    assert verdict.sites[0].function == LEAK.function


# ── Sites and fingerprints ───────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("file", "library"),
    [
        ("/usr/lib/python3.11/json/decoder.py", True),
        ("/home/a/.venv/lib/python3.12/site-packages/flask/app.py", True),
        ("/usr/lib/python3/dist-packages/yaml/__init__.py", True),
        ("C:\\Python\\Lib\\site-packages\\flask\\app.py", True),
        ("<frozen importlib._bootstrap>", True),
        ("<string>", True),
        ("/opt/runtime/queue.py", True),
        ("/opt/runtimes/app.py", False),
        ("/srv/shop/cache.py", False),
        ("app.py", False),
    ],
)
def test_code_of_libraries_is_told_from_the_users(file: str, library: bool) -> None:
    assert is_library(file, ("/opt/runtime",)) is library


def test_the_nearest_frame_of_the_user_stands_for_a_stack() -> None:
    library = Frame("/usr/lib/python3.11/json/decoder.py", 1, "decode")
    own, outer = Frame("/srv/a.py", 2, "load"), Frame("/srv/b.py", 3, "main")
    frozen, typed = Frame("<frozen runpy>", 4, "run"), Frame("<string>", 5, "<module>")
    assert site_frame((library, own, outer)) == own
    assert site_frame((library, typed)) == typed
    assert site_frame((library, library._replace(line=9), frozen)) == library._replace(line=9)
    assert site_frame(()) is None
    assert short_path("/srv/deep/shop/cache.py") == "shop/cache.py"


def test_a_fingerprint_survives_lines_versions_and_folders_but_not_another_function() -> None:
    site = last(record(service(LEAK), 100, 1)).sites[0]
    moved = dataclasses.replace(
        site, line=99, stack=tuple(frame._replace(line=frame.line + 5) for frame in site.stack)
    )
    elsewhere = dataclasses.replace(
        site, stack=tuple(frame._replace(file=frame.file.replace("/srv", "/app")) for frame in site.stack)
    )
    other = dataclasses.replace(
        site, stack=tuple(frame._replace(function=frame.function + "2") for frame in site.stack)
    )
    known = site_fingerprint(site, "cpython 3.11.7")
    assert known == site_fingerprint(moved, "cpython 3.12.1") == site_fingerprint(elsewhere, "cpython 3.11.7")
    assert known != site_fingerprint(other, "cpython 3.11.7")


def test_every_gate_and_setting_is_documented() -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "judge.md"
    text = page.read_text(encoding="utf-8")
    for name in (*gates.NAMES, *(field.name for field in dataclasses.fields(JudgeSettings))):
        assert f"`{name}`" in text, name
    for field in dataclasses.fields(JudgeSettings):
        shown = field.default if isinstance(field.default, str) else f"{field.default:.6g}"
        assert f"| `{field.name}` | {shown} |" in text, field.name


def test_every_setting_that_the_dial_moves_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "reference" / "judge.md").read_text(encoding="utf-8")
    positions = [JudgeSettings.of(sensitivity) for sensitivity in Sensitivity]
    for field in dataclasses.fields(JudgeSettings):
        values = [getattr(one, field.name) for one in positions]
        if field.name != "sensitivity" and len(set(values)) > 1:
            row = " | ".join(f"{value:g}" for value in values)
            assert f"| `{field.name}` | {row} |" in text, field.name


def test_what_one_run_may_say_many_may_not() -> None:
    """What is rare enough for one workload alone can be common among many of them."""
    recording = record(_leaking_shape(0.08), 220, 5)
    alone = judge(recording, now=recording.ended)
    assert alone.kind is Kind.LEAKING
    assert 0 < alone.chance < 1e-3
    among_many = judge(recording, now=recording.ended, allowed_chance=alone.chance / 2)
    assert among_many.kind is Kind.GROWING
    assert "among so many workloads" in among_many.reason
    assert judge(recording, now=recording.ended, allowed_chance=alone.chance).kind is Kind.LEAKING


@pytest.mark.parametrize(
    "shape", [service(LEAK), Shape([SyntheticProcess([dataclasses.replace(LEAK, sampled=False)])])]
)
def test_a_leak_that_is_known_of_the_workload_is_called_after_a_third_of_the_time(shape: Shape) -> None:
    recording = record(shape, 130, 2)
    fingerprint = last(recording).fingerprint
    assert fingerprint is not None

    def called_after(known: tuple[str, ...]) -> float:
        previous: tuple[Verdict, ...] = ()
        for tick in range(5, 130, 5):
            verdict = judge(recording, now=EPOCH + tick, previous=previous, known=known)
            if verdict.kind is Kind.LEAKING:
                assert verdict.fingerprint == fingerprint
                return next(gate.threshold or 0.0 for gate in verdict.gates if gate.name == "lasting")
            previous = (verdict,)
        raise AssertionError("never called")

    usual = called_after(("another",))
    assert called_after((fingerprint,)) == pytest.approx(usual * JudgeSettings().known_share, rel=0.35)


def _leaking_shape(rate: float) -> Shape:
    """A slow leak in noise."""
    leak = SyntheticSite("remember", constant(rate * MB), for_ever)
    return Shape([SyntheticProcess([leak], 60 * MB)], noise_bytes=1.0 * MB)


# ── What the owner of a recording wants ──────────────────────────────────────────────────────────────────
def first_after_warm_up(labels: dict[str, str]) -> float:
    """Seconds from the start to the first verdict that is one."""
    recording = dataclasses.replace(record(service(LEAK), 150, 1), labels=labels)
    verdicts = replay(recording)
    return next(verdict.at for verdict in verdicts if verdict.kind is not Kind.WARMING_UP) - EPOCH


def test_a_longer_warm_up_is_waited_for() -> None:
    assert first_after_warm_up({}) < 60
    assert 100 <= first_after_warm_up({"warm_up_seconds": "100"}) < 130


def test_the_dial_moves_the_moment() -> None:
    recording = record(service(LEAK), 700, 1)

    def called(sensitivity: Sensitivity) -> float:
        labelled = dataclasses.replace(recording, labels={"sensitivity": sensitivity.value})
        return next(verdict.at for verdict in replay(labelled) if verdict.kind is Kind.LEAKING)

    assert called(Sensitivity.HIGH) < called(Sensitivity.NORMAL) < called(Sensitivity.LOW)


@pytest.mark.parametrize(
    "labels",
    [
        {"sensitivity": "utmost"},
        {"warm_up_seconds": "soon"},
        {"warm_up_seconds": "-5"},
        {"warm_up_seconds": "inf"},
    ],
)
def test_a_wish_that_can_t_be_read_changes_nothing(labels: dict[str, str]) -> None:
    assert JudgeSettings().wished(labels, 1.0) == JudgeSettings()


def test_a_warm_up_is_counted_in_ticks_and_never_ends_before_the_interpreter_has_settled() -> None:
    assert JudgeSettings().wished({"warm_up_seconds": "60"}, 5.0).warm_up_ticks == 12
    assert JudgeSettings().wished({"warm_up_seconds": "1"}, 5.0).warm_up_ticks == 6
