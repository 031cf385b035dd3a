"""Debian's Prometheus and Alertmanager: on PATH, or where `make test-system` has unpacked them."""

import shutil
import subprocess
from pathlib import Path

import pytest

UNPACKED = Path(__file__).resolve().parents[1] / "build" / "prometheus" / "usr" / "bin"


def program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path=str(UNPACKED))
    if found is None:
        pytest.skip(f"{name} is not installed: `sh tools/system_packages.sh` unpacks Debian's")
    return found


def run(name: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [program(name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
