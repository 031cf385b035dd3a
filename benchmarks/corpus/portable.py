"""A recording without what belongs to the machine that made it: folders get names that are the same everywhere.

Only names change; every number stays. What the judge asks of names (is this frame in a library folder?) has the same
answer after it, because frames and library folders are renamed alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from memwarden_core.recording import Event, Frame, ProcessInfo, Recording

Renaming = Sequence[tuple[str, str]]
"""Old and new beginnings, longest first."""


def portable(recording: Recording, renaming: Renaming, labels: Mapping[str, str]) -> Recording:
    """The recording with renamed folders, a scope and a host that say nothing, and `labels` for the rest."""

    def name(text: str) -> str:
        for old, new in renaming:
            text = text.replace(old, new)
        return text

    def process(info: ProcessInfo) -> ProcessInfo:
        return replace(
            info,
            command=name(info.command),
            executable=name(info.executable),
            library_prefixes=tuple(name(prefix) for prefix in info.library_prefixes),
        )

    return replace(
        recording,
        scope=labels["program"],
        command=name(recording.command),
        series={
            key._replace(attribute=name(key.attribute)): series for key, series in recording.series.items()
        },
        processes=tuple(process(info) for info in recording.processes),
        stacks=tuple(
            tuple(Frame(name(frame.file), frame.line, frame.function) for frame in stack)
            for stack in recording.stacks
        ),
        events=tuple(Event(event.time, event.kind, name(event.text)) for event in recording.events),
        labels=dict(labels),
    )
