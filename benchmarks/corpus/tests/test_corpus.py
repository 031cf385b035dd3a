"""The corpus holds together: every label fits its program, every recording its label, and nothing grew out of hand."""

import ast
import json
import sys
from itertools import pairwise

import pytest
from corpus.errors import LabelError
from corpus.generated import CASES, make
from corpus.labels import CORPUS, LOADS, RECORDINGS, SPLITS, Program, fleets, programs, side_of
from corpus.runs import Run, of_fleet, of_program
from corpus.split import assign

from memwarden_core.recording import SeriesKey
from memwarden_core.recording_file import read_recording
from memwarden_core.signals import MEMORY_ANON

PROGRAMS = programs()
RUNS = [run for program in PROGRAMS for run in of_program(program)]
RUNS += [run for fleet in fleets() for run in of_fleet(fleet)]


def test_there_are_enough_programs_and_enough_of_them_are_healthy() -> None:
    own = [program for program in PROGRAMS if not program.family.startswith("reported")]
    healthy = [program for program in own if not program.leak]
    reported = [program for program in PROGRAMS if program.leak and program.origin != "own"]
    assert len(PROGRAMS) >= 60
    assert len(healthy) >= 25
    assert len(healthy) >= 0.4 * len(own)
    assert len(reported) >= 6
    assert all(len(program.loads) >= 2 for program in PROGRAMS)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_each_program_compiles_and_says_what_it_is(program: Program) -> None:
    tree = ast.parse(program.path.read_text(), filename=program.path.name)
    assert ast.get_docstring(tree)


def test_each_program_file_has_a_label() -> None:
    labelled = {program.path for program in PROGRAMS} | {fleet.path for fleet in fleets()}
    assert set((CORPUS / "programs" / "python").glob("*.py")) == labelled


def test_each_part_is_large_and_has_about_as_many_leaks_as_healthy_programs() -> None:
    """Not halves: a test part that was looked at becomes training, and a new one is written (README).

    Until then there is none."""
    for side in SPLITS:
        part = [program for program in PROGRAMS if program.split == side]
        if side == "test" and not part:
            continue
        assert len(part) >= 28
        assert 0.4 <= sum(program.leak for program in part) / len(part) <= 0.6


def test_what_is_in_a_part_stays_there() -> None:
    known = {"a": "test", "b": "train"}
    groups = {
        "a": [("a", "one")],
        "b": [("b", "one")],
        "c": [("c", "one"), ("a", "one")],
        "d": [("d", "two")],
    }
    parts = assign(known, groups)
    assert parts["a"] == "test"
    assert parts["b"] == "train"
    assert parts["c"] == "test"  # it belongs together with a
    assert parts["d"] == "train"  # the smaller part


def test_a_part_of_test_is_test_and_keeps_its_own() -> None:
    known = {"a": "test_20261122b", "b": "train"}
    groups = {"a": [("a", "one"), ("c", "one")], "b": [("b", "one")], "d": [("d", "one")]}
    parts = assign(known, groups)
    assert parts == {"a": "test_20261122b", "b": "train", "c": "test_20261122b", "d": "train"}
    assert side_of("test_20261122b") == "test"
    assert all(program.split == side_of(program.part) for program in PROGRAMS)


def test_a_list_that_is_no_part_is_refused(tmp_path, monkeypatch) -> None:
    import corpus.labels as labels

    monkeypatch.setattr(labels, "CORPUS", tmp_path)
    (tmp_path / "split.toml").write_text('train = ["a"]\ntset = ["b"]\n')
    with pytest.raises(LabelError, match="'tset' is neither"):
        labels._split()


def test_every_recording_has_a_label_and_every_label_its_recordings() -> None:
    expected = {run.target for run in RUNS}
    assert set(RECORDINGS.rglob("*.mwrec")) == expected
    assert set(RECORDINGS.rglob("*.json")) == {run.origin for run in RUNS}


