"""A MemoryProfile as the injector needs it, read from what the API server sends.

The API server has checked it and filled in defaults; fields of a newer version are not looked at. A test compares the
defaults here with those of the kind.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from memwarden_api.quantities import duration_seconds, memory_bytes
from memwarden_operator.injector.selector import Selector

SENSITIVITIES: Final = {"Cautious": "low", "Balanced": "normal", "Eager": "high"}
"""As users say it → as the judge calls it."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Sizes in bytes, times in seconds; processor shares as users wrote them."""

    namespace: str
    name: str
    selector: Selector
    runtime: str
    containers: tuple[str, ...]
    mode: str
    environment: str
    requests: tuple[tuple[str, str], ...]
    limits: tuple[tuple[str, str], ...]
    guaranteed_cpu: str
    minimum_memory: str
    host_network: bool
    interval: float
    average_bytes: int
    sensitivity: str
    warm_up: float | None
    stopped: frozenset[str]
    """KIND/NAME of workloads that are not injected any more."""

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Profile":
        """Raises ValueError, KeyError or TypeError where it is none."""
        metadata, spec = document["metadata"], document.get("spec") or {}
        injection, sampling = spec.get("injection") or {}, spec.get("sampling") or {}
        detection, sidecar = spec.get("detection") or {}, injection.get("sidecar") or {}
        resources = sidecar.get("resources") or {}
        warm_up = detection.get("warmUp", "Auto")
        return cls(
            namespace=metadata["namespace"],
            name=metadata["name"],
            selector=Selector.of(spec.get("selector") or {}),
            runtime=spec.get("runtime", "Auto"),
            containers=tuple(spec.get("containers") or ()),
            mode=injection.get("mode", "Webhook"),
            environment=injection.get("environment", "Auto"),
            requests=_amounts({"cpu": "10m", "memory": "48Mi"} | (resources.get("requests") or {})),
            limits=_amounts({"memory": "96Mi"} | (resources.get("limits") or {})),
            guaranteed_cpu=str(sidecar.get("guaranteedCpu", "100m")),
            minimum_memory=str(injection.get("minimumContainerMemory", "128Mi")),
            host_network=bool(injection.get("hostNetwork", False)),
            interval=duration_seconds(sampling.get("interval", "15s")),
            average_bytes=memory_bytes((sampling.get("allocation") or {}).get("averageBytes", "512Ki")),
            sensitivity=SENSITIVITIES.get(detection.get("sensitivity", "Balanced"), "normal"),
            warm_up=None if warm_up == "Auto" else duration_seconds(warm_up),
            stopped=frozenset(
                entry["workload"] for entry in (document.get("status") or {}).get("injectionStopped") or ()
            ),
        )


def _amounts(resources: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, str(value)) for name, value in resources.items() if value is not None))
