"""What our containers request and may use, so that the pod stays what it was: its QoS class, and valid.

The sidecar takes what the profile says; in a Guaranteed pod requests are limits. A container that looks at an image
takes what a container of the app takes: it runs before them, and a pod is counted by the larger of both.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from memwarden_api import names
from memwarden_api.quantities import quantity
from memwarden_operator.injector.namespace_limits import NamespaceLimits, Range
from memwarden_operator.injector.profile import Profile
from memwarden_operator.injector.skips import Skip

DISK: Final = "ephemeral-storage"
SIDECAR_DISK: Final = "112Mi"
"""Both volumes at their largest, and the log: an app with a limit of its own must not pay for them."""
SIDECAR_DISK_REQUEST: Final = "16Mi"
LOOKER_DEFAULT: Final = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}}
_COPIED: Final = ("cpu", "memory", DISK)

Resources = dict[str, dict[str, str]]


def is_guaranteed(containers: Iterable[Mapping[str, Any]]) -> bool:
    """Whether these containers make a pod of QoS class Guaranteed."""
    found = False
    for container in containers:
        found = True
        resources = container.get("resources") or {}
        limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
        for name in ("cpu", "memory"):
            if name not in limits or quantity(limits[name]) <= 0:
                return False
            if quantity(requests.get(name, limits[name])) != quantity(limits[name]):
                return False
    return found


def of_sidecar(
    profile: Profile, app: list[Mapping[str, Any]], guaranteed: bool, limits: NamespaceLimits
) -> Resources | Skip:
    """Of the sidecar, or why the namespace has no room for it. `app`: all containers that are the user's."""
    requests, bounds = dict(profile.requests), dict(profile.limits)
    if guaranteed:
        bounds["cpu"] = profile.guaranteed_cpu
        requests = dict(bounds)
    elif limits.wants_cpu_limit:
        bounds.setdefault("cpu", _larger(profile.guaranteed_cpu, requests.get("cpu", "0")))
    if any(DISK in ((container.get("resources") or {}).get("limits") or {}) for container in app):
        bounds[DISK] = SIDECAR_DISK
        requests[DISK] = SIDECAR_DISK if guaranteed else SIDECAR_DISK_REQUEST
    made: Resources = {"requests": requests, "limits": bounds}
    for one in limits.containers:
        if (problem := _fit(made, one, guaranteed)) is not None:
            return _no_room(f"a LimitRange {problem}")
    return _room_in_pod(made, app, limits) or _room_in_quota(made, app, limits) or made


def of_looker(containers: list[Mapping[str, Any]]) -> Resources:
    """Of a container that looks at an image: what one of the app's has, which its namespace has admitted."""
    found = containers[0].get("resources") or {}
    made = {
        part: {name: str(value) for name, value in (found.get(part) or {}).items() if name in _COPIED}
        for part in ("requests", "limits")
    }
    return {part: values for part, values in made.items() if values} or {
        part: dict(values) for part, values in LOOKER_DEFAULT.items()
    }


def _fit(made: Resources, one: Range, guaranteed: bool) -> str | None:
    """Bring the values into a range; what stands against it, in words, where that can't be."""
    requests, bounds = made["requests"], made["limits"]
    for name, lowest in one.minimum.items():
        if name in requests and quantity(requests[name]) < quantity(lowest):
            if name in bounds and quantity(bounds[name]) < quantity(lowest):
                return f"wants at least {lowest} of {name}, and the sidecar's limit is {bounds[name]}"
            requests[name] = lowest
    for name, highest in one.maximum.items():
        if name in requests and quantity(requests[name]) > quantity(highest):
            return f"allows {highest} of {name}, and the sidecar requests {requests[name]}"
        if name in ("cpu", "memory") and quantity(bounds.get(name, highest)) >= quantity(highest):
            bounds[name] = highest
            if guaranteed:
                requests[name] = highest
    for name, ratio in one.ratio.items():
        if (
            name in bounds
            and name in requests
            and quantity(bounds[name]) > quantity(ratio) * quantity(requests[name])
        ):
            requests[name] = bounds[name]
    return None


def _room_in_pod(made: Resources, app: list[Mapping[str, Any]], limits: NamespaceLimits) -> Skip | None:
    for one in limits.pods:
        for name, highest in one.maximum.items():
            total = _sum(app, "limits", name) + quantity(made["limits"].get(name, "0"))
            if total > quantity(highest):
                return _no_room(f"a LimitRange allows a pod {highest} of {name}")
    return None


def _room_in_quota(made: Resources, app: list[Mapping[str, Any]], limits: NamespaceLimits) -> Skip | None:
    for counted, left in limits.room:
        part, name = counted.split(".")
        ours = quantity(made[part].get(name, "0"))
        theirs = _sum(app, part, name)
        # Where the pod has no room without us either, the quota's own words are the better ones.
        if theirs <= left < theirs + ours:
            return _no_room(f"a ResourceQuota has too little left of {counted}")
    return None


def _no_room(problem: str) -> Skip:
    return Skip(
        names.SKIP_NAMESPACE_LIMITS,
        f"{problem}; give the sidecar other injection.sidecar.resources in the profile, or the namespace more room",
    )


def _sum(containers: Iterable[Mapping[str, Any]], part: str, name: str) -> float:
    total = 0.0
    for container in containers:
        total += quantity(((container.get("resources") or {}).get(part) or {}).get(name, "0"))
    return total


def _larger(one: str, other: str) -> str:
    return one if quantity(one) >= quantity(other) else other
