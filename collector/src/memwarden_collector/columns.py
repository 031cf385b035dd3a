"""Which metrics have a column of the wide table, on which level. The rest is stored narrow, one row a point.

A metric goes to its column when it has no attribute, or the one attribute that the column's text column
keeps.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from memwarden_api import names
from memwarden_collector.batch import ResourceId

Level = Literal["scope", "process", "foreign"]


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    unit: str
    text_attribute: str = ""
    text_column: str = ""

    def takes(self, attributes: Mapping[str, object]) -> bool:
        return not attributes or (len(attributes) == 1 and self.text_attribute in attributes)


SCOPE_COLUMNS: Final = {
    names.MEMORY_ANON: Column("anon_bytes", "By"),
    names.MEMORY_LIMIT: Column("limit_bytes", "By", names.LIMIT_SOURCE, "limit_source"),
    names.MEMORY_AVAILABLE: Column("available_bytes", "By"),
    names.CPU_TIME: Column("cpu_seconds", "s"),
    names.PROCESS_COUNT: Column("process_count", "{process}"),
}
PROCESS_COLUMNS: Final = {
    names.PROCESS_MEMORY_USAGE: Column("rss_bytes", "By"),
    names.PROCESS_MEMORY_ANON: Column("anon_bytes", "By"),
    names.PROCESS_CPU_TIME: Column("cpu_seconds", "s"),
    names.PROCESS_THREAD_COUNT: Column("thread_count", "{thread}"),
    names.PROCESS_FD_COUNT: Column("fd_count", "{file_descriptor}"),
    names.HEAP_LIVE: Column("heap_live_bytes", "By"),
    names.HEAP_ALLOCATED: Column("heap_allocated_bytes", "By"),
    names.HEAP_SAMPLES: Column("heap_samples", "{sample}"),
    names.HEAP_SAMPLING_INTERVAL: Column("heap_sampling_bytes", "By"),
    names.PROBE_CPU_TIME: Column("probe_cpu_seconds", "s"),
    names.PROBE_SILENCE: Column("probe_silence_seconds", "s"),
}
WIDE: Final[Mapping[Level, Mapping[str, Column]]] = {
    "scope": SCOPE_COLUMNS,
    "process": PROCESS_COLUMNS,
    "foreign": {},
}
NUMBERS: Final = tuple(
    dict.fromkeys(c.name for level in (SCOPE_COLUMNS, PROCESS_COLUMNS) for c in level.values())
)
"""The columns of float8 in the order of the table."""
LIMIT_SOURCES: Final = ("option", "cgroup", "available")


def level_of(identity: ResourceId) -> Level:
    if identity.kind == "service":
        return "foreign"
    return "scope" if identity.pid is None else "process"
