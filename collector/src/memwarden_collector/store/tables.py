"""Which tables are divided by time, by what step, and how long their rows are kept.

A new one is a line here and a migration.
"""

from dataclasses import dataclass
from typing import Final

from memwarden_collector.settings import Keep


@dataclass(frozen=True, slots=True)
class TimeTable:
    name: str
    column: str
    """Of the type timestamptz."""
    step_days: int
    """What one partition holds. Hypertables have the step that their migration gave them."""
    keep: Keep
    has_default: bool
    """Whether others than the upkeep write, who need a place for any time."""
    rolled_up: int | None = None
    """The level (`rollups.LEVELS`) that must have read the rows before they go; None: nobody needs them."""
    in_hypertables: bool = True
    """Whether it is a hypertable where there are such."""


MEASURED: Final = (
    TimeTable("mem_sample", "ts", 1, "samples", has_default=True, rolled_up=1),
    TimeTable("sample", "ts", 1, "samples", has_default=True, rolled_up=1),
    TimeTable("distribution", "ts", 1, "samples", has_default=True),
    TimeTable("profile", "ts", 1, "profiles", has_default=True),
    TimeTable("ingest_batch", "at", 1, "ledger", has_default=True, in_hypertables=False),
)
_ROLLED: Final[tuple[tuple[Keep, int, int | None], ...]] = (
    ("1m", 1, 2),
    ("10m", 7, 3),
    ("1h", 30, 4),
    ("1d", 365, None),
)
ROLLUPS: Final = tuple(
    TimeTable(f"roll_{kind}_{keep}", "bucket", step, keep, has_default=False, rolled_up=above)
    for keep, step, above in _ROLLED
    for kind in ("mem", "sample")
)
EVERY: Final = MEASURED + ROLLUPS
