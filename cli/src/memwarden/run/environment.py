"""The environments of our own children: what the user set for the app must not change how Memwarden works."""

import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from memwarden_api.names import ENV_DISABLE, ENV_SAMPLING_BYTES, ENV_SOCKET

# A library loaded into every process may be made for the app alone; we'd pay for it, and trip over it.
_DROPPED: Final = ("LD_PRELOAD", "LD_AUDIT", ENV_SOCKET, ENV_SAMPLING_BYTES)
_PYTHON_KEPT: Final = ("PYTHONHOME",)


def for_python(base: Mapping[str, str]) -> dict[str, str]:
    """For the sidecar and the collector. `-P` on their command line keeps the working directory out."""
    environment = {
        name: value
        for name, value in base.items()
        if name not in _DROPPED and (not name.startswith("PYTHON") or name in _PYTHON_KEPT)
    }
    # Probes of an outer `memwarden run` are for the app.
    environment[ENV_DISABLE] = "1"
    path = _needed_path(base.get("PYTHONPATH", ""))
    if path:
        environment["PYTHONPATH"] = path
    return environment


def without_libpq(environment: Mapping[str, str]) -> dict[str, str]:
    """Without PGHOST, PGOPTIONS and their like: they are about the user's databases, not about ours."""
    return {name: value for name, value in environment.items() if not name.startswith("PG")}


def python(module: str) -> list[str]:
    """The start of a command line that runs one of our modules with the interpreter that runs us."""
    return [sys.executable, "-P", "-m", module]


def _needed_path(python_path: str) -> str:
    """Those entries of PYTHONPATH in which parts of ours are: there is none in a usual installation."""
    entries = [entry for entry in python_path.split(os.pathsep) if entry]
    if not entries:
        return ""
    ours = set()
    for name in ("memwarden_api", "memwarden_core", "memwarden_sidecar", "memwarden_collector"):
        spec = find_spec(name)
        for location in (spec.submodule_search_locations or ()) if spec else ():
            ours.add(Path(location).parent.resolve())
    return os.pathsep.join(entry for entry in entries if Path(entry).resolve() in ours)
