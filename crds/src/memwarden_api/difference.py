"""Two runs compared, as JSON: `memwarden report AFTER --against BEFORE --format json`.

The published schema is generated from these models into docs/reference/difference.schema.json. Sizes are in
bytes, rates in bytes per second.
"""

from typing import Final, Literal

from pydantic import Field

from memwarden_api.report import Model, Report

SCHEMA: Final = "memwarden.dev/difference/v1"

Outcome = Literal["better", "worse", "same", "unclear"]


class SiteChange(Model):
    """A line of code in both runs; the line's number is that of the later run where it is in both."""

    file: str
    line: int
    function: str
    before_live_bytes: int
    after_live_bytes: int
    before_growth_bytes_per_second: float
    after_growth_bytes_per_second: float
    growth_change_bytes_per_second: float = Field(description="Above zero: it got worse")


class Difference(Model):
    """Two runs compared: what got better or worse, in one sentence and by line of code."""

    schema_: Literal["memwarden.dev/difference/v1"] = Field(SCHEMA, alias="schema")
    outcome: Outcome
    sentence: str
    before_memory_bytes: int | None = Field(
        description="At the end of the run: the median of its last samples"
    )
    after_memory_bytes: int | None
    before_name: str
    after_name: str
    before: Report
    after: Report
    sites: tuple[SiteChange, ...] = Field(description="Those that changed most first")
