"""What the controller tells the collector of the cluster: `/api/v1/cluster/…`, idempotent, in lists.

Whoever writes is the controller, or a test in its place. What is written is read back by the same paths with GET.
"""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from memwarden_api.report import Model

_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(3000, 1, 1, tzinfo=UTC)


def storable(text: str) -> str:
    """PostgreSQL keeps every character but one."""
    if "\x00" in text:
        raise ValueError("it holds U+0000, which can't be kept")
    return text


def _of_our_time(moment: datetime) -> datetime:
    """Without a zone it is UTC."""
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    if not _FIRST <= aware < _LAST:
        raise ValueError("it is not between the years 1970 and 3000")
    return aware


_Plain = Annotated[str, AfterValidator(storable)]
Name = Annotated[_Plain, Field(min_length=1, max_length=253)]
ShortText = Annotated[_Plain, Field(max_length=253)]
Text = Annotated[_Plain, Field(max_length=1024)]
Moment = Annotated[datetime, AfterValidator(_of_our_time)]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]


class Owner(Model):
    """Whose pod it is. `PUT /api/v1/cluster/owners` with a list: what is there of the same pod is replaced."""

    namespace: Name
    pod: Name
    pod_uid: Name
    kind: Name = Field(
        description="Of the top owner: Deployment, StatefulSet, DaemonSet, CronJob, Job, Pod, …"
    )
    name: Name
    version: ShortText = Field("", description="Hash of the pod template")
    image: dict[Name, Text] = Field(
        default_factory=dict, max_length=64, description="Container → image, as the pod's status has it"
    )
    profile: ShortText = Field("", description="The MemoryProfile that was applied")


class Owners(Model):
    items: tuple[Owner, ...] = Field(max_length=1000)


class OwnerPage(Model):
    """`GET /api/v1/cluster/owners?namespace=&cursor=`: in the order in which pods were first written."""

    items: tuple[Owner, ...]
    next_cursor: str | None = None


class Rollout(Model):
    """A version of a workload. `PUT /api/v1/cluster/rollouts`: one for each workload and version."""

    namespace: Name
    kind: Name
    name: Name
    version: Name
    revision: int | None = Field(None, ge=0, le=2**62)
    images: dict[Name, Text] = Field(default_factory=dict, max_length=64)
    started_at: Moment
    finished_at: Moment | None = None


class Rollouts(Model):
    items: tuple[Rollout, ...] = Field(max_length=1000)


class RolloutPage(Model):
    """`GET /api/v1/cluster/rollouts?namespace=&kind=&name=&cursor=`."""

    items: tuple[Rollout, ...]
    next_cursor: str | None = None


class Restart(Model):
    """A container's end, as its status says. `PUT /api/v1/cluster/restarts`: one for each container and start."""

    namespace: Name
    pod: Name
    pod_uid: Name
    container: Name
    restart_count: Count
    reason: ShortText = Field("", description='"OOMKilled", "Error", "Completed", …')
    exit_code: int | None = Field(None, ge=-(2**31), le=2**31 - 1)
    started_at: Moment | None = None
    finished_at: Moment


class Restarts(Model):
    items: tuple[Restart, ...] = Field(max_length=1000)


class RestartPage(Model):
    """`GET /api/v1/cluster/restarts?namespace=&pod_uid=&reason=&cursor=`."""

    items: tuple[Restart, ...]
    next_cursor: str | None = None


class SkippedPod(Model):
    pod: Name
    reason: Name
    message: Text


class Coverage(Model):
    """What a MemoryProfile reaches. `PUT /api/v1/cluster/coverage/{namespace}/{profile}` replaces it."""

    matched: Count
    injected: Count
    skipped: tuple[SkippedPod, ...] = Field(max_length=20_000)
    at: Moment


class ProfileCoverage(Coverage):
    """`GET /api/v1/cluster/coverage?namespace=`: with what the collector knows itself."""

    namespace: str
    profile: str
    reporting: int = Field(description="Pods of the profile from which samples came in the last two minutes")


class CoveragePage(Model):
    items: tuple[ProfileCoverage, ...]
    next_cursor: str | None = None


CommandKind = Literal["Profile", "Census", "SetSampling", "Flush"]
CommandState = Literal["Pending", "Delivered", "Done", "Failed", "Expired"]


class CommandRequest(Model):
    """What a sidecar shall do. `POST /api/v1/commands` → Command. Sidecars fetch theirs by
    `GET /api/v1/commands/next?pod_uid=UID&wait=SECONDS` and answer with `POST /api/v1/commands/{id}/result`.
    """

    pod_uid: Name
    container: Name
    pid: int | None = Field(
        None,
        ge=1,
        le=2**31 - 1,
        description="As the sidecar reports it; null: all processes of the container",
    )
    kind: CommandKind = Field(
        description="Profile: send the allocation profile now; Census: types, caches and containers now; SetSampling: "
        "until it expires; Flush: send everything that waits"
    )
    sampling_bytes: int | None = Field(None, ge=4096, le=1 << 30, description="Of SetSampling")
    expires_in_seconds: float = Field(60.0, ge=1, le=86_400)


class CommandResult(Model):
    done: bool
    message: Text = ""
    at: Moment


class Command(CommandRequest):
    id: str
    state: CommandState
    made_at: datetime
    expires_at: datetime
    result: CommandResult | None = None


class Commands(Model):
    items: tuple[Command, ...]