def test_no_recording_is_older_than_its_program() -> None:
    stale = [run.target.name for run in RUNS if not run.current()]
    assert not stale, "run make corpus"


@pytest.mark.parametrize("part", range(4))
def test_recordings_can_be_read_and_hold_what_the_judge_needs(part: int) -> None:
    for run in RUNS[part::4]:
        with run.target.open("rb") as stream:
            recording = read_recording(stream)
        anon = recording.series[SeriesKey(MEMORY_ANON)]
        origin = json.loads(run.origin.read_text())
        assert anon.time.size == origin["ticks"] >= run.fewest_ticks, run.target.name
        assert recording.limit is not None
        assert recording.limit.bytes == run.limit_bytes
        assert recording.labels["program"] in run.path.name
        assert recording.profiles
        assert all(before < after for before, after in pairwise(anon.time.tolist()))


def test_recordings_name_no_folder_of_the_machine_that_made_them() -> None:
    for run in RUNS[::7]:
        with run.target.open("rb") as stream:
            recording = read_recording(stream)
        known = ("/srv/app", "/opt/", "/usr/", "/bin/", "<", "/lib")
        files = {frame.file for stack in recording.stacks for frame in stack}
        files |= {process.executable for process in recording.processes}
        assert all(file.startswith(known) or not file for file in files), run.target.name


def test_recordings_stay_small() -> None:
    assert sum(run.target.stat().st_size for run in RUNS) <= 40 * 2**20


def test_fleets_are_groups_of_one_program() -> None:
    assert {fleet.name for fleet in fleets()} >= {"one_of_four", "all_of_three", "new_version"}
    for fleet in fleets():
        assert len(fleet.replicas) >= 3
        assert {replica.load for replica in fleet.replicas} <= set(LOADS)


@pytest.mark.parametrize("case", CASES[:1], ids=lambda case: case.name)
def test_generated_series_are_the_same_for_a_seed_and_marked(case) -> None:
    one, again = make(case, 3), make(case, 3)
    key = SeriesKey(MEMORY_ANON)
    assert one.series[key].value.tolist() == again.series[key].value.tolist()
    assert one.labels["generated"]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ('verdicts = ["Healthy"]', "leak is True"),
        ('loads = ["steady"]', "at least two loads"),
        ('loads = ["steady", "sometimes"]', "loads is"),
        ('sites = ["nobody"]', "stands in"),
        ('limit = "much"', "not a size"),
        ("lead = true", "no such field"),
    ],
)
def test_a_wrong_label_is_refused_by_name(tmp_path, monkeypatch, change: str, complaint: str) -> None:
    import corpus.labels as labels

    fields = {
        "family": '"unbounded list"', "leak": "true", "verdicts": '["Leaking"]', "sites": '["keep"]',
        "loads": '["light", "heavy"]',
    }  # fmt: skip
    name, _, value = change.partition(" = ")
    fields[name] = value
    folder = tmp_path / "programs" / "python"
    folder.mkdir(parents=True)
    (folder / "kept.py").write_text("def keep(all):\n    all.append([1])  # LEAK\n")
    (tmp_path / "labels.toml").write_text(
        "[python.kept]\n" + "".join(f"{n} = {v}\n" for n, v in fields.items())
    )
    (tmp_path / "split.toml").write_text('train = ["kept"]\ntest = []\n')
    monkeypatch.setattr(labels, "CORPUS", tmp_path)
    with pytest.raises(LabelError, match=f"kept: .*{complaint}"):
        labels.programs.__wrapped__()


def test_recorder_knows_each_run_by_its_own_seed_and_digest() -> None:
    assert len({run.seed for run in RUNS}) == len(RUNS)
    assert len({run.digest() for run in RUNS}) == len(RUNS)
    assert all(isinstance(run, Run) for run in RUNS)
    assert sys.version_info >= (3, 11)
