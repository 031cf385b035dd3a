"""`memwarden report` from the outside: what it reads, what it writes, what it refuses in one sentence."""

import gzip
import io
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from memwarden.database import server
from memwarden.main import main
from memwarden_api.difference import Difference
from memwarden_api.report import Report
from memwarden_core.recording_file import write_recording

Kept = Callable[[str], Path]


@pytest.fixture(autouse=True)
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MEMWARDEN_DATABASE_URL", raising=False)


def test_all_formats_at_once_by_their_suffixes(kept: Kept, tmp_path: Path, capsys: Any) -> None:
    outputs = [tmp_path / f"r.{suffix}" for suffix in ("html", "md", "json")]
    words = [word for output in outputs for word in ("--output", str(output))]
    assert main(["report", str(kept("leak")), *words]) == 0
    assert outputs[0].read_text().startswith("<!doctype html>")
    assert outputs[1].read_text().startswith("## Memwarden: Leaking")
    assert Report.model_validate_json(outputs[2].read_text()).verdicts[0].verdict == "Leaking"
    assert capsys.readouterr().err.count("written: ") == 3


def test_without_an_output_it_goes_to_the_standard_output(kept: Kept, capsysbinary: Any) -> None:
    assert main(["report", "--keep", str(kept("leak"))]) == 0
    assert capsysbinary.readouterr().out.startswith(b"## Memwarden: Leaking")
    assert main(["report", str(kept("leak")), "--format", "html"]) == 0
    assert capsysbinary.readouterr().out.startswith(b"<!doctype html>")


def test_a_format_may_have_any_file_name(kept: Kept, tmp_path: Path) -> None:
    target = tmp_path / "report.out"
    assert main(["report", str(kept("leak")), "-o", str(target), "--format", "html"]) == 0
    assert target.read_text().startswith("<!doctype html>")


def test_a_range_and_a_process(kept: Kept, tmp_path: Path) -> None:
    target = tmp_path / "r.json"
    assert (
        main(["report", str(kept("leak")), "--from", "40s", "--to=-20s", "--pid", "100", "-o", str(target)])
        == 0
    )
    report = Report.model_validate_json(target.read_text())
    assert report.verdicts[0].limit is None
    assert 85 < (report.ended_at - report.started_at).total_seconds() < 95


def test_two_runs_in_three_formats(kept: Kept, tmp_path: Path) -> None:
    before, after = kept("leak"), kept("steady")
    for suffix in ("html", "md", "json"):
        target = tmp_path / f"d.{suffix}"
        assert main(["report", str(after), "--against", str(before), "-o", str(target)]) == 0
        assert "Better: memory no longer grows" in target.read_text()
    assert Difference.model_validate_json((tmp_path / "d.json").read_text()).before_name == "leak.mwrec"


@pytest.mark.parametrize("name", ["empty", "one-sample"])
def test_too_little_is_still_a_whole_report(kept: Kept, tmp_path: Path, name: str) -> None:
    for suffix in ("html", "md", "json"):
        target = tmp_path / f"r.{suffix}"
        assert main(["report", str(kept(name)), "-o", str(target)]) == 0
        assert "Unknown" in target.read_text()


def test_hostile_names_pass_through_a_file_into_every_format(make: Any, tmp_path: Path) -> None:
    kept = tmp_path / "hostile.mwrec"
    stream = io.BytesIO()
    write_recording(make.hostile(), stream)
    kept.write_bytes(stream.getvalue())
    for suffix in ("html", "md", "json"):
        target = tmp_path / f"r.{suffix}"
        assert main(["report", str(kept), "-o", str(target)]) == 0
        text = target.read_text(encoding="utf-8")
        assert "\x1b" not in text
        if suffix == "html":
            assert "<script>alert" not in text


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def _without_its_end(path: Path) -> None:
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    path.write_bytes(gzip.compress(b"".join(lines[:-1])))


def _newer(path: Path) -> None:
    text = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(text.replace(b'"version":1', b'"version":99', 1)))


def _text(path: Path) -> None:
    path.write_text("not a recording")


