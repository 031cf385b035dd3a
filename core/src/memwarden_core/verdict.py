"""What the judge says. Plain values: the collector stores them, reports print them."""

from dataclasses import dataclass
from enum import StrEnum

from memwarden_core.recording import Stack


class Kind(StrEnum):
    """The verdicts, as design/verdicts defines them."""

    HEALTHY = "Healthy"
    WARMING_UP = "WarmingUp"
    GROWING = "Growing"
    LEAKING = "Leaking"
    CACHE_FILLING = "CacheFilling"
    FRAGMENTED = "Fragmented"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Gate:
    """One check with its numbers. `passed` is None where it could not be made; `text` is for a person."""

    name: str
    passed: bool | None
    value: float | None
    threshold: float | None
    unit: str
    text: str


@dataclass(frozen=True, slots=True)
class Site:
    """The nearest frame of the user's own code, over all stacks of one process that pass through it."""

    file: str
    line: int
    function: str
    pid: int
    live_bytes: float
    growth_bytes_per_second: float
    growth_share: float
    samples: int
    stack: Stack


@dataclass(frozen=True, slots=True)
class TypeGrowth:
    name: str
    pid: int
    count: float
    bytes: float
    growth_count_per_second: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """Seconds from the last sample until the limit is met, as quantiles."""

    p10: float
    p50: float
    p90: float


@dataclass(frozen=True, slots=True)
class Advice:
    text: str
    bytes_at_stake: float | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement about one scope at the moment `at` (Unix seconds)."""

    at: float
    kind: Kind
    reason: str
    headline: str
    confidence: float
    at_risk: bool
    anon_bytes: float | None
    since: float | None
    growth_bytes_per_second: float | None
    growth_interval: tuple[float, float] | None
    forecast: Forecast | None
    cause: str
    fingerprint: str | None
    sites: tuple[Site, ...]
    types: tuple[TypeGrowth, ...]
    advice: tuple[Advice, ...]
    gates: tuple[Gate, ...]
    observed: Kind | None = None
    """What the numbers of this moment alone say, before earlier verdicts are weighed; None: not kept."""
    chance: float = 1.0
    """Probability that memory without any drift rises as clearly, looked at once; 1 where growth was not judged."""
