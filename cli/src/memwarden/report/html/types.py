"""Types of objects, as the census of the probe counted them: how many, how large, how fast they become more."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from memwarden_api.names import OBJECTS_COUNT, OBJECTS_SIZE
from memwarden_core.recording import Recording, SeriesKey
from memwarden_core.signals import clean

TYPES: Final = 60


@dataclass(frozen=True, slots=True)
class TypeRow:
    name: str
    pid: int
    count: int
    size_bytes: int
    """Of the objects alone, without what they refer to."""
    growth_count: int
    """Objects more than at the first census."""
    growth_bytes: int


def types(recording: Recording) -> list[TypeRow]:
    """The types that grew by most bytes, then the largest."""
    found = []
    for key, series in recording.series.items():
        if key.metric != OBJECTS_COUNT or key.process is None or key.process >= len(recording.processes):
            continue
        count = clean(series, recording.ended)
        if not count.time.size:
            continue
        sizes = recording.series.get(SeriesKey(OBJECTS_SIZE, key.process, key.attribute))
        size = clean(sizes, recording.ended).value if sizes is not None else np.empty(0)
        first, last = _ends(count.value)
        first_size, last_size = _ends(size)
        found.append(
            TypeRow(
                key.attribute,
                recording.processes[key.process].pid,
                last,
                last_size,
                last - first,
                last_size - first_size,
            )
        )
    found.sort(key=lambda row: (-row.growth_bytes, -row.size_bytes, row.name))
    return found[:TYPES]


def _ends(value: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[int, int]:
    return (round(float(value[0])), round(float(value[-1]))) if value.size else (0, 0)
