"""Pods that could not be made because of us, as FailedCreate on their owner says. Pure.

A full quota, a LimitRange or an admission rule leaves no pod: the words of the event are all there is.
"""

import re
from collections.abc import Mapping
from typing import Final

from memwarden_api import names
from memwarden_api.quantities import quantity

_AMOUNTS: Final = r"((?:[\w./-]+=[\w.+-]+,?)+)"
_QUOTA: Final = re.compile(
    rf"exceeded quota: ([\w.-]+), requested: {_AMOUNTS}, used: {_AMOUNTS}, limited: {_AMOUNTS}"
)
_OURS: Final = re.compile(
    rf"(?<![\w-])({'|'.join(sorted(map(re.escape, names.OUR_CONTAINERS), reverse=True))})(?![\w./-])"
)
_PODS: Final = frozenset(("pods", "count/pods"))


def because_of_us(note: str, ours: Mapping[str, float]) -> tuple[str, str] | None:
    """(reason, message) where the pod would have been made without us, else None.

    `ours`: what our sidecar adds to a pod, by resource as quotas name it: `requests.memory`, `limits.cpu`, `memory`.
    """
    if quota := _QUOTA.search(note):
        return _over(quota, ours)
    if "is forbidden" not in note and "is invalid" not in note:
        return None
    found = _OURS.search(_without_pod_name(note))
    if found is None:
        return None
    return names.STOP_REFUSED, f"the API server refuses pods because of container {found[1]}: {_short(note)}"


def _over(quota: re.Match[str], ours: Mapping[str, float]) -> tuple[str, str] | None:
    requested, used, limited = (_amounts(quota[part]) for part in (2, 3, 4))
    over = [
        name
        for name in requested
        if name in limited and used.get(name, 0.0) + requested[name] > limited[name]
    ]
    if not over or any(name in _PODS for name in over):
        return None
    for name in over:
        if used.get(name, 0.0) + requested[name] - ours.get(name, 0.0) > limited[name] * (1 + 1e-9):
            return None  # it would not fit without us either
    named = ", ".join(sorted(over))
    return (
        names.STOP_QUOTA,
        f"quota {quota[1]} has no room for the sidecar ({named}): pods could not be made with it",
    )


def _amounts(text: str) -> dict[str, float]:
    found = {}
    for part in text.strip(",").split(","):
        name, _, amount = part.partition("=")
        try:
            found[name] = quantity(amount)
        except ValueError:
            continue
    return found


def _without_pod_name(note: str) -> str:
    """A pod may be called as our container is."""
    return re.sub(r'(?:pods?|Pod) "[^"]*"', "", note)


def _short(note: str) -> str:
    return " ".join(note.split())[:400]
