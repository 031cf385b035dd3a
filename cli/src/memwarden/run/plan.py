"""What a run is asked to do, checked before anything is started."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from memwarden.errors import Failed, NotExecutable, NotFound, Usage
from memwarden.report.formats import FORMATS, Format
from memwarden.run.conditions import Condition

SHORTEST_INTERVAL_SECONDS: Final = 0.1
LONGEST_INTERVAL_SECONDS: Final = 600.0
SMALLEST_SAMPLING_BYTES: Final = 16 << 10
LARGEST_SAMPLING_BYTES: Final = 1 << 30
SMALLEST_LIMIT_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Plan:
    """A run whose options make sense and whose files can be written."""

    command: tuple[str, ...]
    executable: str
    duration_seconds: float | None = None
    interval_seconds: float = 1.0
    memory_limit_bytes: int | None = None
    sampling_bytes: int = 512 << 10
    fail_on: tuple[Condition, ...] = ()
    reports: tuple[tuple[Path, Format], ...] = ()
    keep: Path | None = None
    database_url: str | None = None
    sensitivity: str = "high"
    """Who starts a program to watch it has a reason, and looks: sooner, and at times wrong."""
    quiet: bool = False
    verbose: bool = False

    def __post_init__(self) -> None:
        interval = self.interval_seconds
        if not SHORTEST_INTERVAL_SECONDS <= interval <= LONGEST_INTERVAL_SECONDS:
            raise Usage(f"--interval {interval:g}s is out of range; use a time from 100ms to 10m")
        if not SMALLEST_SAMPLING_BYTES <= self.sampling_bytes <= LARGEST_SAMPLING_BYTES:
            raise Usage(f"--sampling {self.sampling_bytes} is out of range; use a size from 16KiB to 1GiB")
        if self.memory_limit_bytes is not None and self.memory_limit_bytes < SMALLEST_LIMIT_BYTES:
            raise Usage(f"--memory-limit {self.memory_limit_bytes} is out of range; use 1MiB or more")


def find_executable(name: str, environment: Mapping[str, str]) -> str:
    """What a shell would run for `name`. Raises NotFound (127) or NotExecutable (126) as shells do."""
    if not name:
        raise NotFound("the command is empty: give a program after --")
    if "/" not in name:
        found = shutil.which(name, path=environment.get("PATH", os.defpath))
        if found is None:
            hint = (
                f"; for the file in this folder say ./{name}"
                if Path(name).is_file()
                else "; check its name and PATH"
            )
            raise NotFound(f"the command {name!r} was not found{hint}")
        return found
    path = Path(name)
    try:
        if path.is_dir():
            raise NotExecutable(f"{name} is a folder, not a program; name a file in it")
        if not path.exists():
            raise NotFound(f"the command {name} was not found; check its path")
    except PermissionError as error:
        raise NotExecutable(
            f"{name} can't be reached: permission denied; check the folders above it"
        ) from error
    if not os.access(path, os.X_OK):
        raise NotExecutable(f"{name} is not executable; allow it (chmod +x {name}), or name its interpreter")
    return name


def report_targets(files: tuple[str, ...]) -> tuple[tuple[Path, Format], ...]:
    """Where reports go and in which format, by suffix."""
    targets = []
    for file in files:
        path = Path(file)
        fitting = [format_ for format_ in FORMATS if path.suffix.lower() == format_.suffix]
        if not fitting:
            known = ", ".join(format_.suffix for format_ in FORMATS)
            raise Usage(f"--report {file}: the suffix says the format, and {known} are known")
        targets.append((writable("--report", path), fitting[0]))
    if len({path for path, _ in targets}) < len(targets):
        raise Usage("--report names the same file twice")
    return tuple(targets)


def writable(option: str, path: Path) -> Path:
    """The absolute path, if a file can be put there. The app may change its folder, we don't."""
    path = path.absolute()
    if path.is_dir():
        raise Failed(f"{option} {path} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise Failed(f"{option} {path}: the folder {path.parent} does not exist; make it first")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise Failed(f"{option} {path}: the folder {path.parent} can't be written; choose another one")
    return path
