"""The collector's HTTP contract, `/api/v1`. Lists are pages with a cursor; errors are problem+json (RFC 9457)."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from memwarden_api.report import Frame, Limit, Model, Verdict


class Scope(Model):
    """What gets one verdict: a run on a laptop, a container in a cluster.

    A service is what sent metrics without a sidecar of ours: its numbers are kept, it is not judged.
    """

    scope: str
    kind: Literal["run", "container", "service"]
    command: str
    host: str
    interval_seconds: float = Field(description="Seconds between two samples; 0 where it was not told")
    first_seen: datetime
    last_seen: datetime
    limit: Limit | None
    attributes: dict[str, str] = Field(
        default_factory=dict,
        description="What its resource says of service and Kubernetes: service.name, k8s.namespace.name, "
        "k8s.deployment.name, k8s.pod.name, k8s.container.name, …",
    )


class ScopePage(Model):
    items: tuple[Scope, ...]
    next_cursor: str | None = None


class VerdictPage(Model):
    items: tuple[Verdict, ...]
    next_cursor: str | None = None


class SeriesPoints(Model):
    """One series; `times` in Unix seconds, both lists have one length."""

    metric: str
    pid: int | None
    attribute: str
    unit: str
    times: tuple[float, ...]
    values: tuple[float, ...]


class SeriesList(Model):
    items: tuple[SeriesPoints, ...]
    downsampled: bool = Field(description="Whether there were more points than asked for")


class ProfileInfo(Model):
    id: str
    at: datetime
    pid: int
    live_bytes: int
    samples: int


class ProfilePage(Model):
    items: tuple[ProfileInfo, ...]
    next_cursor: str | None = None


class StackValue(Model):
    stack: tuple[Frame, ...] = Field(description="Innermost frame first")
    live_bytes: int
    blocks: int
    samples: int
    ages: tuple[int, ...] = Field(
        description="Samples by age bucket: ≤1, 2, 5, 10, 30, 60, 300, 900, 3600 s, older"
    )


class Profile(ProfileInfo):
    stacks: tuple[StackValue, ...]


class FlameNode(Model):
    """A frame under its callers, with everything below it."""

    parent: int = Field(description="Place of its parent in the list, which comes earlier; -1 for the root")
    frame: Frame | None = Field(description="null for the root, which holds everything")
    live_bytes: int
    self_bytes: int = Field(description="Allocated by this very frame")
    blocks: int
    samples: int


class FlameGraph(Model):
    at: datetime
    nodes: tuple[FlameNode, ...] = Field(description="The heaviest ones, always one tree")


class StackGrowth(Model):
    stack: tuple[Frame, ...] = Field(description="Innermost frame first")
    before_bytes: int
    after_bytes: int
    growth_bytes: int


class Growth(Model):
    before: datetime
    after: datetime
    items: tuple[StackGrowth, ...] = Field(description="What changed most, from growth to shrinking")


class SiteUse(Model):
    """A line of the user's own code, over all processes and stacks."""

    frame: Frame
    mean_bytes: float
    first_bytes: int
    last_bytes: int


class Sites(Model):
    start: datetime
    end: datetime
    items: tuple[SiteUse, ...] = Field(description="Those that held most on average first")


class Problem(Model):
    """RFC 9457."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
