"""The runs that the labels ask for: one per load of a program, one per replica of a fleet."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from corpus.labels import SECONDS, Fleet, Program, Replica, environment_file, fleets, programs
from corpus.sites import Site

INTERVAL: Final = 0.25
"""Four ticks a second: the shape of 70 minutes at 15 s ticks in a minute; the judge counts in ticks."""
FEWEST_TICKS: Final = 240
"""Of a run of SECONDS; of a longer one as many more."""


@dataclass(frozen=True, slots=True)
class Run:
    """One recording to be made."""

    name: str
    runtime: str
    path: Path
    target: Path
    load: str
    variant: str
    interpreter: str
    environment: str
    limit_bytes: int
    seconds: int
    requests_per_second: float
    sites: tuple[Site, ...]
    labels: tuple[tuple[str, str], ...]

    @property
    def fewest_ticks(self) -> int:
        """With fewer a recording is no good."""
        return FEWEST_TICKS * self.seconds // SECONDS

    @property
    def seed(self) -> int:
        return int(hashlib.sha256(f"{self.target.name}".encode()).hexdigest()[:6], 16)

    @property
    def origin(self) -> Path:
        return self.target.with_suffix(".json")

    def digest(self) -> str:
        """Of everything that decides what is recorded; marking a line `# LEAK` doesn't."""
        word = hashlib.sha256()
        files = [self.path, *sorted((self.path.parent / "traffic").glob("*.py"))]
        if self.environment:
            files.append(environment_file(self.environment))
        for file in files:
            word.update(file.read_bytes().replace(b"  # LEAK", b""))
        settings = (self.load, self.variant, self.interpreter, self.limit_bytes, self.requests_per_second)
        word.update(repr((settings, self.seconds, INTERVAL, self.seed)).encode())
        return word.hexdigest()[:16]

    def current(self) -> bool:
        if not (self.target.exists() and self.origin.exists()):
            return False
        return bool(json.loads(self.origin.read_text())["digest"] == self.digest())


def of_program(program: Program) -> list[Run]:
    """Its runs, one per load."""
    return [
        Run(
            name=program.name, runtime=program.runtime, path=program.path, target=program.recording(load),
            load=load, variant="", interpreter=program.interpreter, environment=program.environment,
            limit_bytes=program.limit_bytes, seconds=program.seconds, requests_per_second=program.requests_per_second,
            sites=program.sites, labels=(("program", program.name), ("load", load)),
        )
        for load in program.loads
    ]  # fmt: skip


def of_fleet(fleet: Fleet) -> list[Run]:
    """Its runs, one per replica."""
    return [_of_replica(fleet, replica) for replica in fleet.replicas]


def _of_replica(fleet: Fleet, replica: Replica) -> Run:
    labels = {
        "program": fleet.program, "load": replica.load, "service.name": fleet.name,
        "service.version": replica.version, "service.instance.id": replica.name,
    }  # fmt: skip
    return Run(
        name=fleet.name, runtime="python", path=fleet.path, target=fleet.recording(replica), load=replica.load,
        variant=replica.variant, interpreter=fleet.interpreter, environment="", limit_bytes=fleet.limit_bytes,
        seconds=SECONDS, requests_per_second=fleet.requests_per_second, sites=fleet.sites if replica.leak else (),
        labels=tuple(labels.items()),
    )  # fmt: skip


def wanted(names: Sequence[str]) -> list[Run]:
    """All runs, or those of the programs and fleets named."""
    runs = [run for program in programs() for run in of_program(program)]
    runs += [run for fleet in fleets() for run in of_fleet(fleet)]
    unknown = set(names) - {run.name for run in runs}
    if unknown:
        raise SystemExit(f"corpus: no such program or fleet: {', '.join(sorted(unknown))}")
    return [run for run in runs if not names or run.name in names]
