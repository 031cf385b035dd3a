"""A part of a recording is cut and judged again."""

from dataclasses import replace
from typing import Any

import pytest

from memwarden.errors import Failed, Usage
from memwarden.report.selection import JUDGED_ROWS, Selection, between, judged, moment, of_process
from memwarden_core.recording import Event, SeriesKey
from memwarden_core.signals import PROCESS_MEMORY_ANON
from memwarden_core.synthetic import EPOCH


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5s", 5), ("1m", 60), ("-30s", 120), ("start", 0), ("2027-01-15T08:00:10Z", 10),
     ("2027-01-15T09:00:10+01:00", 10), ("2027-01-15 08:00:10", 10)],
)  # fmt: skip
def test_moments_as_people_type_them(make: Any, text: str, seconds: float) -> None:
    recording = replace(make.leak(), ended=EPOCH + 150)
    assert moment(text, "--from", recording) - EPOCH == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["yesterday", "2027-13-01", "5 apples", "-", ""])
def test_what_is_no_moment_is_refused(make: Any, text: str) -> None:
    with pytest.raises(Usage, match="--from"):
        moment(text, "--from", make.leak())


def test_a_range_holds_only_what_lies_in_it_and_is_judged_alone(make: Any) -> None:
    recording = replace(
        make.leak(), events=(Event(EPOCH + 1, "run-started", ""), Event(EPOCH + 50, "verdict", ""))
    )
    part = make.chosen(recording, Selection(begin="40s", end="90s"))
    for series in part.recording.series.values():
        assert series.time[0] >= EPOCH + 40
        assert series.time[-1] <= EPOCH + 90
    assert {one.kind for one in part.recording.events} == {"verdict"}
    assert 35 < part.recording.profiles[0].time - EPOCH < 46
    whole = make.chosen(recording).report.verdicts[0]
    assert (whole.verdict, part.report.verdicts[0].verdict) == ("Leaking", "Growing")
    assert any(note.startswith("Judged from 2027-01-15 08:00:40 to 08:01:30") for note in part.report.notes)


def test_a_range_without_anything_is_refused_with_what_there_is(make: Any) -> None:
    recording = make.leak()
    with pytest.raises(Failed, match="goes from 2027-01-15T08:00:00Z"):
        between(recording, EPOCH + 1000, EPOCH + 1100)
    with pytest.raises(Usage, match="not before"):
        between(recording, EPOCH + 50, EPOCH + 50)


def test_processes_that_a_range_never_saw_are_gone_and_the_others_keep_their_series(make: Any) -> None:
    base = make.leak()
    gone = replace(base.processes[0], pid=50, last_seen=EPOCH + 20, ended=True)
    series = {
        key if key.process is None else key._replace(process=1): value for key, value in base.series.items()
    }
    both = replace(
        base, processes=(gone, base.processes[0]), series=series,
        profiles=tuple(replace(one, process=1) for one in base.profiles),
    )  # fmt: skip
    part = between(both, EPOCH + 60, EPOCH + 150)
    assert [one.pid for one in part.processes] == [100]
    assert SeriesKey(PROCESS_MEMORY_ANON, 0) in part.series
    assert {one.process for one in part.profiles} == {0}


def test_one_process_is_judged_without_the_limit_of_all(make: Any) -> None:
    base = make.leak(ticks=220)
    alone, note = of_process(base, 100)
    assert alone.limit is None
    assert "counts all processes" in note
    assert all(key.process == 0 for key in alone.series)
    report = make.chosen(base, Selection(pid=100)).report
    assert report.verdicts[0].verdict == "Leaking"
    assert report.verdicts[0].limit is None
    with pytest.raises(Failed, match=r"no process 4711 .* there are: 100"):
        of_process(base, 4711)


def test_the_verdicts_over_time_are_made_again(make: Any) -> None:
    history = make.chosen(make.leak()).report.verdicts[0].history
    kinds = [entry.verdict for entry in history]
    assert kinds[0] == "WarmingUp"
    assert kinds[-1] == "Leaking"
    assert [entry.at for entry in history] == sorted(entry.at for entry in history)


def test_of_a_large_recording_as_many_profiles_are_judged_as_a_second_allows(make: Any) -> None:
    large = make.many_stacks(6000, depth=4, moments=60)
    thinned = judged(large)
    assert len(large.profiles) == 60
    assert len(thinned.profiles) * 6000 <= 2 * JUDGED_ROWS
    assert thinned.profiles[0] is large.profiles[0]
    assert thinned.profiles[-1] is large.profiles[-1]
    notes = make.chosen(large).report.notes
    assert any("verdicts over time were not made again" in note for note in notes)
