"""What the controller tells the collector of the cluster: `/api/v1/cluster/…`, idempotent, in lists.

Whoever writes is the controller, or a test in its place. What is written is read back by the same paths with GET.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from memwarden_api.report import Model

Name = Annotated[str, Field(min_length=1, max_length=253)]
Text = Annotated[str, Field(max_length=1024)]


class Owner(Model):
    """Whose pod it is. `PUT /api/v1/cluster/owners` with a list: what is there of the same pod is replaced."""

    namespace: Name
    pod: Name
    pod_uid: Name
    kind: Name = Field(
        description="Of the top owner: Deployment, StatefulSet, DaemonSet, CronJob, Job, Pod, …"
    )
    name: Name
    version: str = Field("", max_length=253, description="Hash of the pod template")
    image: dict[str, Text] = Field(
        default_factory=dict, max_length=64, description="Container → image, as the pod's status has it"
    )
    profile: str = Field("", max_length=253, description="The MemoryProfile that was applied")


class Owners(Model):
    items: tuple[Owner, ...] = Field(max_length=1000)


class Rollout(Model):
    """A version of a workload. `PUT /api/v1/cluster/rollouts`: one for each workload and version."""

    namespace: Name
    kind: Name
    name: Name
    version: Name
    revision: int | None = None
    images: dict[str, Text] = Field(default_factory=dict, max_length=64)
    started_at: datetime
    finished_at: datetime | None = None


class Rollouts(Model):
    items: tuple[Rollout, ...] = Field(max_length=1000)


class Restart(Model):
    """A container's end, as its status says. `PUT /api/v1/cluster/restarts`: one for each container and start."""

    namespace: Name
    pod: Name
    pod_uid: Name
    container: Name
    restart_count: int = Field(ge=0)
    reason: str = Field("", max_length=253, description='"OOMKilled", "Error", "Completed", …')
    exit_code: int | None = None
    started_at: datetime | None = None
    finished_at: datetime


class Restarts(Model):
    items: tuple[Restart, ...] = Field(max_length=1000)


class SkippedPod(Model):
    pod: Name
    reason: Name
    message: Text


class Coverage(Model):
    """What a MemoryProfile reaches. `PUT /api/v1/cluster/coverage/{namespace}/{profile}` replaces it."""

    matched: int = Field(ge=0)
    injected: int = Field(ge=0)
    skipped: tuple[SkippedPod, ...] = Field(max_length=20_000)
    at: datetime


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
    pid: int | None = Field(None, description="null: all processes of the container")
    kind: CommandKind = Field(
        description="Profile: send the allocation profile now; Census: types, caches and containers now; SetSampling: "
        "until it expires; Flush: send everything that waits"
    )
    sampling_bytes: int | None = Field(None, ge=4096, le=1 << 30, description="Of SetSampling")
    expires_in_seconds: float = Field(60.0, ge=1, le=86_400)


class CommandResult(Model):
    done: bool
    message: Text = ""
    at: datetime


class Command(CommandRequest):
    id: str
    state: CommandState
    made_at: datetime
    expires_at: datetime
    result: CommandResult | None = None


class Commands(Model):
    items: tuple[Command, ...]
