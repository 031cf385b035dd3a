"""What is scored: every recording of the corpus with its truth, and the generated series, each as a job of its own."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from corpus import generated, labels

from accuracy.runs import IsSite, Outcome, Truth, at_ticks_of, outcome, read
from memwarden_core.settings import JudgeSettings, Sensitivity

SEEDS = 3
"""Draws of each generated case."""


@dataclass(frozen=True, slots=True)
class Job:
    """One run; small, so that it can be sent to a process. Either a file or a seed of a generated case."""

    program: str
    load: str
    file: Path | None = None
    seed: int = 0


def recorded(parts: Collection[str]) -> Iterator[Job]:
    """Runs of these parts that were recorded; what is missing is not scored, and counted by `missing`."""
    for program in labels.programs():
        if program.split not in parts:
            continue
        for load in program.loads:
            path = program.recording(load)
            if path.exists():
                yield Job(program.name, load, path)


def missing() -> list[str]:
    return [
        f"{program.name}.{load}"
        for program in labels.programs()
        for load in program.loads
        if not program.recording(load).exists()
    ]


def drawn() -> Iterator[Job]:
    for case in generated.CASES:
        for seed in range(SEEDS):
            yield Job(case.name, f"seed {seed}", None, seed)


def usual(seconds: float) -> Sensitivity:
    """What is made for recorded runs of this length: normal sensitivity waits for longer than the short ones last."""
    return Sensitivity.NORMAL if seconds > labels.SECONDS else Sensitivity.HIGH


def judged(job: Job, sensitivity: Sensitivity | None, tick_seconds: float | None = None) -> Outcome:
    """Read or draw the run, and judge it all along; a recorded one as if its ticks were so long.

    Without `sensitivity` it is what is `usual` for a run so long.
    """
    if job.file is None:
        settings = JudgeSettings.of(sensitivity or Sensitivity.NORMAL)
        case = next(one for one in generated.CASES if one.name == job.program)
        truth = Truth(
            case.name, f"{case.name}, {job.load}", "generated", "generated", case.leak, case.verdicts,
            case.begins_days * generated.DAY, case.leak,
        )  # fmt: skip
        return outcome(
            generated.make(case, job.seed),
            truth,
            lambda file, line, function: function == case.site,
            settings,
        )
    program = labels.program_named(job.program)
    dial = sensitivity or usual(program.seconds)
    settings = JudgeSettings.of(dial)
    truth = Truth(
        program.name, f"{program.name}.{job.load}", program.family, program.split, program.leak,
        program.verdicts, program.begins, bool(program.sites), _batch(program, dial),
    )  # fmt: skip
    recording = read(job.file)
    if tick_seconds is not None:
        factor = tick_seconds / recording.interval
        recording = at_ticks_of(recording, tick_seconds)
        truth = replace(truth, begins=truth.begins * factor)
        settings = replace(settings, old_ticks=settings.old_ticks / factor)
    return outcome(recording, truth, _is_site(program), settings)


def _batch(program: labels.Program, dial: Sensitivity) -> str:
    """What is scored by itself as well: a part of the split, or of programs that are known runs of one length."""
    return program.part if program.split == "test" else f"runs of {program.seconds} s, {dial} sensitivity"


def _is_site(program: labels.Program) -> IsSite:
    return lambda file, line, function: any(site.matches(file, line, function) for site in program.sites)