def _nothing(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_cut, "breaks off"),
        (_without_its_end, "its end is missing"),
        (_newer, "the recording has version 99"),
        (_text, "not a recording"),
        (_nothing, "kept.mwrec"),
    ],
)
def test_a_file_that_is_not_whole_is_refused_in_one_sentence(
    kept: Kept, tmp_path: Path, capsys: Any, damage: Callable[[Path], None], sentence: str
) -> None:
    path = kept("leak").rename(tmp_path / "kept.mwrec")
    damage(path)
    target = tmp_path / "r.html"
    assert main(["report", str(path), "-o", str(target)]) == 125
    said = capsys.readouterr().err
    assert said.startswith("memwarden: no report can be made of ")
    assert sentence in said
    assert said.count("\n") == 1
    assert not target.exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "nothing to report on"),
        (["{kept}", "--database-url", "postgresql://x"], "belong to a database"),
        (["{kept}", "--list"], "belong to a database"),
        (["{kept}", "--keep", "{kept}"], "name the same thing"),
        (["{kept}", "-o", "r.pdf"], "the suffix says the format"),
        (["{kept}", "-o", "/nowhere/at/all/r.html"], "does not exist; make it first"),
        (["{kept}", "-o", "{folder}"], "is a folder"),
        (["{kept}", "-o", "{folder}/r.md", "-o", "{folder}/r.md"], "twice"),
        (["{kept}", "--from", "soon"], "not a time"),
        (["{kept}", "--from", "50s", "--to", "20s"], "not before"),
        (["{kept}", "--pid", "1"], "there is no process 1"),
        (["{folder}/none.mwrec"], "can't be read"),
        (["{kept}", "--against", "{folder}/none.mwrec"], "can't be read"),
        (["--database-url", "postgresql://nobody@127.0.0.1:1/none"], "database"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(
    kept: Kept, tmp_path: Path, capsys: Any, words: list[str], sentence: str
) -> None:
    path = kept("leak")
    folder = tmp_path / "folder.html"
    folder.mkdir()
    words = [word.format(kept=path, folder=folder) for word in words]
    assert main(["report", *words]) == 125
    said = capsys.readouterr().err
    assert sentence in said
    assert said.startswith("memwarden: ")
    assert said.count("\n") == 1
    assert list(folder.iterdir()) == []


# ── Databases ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    parent = Path(tempfile.mkdtemp(prefix="mwr"))
    (parent / "database").mkdir(mode=0o700)
    before = os.environ.get("MEMWARDEN_CACHE")
    os.environ["MEMWARDEN_CACHE"] = str(tmp_path_factory.mktemp("cache") / "memwarden")
    started = server.start(parent / "database")
    yield started.url
    started.stop()
    shutil.rmtree(parent)
    os.environ.pop("MEMWARDEN_CACHE")
    if before is not None:
        os.environ["MEMWARDEN_CACHE"] = before


def test_a_database_without_our_data_is_refused(database_url: str, capsys: Any) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("drop schema if exists memwarden cascade")
    assert main(["report", "--database-url", database_url]) == 125
    assert "holds no data of Memwarden" in capsys.readouterr().err


def test_runs_in_a_database_are_listed_reported_and_compared(
    database_url: str, clean: Any, tmp_path: Path, capsys: Any
) -> None:
    code = "import time; kept = []\nfor n in range(25): kept.append('x' * 10**6); time.sleep(0.1)"
    for _ in range(2):
        run = clean.memwarden(
            "run", "--interval", "200ms", "--quiet", "--database-url", database_url,
            "--report", str(tmp_path / "run.html"), "--", sys.executable, "-c", code,
        )  # fmt: skip
        assert (run.code, run.err) == (0, "")
    page = (tmp_path / "run.html").read_text()
    assert 'id="data"' in page
    assert "Part of Memwarden" in page
    assert main(["report", "--database-url", database_url, "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    newest, older = (line.split("  ")[1] for line in lines)
    target = tmp_path / "latest.json"
    assert main(["report", "--database-url", database_url, "-o", str(target)]) == 0
    assert json.loads(target.read_text())["verdicts"][0]["scope"] == newest
    words = [
        "--database-url",
        database_url,
        "--scope",
        newest,
        "--against",
        older,
        "-o",
        str(tmp_path / "d.json"),
    ]
    assert main(["report", *words]) == 0
    found = Difference.model_validate_json((tmp_path / "d.json").read_text())
    assert (found.before.verdicts[0].scope, found.after.verdicts[0].scope) == (older, newest)
    assert main(["report", "--database-url", database_url, "--scope", "nobody"]) == 125
    assert "there is no scope 'nobody'" in capsys.readouterr().err


def test_a_run_that_was_killed_has_a_report_of_what_was_seen(
    database_url: str, bench: Any, eventually: Any, tmp_path: Path
) -> None:
    code = "import time; kept = []\nwhile True: kept.append('x' * 10**6); time.sleep(0.1)"
    words = ("--interval", "200ms", "--quiet", "--database-url", database_url)
    run = bench.start("run", *words, "--", sys.executable, "-c", code)
    target = tmp_path / "r.json"

    def samples() -> bool:
        if main(["report", "--database-url", database_url, "-o", str(target)]) != 0:
            return False
        verdict = json.loads(target.read_text())["verdicts"][0]
        return "while True" in verdict["command"] and verdict["anon_bytes"] is not None

    eventually(samples)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    page = tmp_path / "r.html"
    assert main(["report", "--database-url", database_url, "-o", str(page)]) == 0
    assert "while True" in page.read_text()
    eventually(lambda: not bench.ours())


def test_the_schema_must_be_the_one_that_is_known(database_url: str, capsys: Any) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("create schema if not exists memwarden")
        connection.execute(
            "create table if not exists memwarden.migration (number integer primary key, name text not null,"
            " checksum text not null, applied timestamptz not null default now())"
        )
        connection.execute("insert into memwarden.migration values (999, 'future', '')")
        assert main(["report", "--database-url", database_url, "--list"]) == 125
        assert "made by a newer Memwarden (schema 999" in capsys.readouterr().err
        connection.execute("delete from memwarden.migration where number > 1")
        assert main(["report", "--database-url", database_url]) == 125
        assert "made by an older Memwarden" in capsys.readouterr().err
        assert connection.execute("select count(*) from memwarden.migration where number > 1").fetchone() == (
            0,
        )


def test_a_recording_is_never_changed_by_a_report(make: Any) -> None:
    recording = make.leak()
    before = replace(recording)
    make.page_of(recording)
    assert recording == before


def test_conditions_fail_it_as_they_fail_a_run(kept: Kept, tmp_path: Path, capsys: Any) -> None:
    target = tmp_path / "r.json"
    words = ["report", str(kept("leak")), "--fail-on", "leak", "--max-growth", "1TiB/s", "-o", str(target)]
    assert main(words) == 86
    assert "exit code 86: the verdict is Leaking (--fail-on leak)" in capsys.readouterr().err
    report = Report.model_validate_json(target.read_text())
    assert report.exit_code == 86
    assert [(item.condition, item.met) for item in report.fail_conditions] == [
        ("leak", True),
        ("max-growth=1TiB/s", False),
    ]
    assert main([*words[:-1], str(tmp_path / "r.xml")]) == 86
    assert "<failure" in (tmp_path / "r.xml").read_text()


def test_conditions_judge_the_newer_of_two_runs(kept: Kept) -> None:
    fixed, broken = str(kept("steady")), str(kept("leak"))
    assert main(["report", fixed, "--against", broken, "--fail-on", "leak"]) == 0
    assert main(["report", broken, "--against", fixed, "--fail-on", "leak"]) == 86


def test_what_can_not_be_checked_does_not_fail(kept: Kept, tmp_path: Path) -> None:
    target = tmp_path / "r.json"
    assert main(["report", str(kept("one-sample")), "--fail-on", "leak", "-o", str(target)]) == 0
    assert "Not checked: leak" in "".join(Report.model_validate_json(target.read_text()).notes)
