"""What is known at one moment, and its JSON. Names are as the watched program has them: who shows them cleans them."""

import json
from dataclasses import asdict, dataclass
from typing import Final, Literal

SCHEMA: Final = "memwarden.dev/top/v1"

State = Literal["live", "quiet", "ended", "unreachable"]
"""quiet: no new samples come; ended: the run is over; unreachable: the collector does not answer."""


@dataclass(frozen=True, slots=True)
class Process:
    """Times in Unix seconds, sizes in bytes, growth in bytes per second over `history`."""

    pid: int
    parent_pid: int | None
    command: str
    runtime: str
    probe: str
    probe_reason: str
    alive: bool
    memory_bytes: float | None
    growth_bytes_per_second: float | None
    history: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Site:
    pid: int
    file: str
    line: int
    function: str
    live_bytes: int
    growth_bytes_per_second: float


@dataclass(frozen=True, slots=True)
class Limit:
    bytes: int
    source: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """Seconds until the limit is met."""

    p10: float
    p50: float
    p90: float


@dataclass(frozen=True, slots=True)
class Picture:
    at: float
    """Unix seconds of the newest sample; of the look where there is none."""
    state: State
    notice: str
    """One sentence on why it is not live; "" while it is."""
    run_pid: int | None
    scope: str
    command: str
    verdict: str | None
    """None: not judged yet."""
    headline: str
    memory_bytes: float | None
    limit: Limit | None
    growth_bytes_per_second: float | None
    forecast_seconds: Forecast | None
    watched_seconds: float | None
    processes: tuple[Process, ...]
    sites: tuple[Site, ...]


def to_json(picture: Picture) -> str:
    """One line of ASCII: every control character is an escape of JSON."""
    return json.dumps({"schema": SCHEMA} | asdict(picture), allow_nan=False)
