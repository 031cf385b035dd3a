"""The probe beside other people's tools in the same process: both work, and the program ends as it does without us."""

import os
import shutil
import subprocess
from pathlib import Path

import interpreters
import pytest
from server_environment import python_with
from small_sidecar import wait_for
from test_account import ACCOUNT, Way, assert_the_same

pytestmark = pytest.mark.system
JEMALLOC = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"
KEEPING = """
import json, sys
kept = []
def leak():
    kept.append(bytes(20_000))
for number in range(200):
    leak()
    json.loads(json.dumps({"number": [number] * 100}))
print(len(kept), sys.argv[1:], flush=True)
sys.stdin.readline()
sys.exit(5)
"""
TELEMETRY_OFF = {
    "OTEL_TRACES_EXPORTER": "none",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
    "DD_TRACE_ENABLED": "false",
    "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
    "DD_REMOTE_CONFIGURATION_ENABLED": "false",
    "DD_PROFILING_ENABLED": "true",
    "DD_PROFILING_UPLOAD_INTERVAL": "3600",
}


def script(python, name):
    return str(Path(python).parent / name)


def commands(python, folder):
    """By tool: a command that runs keeping.py under it."""
    keeping, memray = "keeping.py", [python, "-m", "memray", "run", "-q", "-f"]
    return {
        "opentelemetry-instrument": [script(python, "opentelemetry-instrument"), python, keeping],
        "ddtrace with its heap profiler": [script(python, "ddtrace-run"), python, keeping],
        "memray": [*memray, "-o", str(folder / "memray.bin"), keeping],
        "memray of Python's allocators": [*memray, "--trace-python-allocators", "-o", str(folder / "all.bin"), keeping],
        "coverage": [python, "-m", "coverage", "run", "--data-file", str(folder / "data"), keeping],
        "debugpy": [python, "-Xfrozen_modules=off", "-m", "debugpy", "--listen", "127.0.0.1:0", keeping],
        "pdb": [python, "-m", "pdb", "-c", "continue", keeping],
        "trace": [python, "-m", "trace", "--count", "-C", str(folder / "counts"), keeping],
        "cProfile": [python, "-m", "cProfile", "-o", str(folder / "profile"), keeping],
    }  # fmt: skip


TOOLS = tuple(commands("python", Path()))


def run_once(command, environment, folder):
    process = subprocess.Popen(
        command, env=environment, cwd=folder, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    return process


@pytest.mark.parametrize("version", interpreters.REQUIRED)
@pytest.mark.parametrize("tool", TOOLS)
def test_the_program_and_its_tool_end_as_without_us(listener, environment, tmp_path, tool, version):
    python = python_with("tools", version)
    (tmp_path / "keeping.py").write_text(KEEPING)
    probed = {**environment, **TELEMETRY_OFF, "MEMWARDEN_SAMPLING_BYTES": "2048"}
    plain = {k: v for k, v in probed.items() if k != "PYTHONPATH" and not k.startswith("MEMWARDEN_")}
    command = commands(python, tmp_path)[tool]
    ended = []
    for variables in (plain, probed):
        process = run_once(command, variables, tmp_path)
        if variables is probed:
            seen = wait_for(lambda: leak_of(listener), "the leak in some process")
            assert seen == pytest.approx(200 * 20_033, rel=0.15)
        out, err = process.communicate("\n" * 3, timeout=400)
        ended.append((process.returncode, out, err))
    assert ended[1] == ended[0]
    assert "200 []" in ended[0][1]


def leak_of(listener):
    """Live bytes of leak() in whichever process has all of them: it is known before it has made the last."""
    for peer in listener.peers:
        if peer.table is not None and peer.hello is not None:
            found = sum(s.bytes for s in peer.table.read_sites() if s.frames and s.frames[0][1] == "leak")
            if found > 0.95 * 200 * 20_033:
                return found
    return None


@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_nothing_differs_under_opentelemetry_instrument(environment, tmp_path, version):
    python = python_with("tools", version)
    way = Way(script(python, "opentelemetry-instrument"), python, ACCOUNT, **TELEMETRY_OFF)
    assert_the_same(way, environment, tmp_path)


@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_nothing_differs_with_another_allocator_below(environment, tmp_path, version):
    if not os.path.exists(JEMALLOC):
        pytest.skip(f"no {JEMALLOC} (Debian: libjemalloc2)")
    python = interpreters.need(version)
    assert_the_same(Way(python, ACCOUNT, LD_PRELOAD=JEMALLOC), environment, tmp_path)
    assert_the_same(Way(python, ACCOUNT, LD_PRELOAD=JEMALLOC, PYTHONMALLOC="malloc"), environment, tmp_path)


@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_a_frozen_program_runs_as_without_us(listener, environment, tmp_path, version):
    python = python_with("tools", version)
    config = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_config_var('Py_ENABLE_SHARED'))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    if config.stdout.strip() != "1":
        pytest.skip(f"PyInstaller needs a Python {version} with a shared library")
    (tmp_path / "keeping.py").write_text(KEEPING)
    build = [python, "-m", "PyInstaller", "--onefile", "--log-level", "ERROR", "keeping.py"]
    subprocess.run(build, cwd=tmp_path, check=True, env={**os.environ, "PYTHONPATH": ""})
    shutil.move(tmp_path / "dist" / "keeping", tmp_path / "app")
    plain = {k: v for k, v in environment.items() if k != "PYTHONPATH" and not k.startswith("MEMWARDEN_")}
    for variables in (plain, environment):
        out, err = (process := run_once([str(tmp_path / "app"), "x"], variables, tmp_path)).communicate(
            "\n", timeout=240
        )
        assert (process.returncode, out, err) == (5, "200 ['x']\n", "")
    assert listener.peers == []
