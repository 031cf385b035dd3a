"""MemoryProfile: what to watch, and how."""

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field

from memwarden_api import names
from memwarden_api.quantities import cpu_cores, memory_bytes
from memwarden_api.v1alpha1.fields import (
    ContainerName,
    CpuQuantity,
    Duration,
    MemoryQuantity,
    Object,
    Rule,
    durations,
    shares,
    sizes,
)
from memwarden_api.v1alpha1.profile_status import MemoryProfileStatus
from memwarden_api.v1alpha1.remediation import Remediation
from memwarden_api.v1alpha1.selector import LabelSelector

Runtime = Literal["Auto", "Python"]
LOWEST_SIDECAR_MEMORY: Final = "32Mi"

Memory = Annotated[MemoryQuantity, sizes(LOWEST_SIDECAR_MEMORY, "4Gi")]
Cpu = Annotated[CpuQuantity, shares("1m", "8")]


class Amounts(Object):
    """Processor and memory of one container."""

    cpu: Cpu | None = Field(default=None, description="From 1m to 8")
    memory: Memory | None = Field(
        default=None, description="From 32Mi, below which the sidecar does not run, to 4Gi"
    )


class Requests(Amounts):
    """What is set aside on the node."""

    cpu: Cpu | None = Field(default="10m", description="From 1m to 8")
    memory: Memory | None = Field(default="48Mi", description="From 32Mi to 4Gi")


class Limits(Amounts):
    """What it may use at most. Without a processor limit it uses what is idle."""

    memory: Memory | None = Field(default="96Mi", description="From 32Mi to 4Gi")


def _within(requested: str | None, limit: str | None, parse: Any) -> bool:
    return requested is None or limit is None or bool(parse(requested) <= parse(limit))


def _cel_within(resource: str) -> str:
    request, limit = f"self.requests.{resource}", f"self.limits.{resource}"
    return (
        f"!has(self.requests) || !has(self.limits) || !has({request}) || !has({limit}) || "
        f"quantity(string({request})).compareTo(quantity(string({limit}))) <= 0"
    )


class Resources(Object):
    """Requests and limits, as of any container."""

    requests: Requests = Field(default=Requests(), description="What is set aside on the node")
    limits: Limits = Field(default=Limits(), description="What it may use at most")

    rules: ClassVar = (
        Rule(
            _cel_within("cpu"),
            "requests.cpu must not be above limits.cpu",
            lambda self: _within(self.requests.cpu, self.limits.cpu, cpu_cores),
        ),
        Rule(
            _cel_within("memory"),
            "requests.memory must not be above limits.memory",
            lambda self: _within(self.requests.memory, self.limits.memory, memory_bytes),
        ),
    )


class Sidecar(Object):
    """The container that is added to each pod."""

    resources: Resources = Field(default=Resources(), description="Its requests and limits")
    guaranteed_cpu: Annotated[CpuQuantity, shares("10m", "8")] = Field(
        default="100m",
        description="Its processor share in pods of QoS class Guaranteed, where requests are limits and what is "
        "requested elsewhere would starve it",
    )


class Injection(Object):
    """What is done to pods."""

    mode: Literal["Webhook", "Off"] = Field(
        default="Webhook",
        description="Webhook: pods are changed as they are made. Off: no pod is changed any more",
    )
    environment: Literal["Auto", "Preload", "Variables"] = Field(
        default="Auto",
        description="How the probe gets into a program. Preload: a loader named in LD_PRELOAD, which keeps what the "
        "image sets in PYTHONPATH. Variables: PYTHONPATH in the pod, which hides what the image sets there. Auto: as "
        "the injector is set up",
    )
    sidecar: Sidecar = Field(default=Sidecar(), description="The container that is added")
    minimum_container_memory: Annotated[MemoryQuantity, sizes("16Mi", "1Ti")] = Field(
        default="128Mi", description="Containers with a lower memory limit are left alone"
    )
    host_network: bool = Field(
        default=False,
        description="Pods in the node's network too. Their names are resolved by the node unless their dnsPolicy is "
        "ClusterFirstWithHostNet: then the sidecar may not find the collector",
    )
    missed_pods: Literal["Report", "Rollout"] = Field(
        default="Report",
        description="Pods that should have been changed and were not. Report: they are told in the status. Rollout: "
        "their workload is restarted besides, within spec.remediation.limits, so that they come back changed",
    )


class Allocation(Object):
    """Sampling of allocations inside the program."""

    average_bytes: Annotated[MemoryQuantity, sizes("4Ki", "1Gi")] = Field(
        default="512Ki",
        description="Mean bytes between two samples: fewer is finer, and costs the program more time",
    )


class Sampling(Object):
    """How often it is looked."""

    interval: Annotated[Duration, durations("1s", "5m")] = Field(
        default="15s", description="Between two readings of memory, from 1s to 5m"
    )
    allocation: Allocation = Field(default=Allocation(), description="Sampling of allocations")


class Detection(Object):
    """How leaks are told from what only looks like them."""

    sensitivity: Literal["Cautious", "Balanced", "Eager"] = Field(
        default="Balanced",
        description="Cautious: later and surer. Balanced: as the collector is set up. Eager: sooner, at times wrong",
    )
    warm_up: Annotated[
        str,
        Field(pattern=r"^(Auto|([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?)$", min_length=2, max_length=32),
        durations("10s", "24h", also="Auto"),
    ] = Field(
        default="Auto",
        description="Time after the start in which no verdict is given. Auto: 30 readings. A duration from 10s to 24h",
    )


class MemoryProfileSpec(Object):
    """What to watch, and how."""

    selector: LabelSelector = Field(
        default=LabelSelector(),
        description="Pods of the namespace. Empty: every pod that opts in, by itself or by its namespace",
        json_schema_extra={"x-kubernetes-map-type": "atomic"},
    )
    runtime: Runtime = Field(
        default="Auto",
        description="What the containers run. Auto: all that there is a probe for, others are left alone",
    )
    containers: tuple[ContainerName, ...] = Field(
        default=(),
        max_length=32,
        description="Names of the containers to watch, init containers left out. Empty: all",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    injection: Injection = Field(default=Injection(), description="What is done to pods")
    sampling: Sampling = Field(default=Sampling(), description="How often it is looked")
    detection: Detection = Field(default=Detection(), description="How leaks are told")
    remediation: Remediation = Field(
        default=Remediation(),
        description="What is done about pods that leak; by default the status says what would help",
    )

    rules: ClassVar = (
        Rule(
            "!has(self.containers) || self.containers.all(name, name != 'memwarden' && name != 'memwarden-probes')",
            "containers must not name Memwarden's own",
            lambda self: not {names.CONTAINER_SIDECAR, names.CONTAINER_PROBES} & set(self.containers),
        ),
    )


class Metadata(Object):
    """Of an object: what we read of it."""

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    labels: dict[str, str] = Field(default_factory=dict)


class MemoryProfile(Object):
    """What to watch in the pods of a namespace, and how; its status says what came of it."""

    api_version: Literal["memwarden.dev/v1alpha1"] = "memwarden.dev/v1alpha1"
    kind: Literal["MemoryProfile"] = "MemoryProfile"
    metadata: Metadata
    spec: MemoryProfileSpec = Field(default=MemoryProfileSpec())
    status: MemoryProfileStatus = Field(default=MemoryProfileStatus())
