"""LimitRanges and ResourceQuotas of a namespace: what they make of our containers, and when there is no room.

Quotas are as of the last event: two pods at once may both see room for one. The second is then refused by the API
server, as it would be without us, and its owner tries again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from memwarden_api.quantities import quantity

COUNTED: Final = ("requests.cpu", "requests.memory", "limits.cpu", "limits.memory")
_ALIASES: Final = {"cpu": "requests.cpu", "memory": "requests.memory"}
_SCOPED: Final = ("scopes", "scopeSelector")


@dataclass(frozen=True, slots=True)
class Range:
    """A LimitRange's item of one type, per resource: the value, as written."""

    minimum: Mapping[str, str]
    maximum: Mapping[str, str]
    ratio: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class NamespaceLimits:
    """What holds in one namespace. The empty one forbids nothing."""

    containers: tuple[Range, ...] = ()
    pods: tuple[Range, ...] = ()
    room: tuple[tuple[str, float], ...] = ()
    """(one of COUNTED, what is left of it)"""

    @classmethod
    def of(
        cls, ranges: Iterable[Mapping[str, Any]], quotas: Iterable[Mapping[str, Any]]
    ) -> "NamespaceLimits":
        items = [item for one in ranges for item in (one.get("spec") or {}).get("limits") or ()]
        room: dict[str, float] = {}
        for quota in quotas:
            for name, left in _room(quota):
                room[name] = min(left, room.get(name, left))
        return cls(
            tuple(_range(item) for item in items if item.get("type") == "Container"),
            tuple(_range(item) for item in items if item.get("type") == "Pod"),
            tuple(sorted(room.items())),
        )

    @property
    def wants_cpu_limit(self) -> bool:
        """A quota on limits refuses containers without one."""
        return any(name == "limits.cpu" for name, _ in self.room)


def _range(item: Mapping[str, Any]) -> Range:
    return Range(item.get("min") or {}, item.get("max") or {}, item.get("maxLimitRequestRatio") or {})


def _room(quota: Mapping[str, Any]) -> Iterable[tuple[str, float]]:
    # Of a quota for some pods only (by priority, by QoS) is not known here whether it counts this one.
    if any((quota.get("spec") or {}).get(scope) for scope in _SCOPED):
        return
    status = quota.get("status") or {}
    used = status.get("used") or {}
    for written, hard in (status.get("hard") or {}).items():
        name = _ALIASES.get(written, written)
        if name in COUNTED:
            yield name, quantity(hard) - quantity(used.get(written, "0"))


NONE: Final = NamespaceLimits()
