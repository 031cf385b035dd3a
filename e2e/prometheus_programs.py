"""Debian's Prometheus and Alertmanager."""

import shutil
import subprocess
from pathlib import Path

import pytest


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: `sh tools/system_packages.sh` installs Debian's")
    return found


def run(name: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [program(name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
