"""`memwarden run` from the outside: streams, exit codes, what it leaves, what it writes."""

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from memwarden_api.report import Report
from memwarden_core.recording_file import read_recording
from memwarden_core.settings import SENSITIVITY_LABEL

PYTHON = sys.executable
QUICK = ("--interval", "200ms", "--quiet")


def test_streams_pass_through_and_nothing_is_left(clean: Any, tmp_path: Path) -> None:
    code = "import sys; print(sys.stdin.read().upper(), end=''); print('e', file=sys.stderr); sys.exit(7)"
    result = clean.memwarden("run", *QUICK, "--", PYTHON, "-c", code, stdin="hello\n" * 1000)
    assert (result.code, result.out, result.err) == (7, "HELLO\n" * 1000, "e\n")


def test_a_report_in_both_formats_and_a_kept_file_that_is_judged_again(clean: Any, tmp_path: Path) -> None:
    report, page, kept = (tmp_path / name for name in ("r.json", "r.md", "run.mwrec"))
    result = clean.memwarden(
        "run", "--interval", "200ms", "--report", str(report), "--report", str(page), "--keep", str(kept),
        "--memory-limit", "512MiB", "--", PYTHON, "-c", "import time; kept = 'x' * 10**7; time.sleep(2.5)",
    )  # fmt: skip
    assert (result.code, result.out) == (0, "")
    assert "cost of watching" in result.err
    written = Report.model_validate_json(report.read_text())
    [verdict] = written.verdicts
    assert (written.exit_code, written.app_exit_code, written.interval_seconds) == (0, 0, 0.2)
    assert verdict.limit is not None
    assert (verdict.limit.bytes, verdict.limit.source) == (512 << 20, "option")
    assert [process.command for process in verdict.processes]
    assert {"sidecar", "collector", "database", "command"} <= {part.name for part in written.cost.components}
    assert written.cost.start_to_first_sample_seconds is not None
    assert page.read_text().startswith("## Memwarden: ")
    again = clean.memwarden("report", str(kept), "--format", "json")
    assert (again.code, again.err) == (0, "")
    assert json.loads(again.out)["verdicts"][0]["scope"] == verdict.scope
    with kept.open("rb") as stream:
        assert read_recording(stream).labels[SENSITIVITY_LABEL] == "high", (
            "it is judged again as it was watched"
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.json", "r.md", "run.mwrec"]
    assert report.stat().st_mode & 0o777 == 0o666 & ~_umask()


@pytest.mark.parametrize(
    "command",
    [("true",), ("sh", "-c", "sleep 1")],
    ids=["ends at once", "not Python"],
)
def test_an_unhappy_run_has_a_whole_report(clean: Any, tmp_path: Path, command: tuple[str, ...]) -> None:
    report = tmp_path / "r.json"
    result = clean.memwarden("run", *QUICK, "--report", str(report), "--fail-on", "leak", "--", *command)
    assert (result.code, result.err) == (0, "")
    [verdict] = Report.model_validate_json(report.read_text()).verdicts
    assert verdict.verdict in ("Unknown", "WarmingUp", "Healthy")
    assert verdict.headline
    assert verdict.reason
    for process in verdict.processes:
        assert process.probe == "outside"
        assert process.probe_reason


def test_two_runs_side_by_side_never_meet(clean: Any, tmp_path: Path) -> None:
    reports = [tmp_path / "a.json", tmp_path / "b.json"]
    runs = [
        clean.start(
            "run", *QUICK, "--report", str(report), "--", PYTHON, "-c", f"import time; time.sleep(2) or {n}"
        )
        for n, report in enumerate(reports)
    ]
    threads = [threading.Thread(target=run.communicate, args=("",)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(240)
    assert [run.returncode for run in runs] == [0, 0]
    verdicts = [Report.model_validate_json(report.read_text()).verdicts[0] for report in reports]
    assert verdicts[0].scope != verdicts[1].scope
    for number, verdict in enumerate(verdicts):
        assert len(verdict.processes) == 1
        assert f"or {number}" in verdict.command


def test_the_app_gets_its_environment_descriptors_and_folder(clean: Any, tmp_path: Path) -> None:
    code = (
        "import os, sys; "
        "print(os.environ['PYTHONPATH'].split(os.pathsep)[1:], 'MEMWARDEN_TOKEN' in os.environ, "
        "os.getcwd(), os.getpgrp() == os.getpgid(os.getppid()), [p for p in sys.path if 'inject' in p])"
    )
    result = clean.memwarden("run", *QUICK, "--", PYTHON, "-c", code, PYTHONPATH="/one:/two")
    assert result.out == f"['/one', '/two'] False {os.getcwd()} True []\n"


def test_what_the_user_has_for_the_app_does_not_disturb_our_parts(clean: Any, tmp_path: Path) -> None:
    for name in ("json.py", "numpy.py", "memwarden_collector.py"):
        (tmp_path / name).write_text("raise SystemExit('shadowed')\n")
    app = tmp_path / "app.py"
    app.write_text("print('ran')\n")
    command = f"cd {tmp_path} && exec {PYTHON} -P -m memwarden run --quiet -- {PYTHON} -P app.py"
    import subprocess

    variables = clean.environment | {"PGHOST": "nowhere.invalid", "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        ["sh", "-c", command], env=variables, capture_output=True, text=True, timeout=240, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ran\n", "")


def test_a_script_without_a_first_line_goes_to_the_shell(clean: Any, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("echo $1; exit 5\n")
    script.chmod(0o755)
    result = clean.memwarden("run", *QUICK, "--", str(script), "word")
    assert (result.code, result.out) == (5, "word\n")


def test_a_backend_that_dies_is_started_again_and_the_app_is_unharmed(
    clean: Any, tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    report = tmp_path / "r.json"
    run = clean.start("run", "--report", str(report), "--", "sh", "-c", "read line; echo got $line")
    collector = clean.backend("memwarden_collector")
    sidecar = clean.backend("memwarden_sidecar")
    _app_of(clean, run.pid)
    os.kill(collector, 9)
    os.kill(sidecar, 9)
    eventually(lambda: clean.backend("memwarden_collector") != collector)
    eventually(lambda: clean.backend("memwarden_sidecar") != sidecar)
    result = clean.finish(run, "it\n")
    assert (result.code, result.out) == (0, "got it\n")
    assert "The collector ended while the command ran (signal SIGKILL) and was started again" in result.err
    assert "The sidecar ended while the command ran (signal SIGKILL) and was started again" in result.err
    written = Report.model_validate_json(report.read_text())
    assert {(fault.part, fault.how, fault.started_again) for fault in written.faults} == {
        ("collector", "signal SIGKILL", True),
        ("sidecar", "signal SIGKILL", True),
    }
    assert written.delivery is not None
    assert written.delivery.stored > 0


def test_the_command_killed_hard_ends_its_parts_and_not_the_app(
    bench: Any, tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    mark = tmp_path / "mark"
    run = bench.start("run", "--", "sh", "-c", f"read line; echo alive > {mark}")
    postgres = bench.backend("postgres -D")
    collector = bench.backend("memwarden_collector")
    _app_of(bench, run.pid)
    os.kill(run.pid, 9)
    eventually(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in (postgres, collector)))
    run.stdin.write("go on\n")
    run.stdin.flush()
    eventually(lambda: mark.exists())
    assert len(bench.left()) == 1
    assert bench.memwarden("run", *QUICK, "--", "true").code == 0  # sweeps it
    assert bench.left() == []


def _app_of(bench: Any, pid: int) -> int:
    """The app of a run, once it is started: the child in the run's own process group."""
    from time import monotonic, sleep

    deadline = monotonic() + 120
    while monotonic() < deadline:
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            try:
                if os.getpgid(int(child)) == os.getpgid(pid) and b"memwarden" not in _command(child):
                    return int(child)
            except ProcessLookupError:
                continue
        sleep(0.02)
    raise AssertionError("no app")


def _command(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b"memwarden"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
