"""A part of a recording (a time range, one process), judged again: the report of what was chosen."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import numpy as np

import memwarden
from memwarden.errors import Failed, Usage
from memwarden.quantities import duration
from memwarden.report.sources import Source
from memwarden_api.report import Cost, HistoryEntry, Report
from memwarden_collector.verdicts import history_entry, report_verdict, utc
from memwarden_core.judge import DEFAULT_SETTINGS, judge
from memwarden_core.recording import ProcessInfo, Profile, Recording, Series, SeriesKey
from memwarden_core.replay import replay
from memwarden_core.settings import SENSITIVITY_LABEL, JudgeSettings
from memwarden_core.verdict import Verdict
from memwarden_core.wording import limit_size

JUDGED_ROWS: Final = 60_000
"""Rows of profiles (a stack at a moment) that are judged; profiles beyond are thinned out evenly, as the collector
does it. A report shows all of them."""
FEWEST_PROFILES: Final = 12
"""…but so many of each process stay: the judge needs six to see a slope."""
HISTORY_JUDGEMENTS: Final = 30
"""Verdicts that are made again for the history, evenly over the run."""
HISTORY_ROWS: Final = 150_000
"""Rows of profiles that all of them may read together."""
_FEWEST_JUDGEMENTS: Final = 5


@dataclass(frozen=True, slots=True)
class Selection:
    """What of a recording is wanted. Moments as people type them: see `moment`."""

    begin: str | None = None
    end: str | None = None
    pid: int | None = None

    @property
    def is_whole(self) -> bool:
        return self.begin is None and self.end is None and self.pid is None


@dataclass(frozen=True, slots=True)
class Selected:
    """A report and the samples behind it."""

    report: Report
    recording: Recording


def select(source: Source, selection: Selection, settings: JudgeSettings | None = None) -> Selected:
    """Cut, judge, report; without settings as it was watched. Raises Usage or Failed where nothing is left."""
    recording, notes = _cut_out(source, selection)
    recording = _to_be_judged(recording, settings)
    notes.append(f"Made from {source.name}: exit codes and what the watching cost are not in it.")
    usual = settings is None and selection.pid is None
    history = source.history if usual else None
    return Selected(_report(recording, history, notes, settings or DEFAULT_SETTINGS), recording)


def judged_selection(source: Source, selection: Selection, settings: JudgeSettings | None) -> Verdict:
    """Cut and judge, as `select` does. Raises Usage or Failed where nothing is left."""
    recording = _to_be_judged(_cut_out(source, selection)[0], settings)
    return judge(judged(recording), now=recording.ended, settings=settings or DEFAULT_SETTINGS)


def _to_be_judged(recording: Recording, settings: JudgeSettings | None) -> Recording:
    """What its owner wanted when it was watched counts no more where somebody wants something else now."""
    return recording if settings is None else recording.without_label(SENSITIVITY_LABEL)


def _cut_out(source: Source, selection: Selection) -> tuple[Recording, list[str]]:
    """The part that is wanted, and what people should know of it."""
    recording, notes = source.recording, list(source.notes)
    if selection.begin is not None or selection.end is not None:
        begin = moment(selection.begin, "--from", recording) if selection.begin else recording.started
        end = moment(selection.end, "--to", recording) if selection.end else recording.ended
        recording = between(recording, begin, end)
        notes.append(f"Judged from {utc(begin):%Y-%m-%d %H:%M:%S} to {utc(end):%H:%M:%S} UTC only.")
    if selection.pid is not None:
        recording, note = of_process(recording, selection.pid)
        notes.append(note)
    if not any(series.time.size for series in recording.series.values()):
        notes.append("There is no sample: the command ended before the first one, or the range is too short.")
    return recording, notes


def moment(text: str, option: str, recording: Recording) -> float:
    """Unix seconds of a moment: RFC 3339, `5m` (after the start) or `-5m` (before the end). Raises Usage."""
    if text.startswith("-"):
        return recording.ended - duration(text[1:], option)
    if text[:4].isdigit() and text[4:5] == "-":
        try:
            found = datetime.fromisoformat(text)
        except ValueError as error:
            raise Usage(f"{option} {text}: this is no moment such as 2026-11-21T12:00:00Z") from error
        return (found if found.tzinfo else found.replace(tzinfo=utc(0).tzinfo)).timestamp()
    if text in ("0", "0s", "start"):
        return recording.started
    return recording.started + duration(text, option)


def between(recording: Recording, begin: float, end: float) -> Recording:
    """What was seen from `begin` to `end`; processes that lived at no moment of it are gone. Raises Failed."""
    if begin >= end:
        raise Usage("--from is not before --to; a time such as 5m counts from the start, -5m from the end")
    if begin > recording.ended or end < recording.started:
        raise Failed(
            f"there is nothing in this range: the recording goes from {utc(recording.started):%Y-%m-%dT%H:%M:%SZ} "
            f"to {utc(recording.ended):%Y-%m-%dT%H:%M:%SZ}"
        )
    kept = [
        place
        for place, process in enumerate(recording.processes)
        if process.started <= end and process.last_seen >= begin
    ]
    return replace(
        _with_processes(recording, kept, end),
        started=max(recording.started, begin),
        ended=min(recording.ended, end),
        series={
            key: cut
            for key, series in _renumbered(recording, kept).items()
            if (cut := _cut(series, begin, end)).time.size
        },
        profiles=tuple(profile for profile in _profiles(recording, kept) if begin <= profile.time <= end),
        events=tuple(event for event in recording.events if begin <= event.time <= end),
    )


def of_process(recording: Recording, pid: int) -> tuple[Recording, str]:
    """The recording of one process as if it were alone, and what is to be said about that. Raises Failed."""
    kept = [place for place, process in enumerate(recording.processes) if process.pid == pid]
    if not kept:
        known = ", ".join(str(process.pid) for process in recording.processes[:10])
        raise Failed(f"there is no process {pid} in this recording or range; there are: {known or 'none'}")
    series = {key: value for key, value in _renumbered(recording, kept).items() if key.process is not None}
    note = f"Judged for process {pid} alone."
    if recording.limit is not None:
        note += f" The limit of {limit_size(recording.limit.bytes)} counts all processes and is not held against one."
    chosen = recording.processes[kept[0]]
    alone = replace(
        _with_processes(recording, kept, recording.ended),
        command=chosen.command,
        limit=None,
        series=series,
        profiles=tuple(_profiles(recording, kept)),
    )
    return alone, note


def judged(recording: Recording) -> Recording:
    """The recording as the judge reads it: with so many profiles that it answers in a second."""
    rows = sum(profile.stacks.size for profile in recording.profiles)
    if rows <= JUDGED_ROWS:
        return recording
    lists: dict[int, list[Profile]] = {}
    for profile in recording.profiles:
        lists.setdefault(profile.process, []).append(profile)
    kept: list[Profile] = []
    for profiles in lists.values():
        count = min(len(profiles), max(FEWEST_PROFILES, int(len(profiles) * JUDGED_ROWS / rows)))
        places = np.unique(np.linspace(0, len(profiles) - 1, count).round().astype(int))
        kept += [profiles[place] for place in places]
    return replace(recording, profiles=tuple(sorted(kept, key=lambda profile: profile.time)))


def _report(
    recording: Recording, known: Sequence[HistoryEntry] | None, notes: list[str], settings: JudgeSettings
) -> Report:
    thinned = judged(recording)
    verdict = report_verdict(judge(thinned, now=recording.ended, settings=settings), recording)
    history = _history(thinned, notes, settings) if known is None else known
    within = tuple(
        entry for entry in history if recording.started <= entry.at.timestamp() <= recording.ended + 60
    )
    return Report(
        schema="memwarden.dev/report/v1",
        memwarden_version=memwarden.__version__,
        started_at=utc(recording.started),
        ended_at=utc(recording.ended),
        exit_code=0,
        app_exit_code=None,
        interval_seconds=recording.interval,
        verdicts=(verdict.model_copy(update={"history": within}),),
        cost=Cost(components=(), cpu_ratio=None, start_to_first_sample_seconds=None),
        notes=tuple(notes),
    )


def _history(recording: Recording, notes: list[str], settings: JudgeSettings) -> tuple[HistoryEntry, ...]:
    """The verdicts as they would have been given while it ran."""
    rows = max(1, sum(profile.stacks.size for profile in recording.profiles))
    count = min(HISTORY_JUDGEMENTS, int(HISTORY_ROWS // rows))
    span = recording.ended - recording.started
    if span <= 0 or recording.interval <= 0:
        return ()
    if count < _FEWEST_JUDGEMENTS:
        notes.append(
            "The verdicts over time were not made again: there are too many allocation sites for it."
        )
        return ()
    ticks = max(5.0, span / recording.interval / count)
    again = replay(recording, every_ticks=ticks, settings=settings)
    return tuple(history_entry(verdict) for verdict in again)


def _with_processes(recording: Recording, kept: list[int], end: float) -> Recording:
    return replace(recording, processes=tuple(_until(recording.processes[place], end) for place in kept))


def _until(process: ProcessInfo, end: float) -> ProcessInfo:
    return replace(
        process, last_seen=min(process.last_seen, end), ended=process.ended and process.last_seen <= end
    )


def _renumbered(recording: Recording, kept: list[int]) -> dict[SeriesKey, Series]:
    places = {old: new for new, old in enumerate(kept)}
    return {
        key if key.process is None else key._replace(process=places[key.process]): series
        for key, series in recording.series.items()
        if key.process is None or key.process in places
    }


def _profiles(recording: Recording, kept: list[int]) -> list[Profile]:
    places = {old: new for new, old in enumerate(kept)}
    return [
        replace(profile, process=places[profile.process])
        for profile in recording.profiles
        if profile.process in places
    ]


def _cut(series: Series, begin: float, end: float) -> Series:
    chosen = (series.time >= begin) & (series.time <= end)
    return Series(series.time[chosen], series.value[chosen])
