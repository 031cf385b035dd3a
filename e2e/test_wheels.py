"""Does what `make dist` makes work where there is no checkout?"""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest
from harness import ROOT

pytestmark = [pytest.mark.system, pytest.mark.slow]

DISTRIBUTIONS = (
    *("memwarden", "memwarden_api", "memwarden_collector", "memwarden_core", "memwarden_kube"),
    *("memwarden_operator", "memwarden_sidecar"),
)
UV = [str(ROOT / ".uv" / "bin" / "python"), "-m", "uv"]
LEAKING = """
import sys, time
kept = []
def remember(turn):
    kept.append([str(turn * n) for n in range(2000)])
for turn in range(100):
    remember(turn)
    time.sleep(0.1)
"""
MODULES = """
import importlib
for name in ("memwarden", "memwarden_api", "memwarden_collector", "memwarden_core", "memwarden_kube",
             "memwarden_operator", "memwarden_sidecar"):
    print(importlib.import_module(name).__file__)
"""
# No variable may lead back to the checkout; a tracer of our own tests neither.
CLEAN = {
    k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "MEMWARDEN", "COVERAGE", "VIRTUAL"))
}


def make(folder: Path) -> dict[str, Path]:
    made = subprocess.run(
        ["sh", str(ROOT / "tools" / "dist.sh"), str(folder)],
        env=CLEAN,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return {path.name.split("-")[0]: path for path in folder.glob("*.whl")}


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        return message_from_bytes(archive.read(name))


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def installed(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a virtual environment outside of the repository with our wheels and what they need from PyPI."""
    environment = tmp_path_factory.mktemp("installed") / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    certificates = {"UV_SYSTEM_CERTS": "true"} if Path("/etc/ssl/certs/ca-certificates.crt").exists() else {}
    install = [*UV, "pip", "install", "--quiet", "--python", str(environment), *map(str, wheels.values())]
    done = subprocess.run(install, env=CLEAN | certificates, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return environment


def test_there_is_a_wheel_of_each_distribution_and_all_say_the_same_version(wheels: dict[str, Path]) -> None:
    assert sorted(wheels) == sorted(DISTRIBUTIONS)
    about = {name: metadata(path) for name, path in wheels.items()}
    (version,) = {one["Version"] for one in about.values()}
    for name, one in about.items():
        assert one["Name"].replace("-", "_") == name
        assert one["License-Expression"] == "Apache-2.0"
        assert one["License-File"] == "LICENSE"
        assert one["Summary"]
        assert one["Description-Content-Type"] == "text/markdown"
        ours = {
            need for need in one.get_all("Requires-Dist", []) if need.startswith("memwarden-") and "=" in need
        }
        assert all(need.endswith(f"=={version}") for need in ours)
    assert "memwarden-sidecar" in " ".join(about["memwarden"].get_all("Requires-Dist", []))


def test_the_command_carries_the_probe_for_every_platform_that_its_tag_names(wheels: dict[str, Path]) -> None:
    with zipfile.ZipFile(wheels["memwarden"]) as archive:
        inside = set(archive.namelist())
        licences = [name for name in inside if name.endswith("/licenses/LICENSE")]
        assert len(licences) == 1
        assert "Apache License" in archive.read(licences[0]).decode()
    for target in ("x86_64-glibc", "aarch64-glibc", "x86_64-musl", "aarch64-musl"):
        assert f"memwarden/probes/python/lib/memwarden_hook-linux-{target}.so" in inside
    for script in ("inject/sitecustomize.py", "memwarden_probe/bootstrap.py", "memwarden_probe/self_test.py"):
        assert f"memwarden/probes/python/{script}" in inside
    assert not [name for name in inside if name.endswith((".c", ".h", "tests/conftest.py"))]
    for tag in (
        "manylinux_2_17_x86_64",
        "manylinux_2_17_aarch64",
        "musllinux_1_2_x86_64",
        "musllinux_1_2_aarch64",
    ):
        assert tag in wheels["memwarden"].name
    for name in set(DISTRIBUTIONS) - {"memwarden"}:
        assert wheels[name].name.endswith("-py3-none-any.whl")


@pytest.mark.usefixtures("wheels")  # they come with zig
def test_an_object_that_would_not_load_everywhere_is_found(tmp_path: Path) -> None:
    source = tmp_path / "wrong.c"
    source.write_text("int more(void) { return 1; }\nint PyInit_memwarden_hook(void) { return 1; }\n")
    wrong = tmp_path / "memwarden_hook-linux-aarch64-glibc.so"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "ziglang",
            "cc",
            "-target",
            "x86_64-linux-gnu",
            "-shared",
            source,
            "-o",
            wrong,
        ],
        check=True,
    )
    checked = subprocess.run(
        [sys.executable, ROOT / "tools" / "native_objects.py", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 1
    assert "is for x64" in checked.stderr
    assert "exports" in checked.stderr


def test_the_same_sources_make_the_same_bytes(wheels: dict[str, Path], tmp_path: Path) -> None:
    again = make(tmp_path)
    for name, path in wheels.items():
        assert (
            hashlib.sha256(again[name].read_bytes()).digest() == hashlib.sha256(path.read_bytes()).digest()
        ), name


def test_an_installed_command_finds_the_line_and_nothing_of_the_checkout(
    installed: Path, tmp_path: Path
) -> None:
    python = installed / "bin" / "python"
    found = subprocess.run(
        [python, "-c", MODULES], cwd=tmp_path, env=CLEAN, capture_output=True, text=True, check=True
    )
    assert all(line.startswith(str(installed)) for line in found.stdout.splitlines()), found.stdout
    checked = subprocess.run(
        [*UV, "pip", "check", "--python", str(installed)],
        env=CLEAN,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    (tmp_path / "leak.py").write_text("import os; print(os.environ['PYTHONPATH'], flush=True)" + LEAKING)
    command = [
        installed / "bin" / "memwarden",
        "run",
        "--quiet",
        "--duration",
        "9s",
        "--report",
        "report.json",
    ]
    run = subprocess.run(
        [*command, "--", python, "leak.py"],
        cwd=tmp_path, env=CLEAN, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert run.stderr == ""
    assert run.stdout.startswith(str(installed))
    (verdict,) = json.loads((tmp_path / "report.json").read_text())["verdicts"]
    (process,) = verdict["processes"]
    assert process["probe"] == "hooked", process
    lines = {(Path(site["file"]).name, site["function"], site["line"]) for site in verdict["sites"]}
    assert any(file == "leak.py" and line == 5 for file, _, line in lines), lines
