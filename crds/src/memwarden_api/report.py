"""The JSON report of `memwarden run --report FILE.json`: an interface with a version.

`schema` names the version; fields are added within a version, never renamed nor taken away. The JSON Schema is
generated from these models into docs/reference/report.schema.json. Sizes are in bytes, rates in bytes per
second, durations in seconds, moments in UTC (RFC 3339).
"""

from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA: Final = "memwarden.dev/report/v1"

VerdictName = Literal["Healthy", "WarmingUp", "Growing", "Leaking", "CacheFilling", "Fragmented", "Unknown"]


class Model(BaseModel):
    """Base: unknown fields are errors, values don't change, NaN and infinities are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Cache(Model):
    """Something that gives up old entries for new ones, as the probe last counted it."""

    id: str = Field(description="The same as long as the cache lives")
    kind: str = Field(description='"lru_cache", "deque", or a class that keeps to a bound of its own')
    name: str = Field(
        description='The cached function, or the variable that holds it; "" where neither is known'
    )
    file: str = Field(description='Of the cached function, or ""')
    line: int = Field(description="First line of the cached function, or 0")
    entries: int
    bound: int | None = Field(description="Entries at most; null: no bound of entries")
    bound_bytes: int | None = Field(
        default=None, description="Bytes at most, as its code counts them; null: no such bound"
    )
    bound_seconds: float | None = Field(
        default=None, description="How long an entry is kept, as its code says; null: no such bound"
    )
    hit_rate: float | None = Field(description="Share of look-ups that found something; null: not counted")
    growth_entries: int = Field(description="Entries more than when it was first counted")


class Container(Model):
    """One of the largest dicts, lists, sets and deques that no known bound keeps small."""

    id: str = Field(description="The same as long as the container lives")
    type: str
    name: str = Field(description='The variable or attribute that holds it; "" where it was not found')
    entries: int
    growth_entries: int = Field(description="Entries more than when it was first counted")


class Process(Model):
    """One process of the scope."""

    pid: int
    parent_pid: int | None = None
    command: str
    runtime: str = Field(description='"cpython 3.11.7", or "" where it is not known')
    probe: Literal["hooked", "outside"] = Field(
        description="hooked: allocation sites known; outside: watched by /proc and cgroup only"
    )
    probe_reason: str = Field(
        "",
        description="Why a process is watched from outside, sampled less than was asked for, or silent since when",
    )
    anon_bytes: int | None = Field(description="Its share of the scope's anonymous memory when last seen")
    started_at: datetime
    ended_at: datetime | None = Field(None, description="null while it lives")
    caches: tuple[Cache, ...] = Field((), description="Those that grew by most entries first")
    containers: tuple[Container, ...] = Field((), description="Those that grew by most entries first")


class Frame(Model):
    file: str
    line: int
    function: str


class Site(Model):
    """An allocation site: the nearest frame of the user's own code, over all stacks that pass through it."""

    file: str
    line: int
    function: str
    pid: int
    live_bytes: int
    growth_bytes_per_second: float
    growth_share: float = Field(description="Its part of all growth seen by sites, 0 to 1")
    samples: int = Field(description="Live samples behind live_bytes; relative error ≈ 1/√samples")
    stack: tuple[Frame, ...] = Field(description="The heaviest stack of the site, innermost frame first")


class TypeGrowth(Model):
    name: str
    pid: int
    count: int
    bytes: int
    growth_count_per_second: float


class Limit(Model):
    bytes: int
    source: Literal["option", "cgroup", "available"] = Field(
        description="option: --memory-limit; cgroup: the limit of the cgroup; available: memory left at start"
    )


class Forecast(Model):
    """Seconds from the last sample until the limit is met, were growth to go on as it is."""

    p10: float
    p50: float
    p90: float


class Gate(Model):
    """One check of the judge, with its numbers, so that a person can follow it."""

    name: str
    passed: bool | None = Field(description="null: could not be checked; the text says why")
    value: float | None
    threshold: float | None
    unit: str
    text: str


class Advice(Model):
    text: str
    bytes_at_stake: int | None


class HistoryEntry(Model):
    at: datetime
    verdict: VerdictName
    confidence: float


class Verdict(Model):
    scope: str
    command: str
    headline: str = Field(description="The verdict in one sentence")
    processes: tuple[Process, ...]
    verdict: VerdictName
    reason: str
    at_risk: bool = Field(description="The limit will be met within the horizon, whatever the cause")
    confidence: float = Field(ge=0, le=1, description="Estimated probability that the verdict is right")
    limit: Limit | None
    anon_bytes: int | None
    since: datetime | None = Field(description="Since when memory grows; null where it does not")
    growth_bytes_per_second: float | None
    growth_interval_bytes_per_second: tuple[float, float] | None = Field(None, description="95 % interval")
    oom_forecast_seconds: Forecast | None
    cause: str
    fingerprint: str | None = None
    sites: tuple[Site, ...] = Field(description="The likeliest leak first")
    types: tuple[TypeGrowth, ...]
    advice: tuple[Advice, ...]
    gates: tuple[Gate, ...]
    history: tuple[HistoryEntry, ...]


class ComponentCost(Model):
    """What a part of Memwarden cost while the app ran."""

    name: str = Field(description='"sidecar", "collector", "database", "command", "probe"')
    cpu_seconds: float
    peak_rss_bytes: int | None = Field(description="null for the probe: it lives in the app's memory")


class Cost(Model):
    components: tuple[ComponentCost, ...]
    cpu_ratio: float | None = Field(
        description="CPU time of all parts over the wall time of the run (1 = one core)"
    )
    start_to_first_sample_seconds: float | None


class Fault(Model):
    """A part of Memwarden that ended before its time."""

    part: str = Field(description='"sidecar", "collector", "database"')
    how: str = Field(description='"signal SIGKILL", "exit code 1"')
    at: datetime
    started_again: bool


class Delivery(Model):
    """What became of the data: batches are requests of the sidecar to the collector. made = stored + refused + lost +
    undelivered."""

    made: int
    stored: int = Field(description="Acknowledged by the collector: in the database, once")
    refused: int = Field(description="By the collector, for good")
    lost: int = Field(
        description="Given up for want of room, or in the memory of a sidecar that was killed; of the latter some may "
        "have been stored all the same"
    )
    undelivered: int = Field(description="In the spool when the run ended")


class FailCondition(Model):
    """What makes `memwarden run` exit with 86, against the verdict of one scope."""

    condition: str = Field(description='As it was asked for: "leak", "oom-within=10m", "max-growth=1MiB/min"')
    scope: str
    met: bool | None = Field(description="true: the run fails; null: could not be checked, the text says why")
    text: str


class Report(Model):
    """The whole report of one run."""

    schema_: Literal["memwarden.dev/report/v1"] = Field(SCHEMA, alias="schema")
    memwarden_version: str
    started_at: datetime
    ended_at: datetime
    exit_code: int = Field(description="What `memwarden run` exits with")
    app_exit_code: int | None = Field(description="The app's own; -N: ended by signal N; null: never started")
    interval_seconds: float
    verdicts: tuple[Verdict, ...]
    cost: Cost
    fail_conditions: tuple[FailCondition, ...] = Field(
        default=(), description="Those of --fail-on and --max-growth"
    )
    faults: tuple[Fault, ...] = Field(
        default=(), description="Parts of Memwarden that died while the app ran"
    )
    delivery: Delivery | None = Field(default=None, description="null: not counted")
    notes: tuple[str, ...] = Field((), description="What could not be seen or went wrong on the way")
