"""What is true of each program of the corpus, read from labels.toml, fleets.toml and split.toml and checked.

`programs()` and `fleets()` are what scores and the recorder use. A label says what a judge that was given the whole
run may answer at its end; a leak's sites are the functions (and the lines marked `# LEAK`) in which the memory that
stays is allocated. Whatever doesn't fit raises LabelError with the name of the program and of the field.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from corpus.errors import LabelError
from corpus.fields import Fields
from corpus.sites import Site, marked_lines

CORPUS: Final = Path(__file__).resolve().parent
RECORDINGS: Final = CORPUS / "recordings"
SUFFIX: Final = {"python": ".py"}
"""Where programs of a runtime are: programs/<runtime>/<name><suffix>."""

VERDICTS: Final = frozenset(
    {"Healthy", "WarmingUp", "Growing", "Leaking", "CacheFilling", "Fragmented", "Unknown"}
)
SECONDS: Final = 66
"""Of a run, where its label does not say otherwise."""
LOADS: Final = ("steady", "light", "heavy", "bursty", "daily", "ramp")
SPLITS: Final = ("train", "test")
_PART: Final = re.compile(r"train|test(_\d{8}[a-z]?)?")
"""Lists of split.toml; `test_20261122c` is a part of test that can be scored by itself."""


@dataclass(frozen=True, slots=True)
class Program:
    """One program and the truth about it."""

    name: str
    runtime: str
    family: str
    leak: bool
    verdicts: frozenset[str]
    """Answers that are right at the end of each of its runs."""
    sites: tuple[Site, ...]
    """Of a leak; empty where no site of the program's own code allocates it (C memory)."""
    begins: float
    """Seconds after the start when a leak begins."""
    bound: str
    """Of a healthy program that grows for a while: what ends it, in words; "" otherwise."""
    limit_bytes: int
    at_risk: bool
    """Whether it is right to say that the limit may be met (a full load into a small container)."""
    origin: str
    """"own", or the address of the public issue that it reproduces."""
    environment: str
    """Name of the file in environments/ whose packages it runs with; "" for none."""
    interpreter: str
    loads: tuple[str, ...]
    seconds: int
    """How long each of its runs is recorded."""
    requests_per_second: float
    """Of the requests sent to it; 0 for a program that brings its own work."""
    together: str
    """Programs with the same word here are never parted by the split (a leak and its repair)."""
    split: str
    part: str
    """The list of split.toml that it is in: "train", "test" or a part of test such as "test_20261122c"."""
    note: str

    @property
    def path(self) -> Path:
        return CORPUS / "programs" / self.runtime / f"{self.name}{SUFFIX[self.runtime]}"

    def recording(self, load: str) -> Path:
        return RECORDINGS / self.runtime / f"{self.name}.{load}.mwrec"


@dataclass(frozen=True, slots=True)
class Replica:
    """One container of a fleet; it runs the fleet's program, in a variant."""

    name: str
    variant: str
    load: str
    version: str
    leak: bool


@dataclass(frozen=True, slots=True)
class Fleet:
    """Recordings of one workload that belong together."""

    name: str
    program: str
    """Name of a program that has no runs of its own."""
    leak: bool
    leaking_version: str
    """Where only one version leaks: which; "" otherwise."""
    replicas: tuple[Replica, ...]
    interpreter: str
    limit_bytes: int
    sites: tuple[Site, ...]
    requests_per_second: float
    split: str
    note: str

    @property
    def path(self) -> Path:
        return CORPUS / "programs" / "python" / f"{self.program}.py"

    def recording(self, replica: Replica) -> Path:
        return RECORDINGS / "fleets" / f"{self.name}.{replica.name}.mwrec"


@cache
def programs() -> tuple[Program, ...]:
    """All programs in the order of labels.toml. Raises LabelError."""
    parts = _split()
    found = []
    for runtime, tables in _read("labels.toml").items():
        if runtime not in SUFFIX:
            raise LabelError(f"labels.toml: the runtime {runtime!r} is not known; known: {', '.join(SUFFIX)}")
        found += [_program(runtime, name, table, parts) for name, table in tables.items()]
    sides: dict[str, str] = {}
    for program in found:
        if sides.setdefault(program.together, program.split) != program.split:
            raise LabelError(f"{program.name}: split.toml parts it from others of {program.together!r}")
    return tuple(found)


def program_named(name: str) -> Program:
    """Raises LabelError where there is none."""
    for program in programs():
        if program.name == name:
            return program
    raise LabelError(f"{name}: no such program in labels.toml")


@cache
def fleets() -> tuple[Fleet, ...]:
    """All fleets in the order of fleets.toml. Raises LabelError."""
    parts = _split()
    found = tuple(_fleet(name, table, parts) for name, table in _read("fleets.toml").items())
    sides: dict[str, str] = {}
    for fleet in found:
        if sides.setdefault(fleet.program, fleet.split) != fleet.split:
            raise LabelError(f"{fleet.name}: split.toml parts it from other fleets of {fleet.program}")
    return found


