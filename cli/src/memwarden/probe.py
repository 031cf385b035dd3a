"""Where the probe is, and what the app's environment needs so that every Python below it loads the probe."""

import os
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Final

from memwarden_api.names import ENV_SAMPLING_BYTES, ENV_SOCKET

ENV_PROBE_FOLDER: Final = "MEMWARDEN_PROBE_FOLDER"
_SOURCE_TREE: Final = Path("probes") / "python"


def probe_folder() -> Path | None:
    """The folder that holds `inject/` and `lib/`, or None: then programs are watched from outside only.

    `MEMWARDEN_PROBE_FOLDER`, else the data of the installed package, else the source tree around this file.
    """
    chosen = os.environ.get(ENV_PROBE_FOLDER)
    if chosen:
        candidates = [Path(chosen).absolute()]
    else:
        candidates = [Path(str(files("memwarden"))) / _SOURCE_TREE]
        candidates += [parent / _SOURCE_TREE for parent in Path(__file__).resolve().parents]
    return next((folder for folder in candidates if (folder / "inject" / "sitecustomize.py").is_file()), None)


def notes(folder: Path | None) -> tuple[str, ...]:
    """What can't be seen because a part of the probe is missing."""
    if folder is None:
        return (
            "The Python probe is not installed, so that no allocation site could be seen; install Memwarden "
            f"again, or set {ENV_PROBE_FOLDER}.",
        )
    if not any((folder / "lib").glob("*.so")):
        return (
            "The native part of the Python probe is not built, so that no allocation site could be seen; "
            f"build it with: python {folder / 'build.py'}",
        )
    return ()


def environment(
    base: Mapping[str, str], folder: Path | None, socket: Path, sampling_bytes: int
) -> dict[str, str]:
    """The app's environment: the user's, the probe in front of PYTHONPATH, and where the sidecar listens."""
    changed = dict(base)
    changed[ENV_SOCKET] = str(socket)
    changed[ENV_SAMPLING_BYTES] = str(sampling_bytes)
    if folder is not None:
        # An empty PYTHONPATH and none are the same to Python; an empty *entry* is the working directory.
        rest = base.get("PYTHONPATH", "")
        changed["PYTHONPATH"] = str(folder / "inject") + (os.pathsep + rest if rest else "")
    return changed