def _program(runtime: str, name: str, table: Mapping[str, Any], parts: Mapping[str, str]) -> Program:
    fields = Fields(name, table)
    path = CORPUS / "programs" / runtime / f"{name}{SUFFIX[runtime]}"
    leak = fields.take("leak", bool)
    program = Program(
        name=name,
        runtime=runtime,
        family=fields.take("family", str),
        leak=leak,
        verdicts=frozenset(fields.words("verdicts", VERDICTS)),
        sites=_sites(name, path, fields.take("sites", list, [])),
        begins=fields.take("begins", float, 0.0),
        bound=fields.take("bound", str, ""),
        limit_bytes=fields.size("limit", "256MiB"),
        at_risk=fields.take("at_risk", bool, False),
        origin=fields.take("origin", str, "own"),
        environment=fields.take("environment", str, ""),
        interpreter=fields.take("interpreter", str, "3.11"),
        loads=fields.words("loads", LOADS),
        seconds=fields.take("seconds", int, SECONDS),
        requests_per_second=fields.take("requests_per_second", float, 0.0),
        together=fields.take("together", str, name),
        split=side_of(parts.get(name, "")),
        part=parts.get(name, ""),
        note=fields.take("note", str, ""),
    )
    fields.end()
    _agree(program)
    return program


def _agree(program: Program) -> None:
    name = program.name
    if not program.split:
        raise LabelError(f"{name}: split.toml doesn't know it; run python -m corpus.split")
    if len(program.loads) < 2:
        raise LabelError(f"{name}: at least two loads, or the split by program says little")
    if program.seconds < SECONDS:
        raise LabelError(f"{name}: {program.seconds} s are too short for a run; {SECONDS} s are the least")
    if program.leak != ("Leaking" in program.verdicts):
        raise LabelError(f"{name}: leak is {program.leak}, but verdicts are {sorted(program.verdicts)}")
    if program.sites and not program.leak:
        raise LabelError(f"{name}: a healthy program has no leaking site")
    if program.environment and not environment_file(program.environment).exists():
        raise LabelError(f"{name}: there is no environments/{program.environment}.txt")
    if program.origin != "own" and not program.origin.startswith("https://"):
        raise LabelError(f"{name}: origin is {program.origin!r}, neither own nor an address")


def _fleet(name: str, table: Mapping[str, Any], parts: Mapping[str, str]) -> Fleet:
    fields = Fields(name, table)
    program = fields.take("program", str)
    path = CORPUS / "programs" / "python" / f"{program}.py"
    replicas = tuple(_replica(f"{name}[{n}]", each) for n, each in enumerate(fields.take("replicas", list)))
    leak = fields.take("leak", bool)
    fleet = Fleet(
        name=name,
        program=program,
        leak=leak,
        leaking_version=fields.take("leaking_version", str, ""),
        replicas=replicas,
        interpreter=fields.take("interpreter", str, "3.11"),
        limit_bytes=fields.size("limit", "256MiB"),
        sites=_sites(name, path, fields.take("sites", list)) if leak else (),
        requests_per_second=fields.take("requests_per_second", float, 0.0),
        split=side_of(parts.get(name, "")),
        note=fields.take("note", str, ""),
    )
    fields.end()
    if fleet.leak != any(replica.leak for replica in replicas):
        raise LabelError(f"{name}: leak is {fleet.leak}, its replicas say otherwise")
    if fleet.leaking_version and {r.version for r in replicas if r.leak} != {fleet.leaking_version}:
        raise LabelError(f"{name}: leaking_version is not the version of the replicas that leak")
    if len({replica.name for replica in replicas}) < len(replicas):
        raise LabelError(f"{name}: two replicas have one name")
    if not fleet.split:
        raise LabelError(f"{name}: split.toml doesn't know it; run python -m corpus.split")
    return fleet


def _replica(where: str, table: Mapping[str, Any]) -> Replica:
    fields = Fields(where, table)
    replica = Replica(
        name=fields.take("name", str),
        variant=fields.take("variant", str, ""),
        load=fields.take("load", str, "steady"),
        version=fields.take("version", str, ""),
        leak=fields.take("leak", bool, False),
    )
    fields.end()
    if replica.load not in LOADS:
        raise LabelError(f"{where}: the load {replica.load!r} is not known")
    return replica


def environment_file(name: str) -> Path:
    """The packages of an environment, with hashes."""
    return CORPUS / "environments" / f"{name}.txt"


def _sites(name: str, path: Path, functions: list[str]) -> tuple[Site, ...]:
    if not path.exists():
        raise LabelError(f"{name}: there is no {path.relative_to(CORPUS)}")
    marked = marked_lines(path)
    if set(marked) != set(functions):
        raise LabelError(f"{name}: sites are {functions}, but `# LEAK` stands in {sorted(marked)}")
    return tuple(Site(path.name, function, tuple(marked[function])) for function in functions)


def side_of(part: str) -> str:
    """What a list of split.toml belongs to: "train", or "test" with its parts; "" stays ""."""
    return part.partition("_")[0]


def _split() -> dict[str, str]:
    parts: dict[str, str] = {}
    for part, names in _read("split.toml").items():
        if not _PART.fullmatch(part):
            raise LabelError(f"split.toml: {part!r} is neither train nor test nor test_YYYYMMDD")
        for name in names:
            if name in parts:
                raise LabelError(f"{name}: split.toml has it twice")
            parts[name] = part
    return parts


def _read(file: str) -> dict[str, Any]:
    path = CORPUS / file
    if not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise LabelError(f"{file}: {error}") from error
