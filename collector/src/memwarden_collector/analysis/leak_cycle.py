"""The life of a leak: opened, growing, quiet, closed, back again. Pure.

A leak is one fingerprint of one workload; restarts, deploys and a change of replicas don't end it. Nothing here looks
at numbers: what a leak is, the judge says.
"""

from dataclasses import dataclass, replace
from typing import Final

from memwarden_api.workloads import LeakState

ACTIVE: Final[tuple[LeakState, ...]] = ("open", "growing")


@dataclass(frozen=True, slots=True)
class Leak:
    """Moments in Unix seconds."""

    fingerprint: str
    state: LeakState
    returns: int
    first_seen: float
    last_seen: float
    """The newest sample that it was seen by."""
    changed_at: float
    """When it came into its state."""
    closed_at: float | None
    first_version: str
    last_version: str
    """The newest version that leaked."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What the newest verdicts of a workload say of one fingerprint."""

    leaking: bool
    """A container that lives is called leaking by it."""
    growing: bool
    """… and its growth is seen at this moment."""
    at: float
    """The newest sample of a container that leaks by it, or of the workload."""
    version: str
    """Of that container."""
    living: bool
    """Some container of the workload lives."""
    clean_version: str | None
    """A version without it: all containers that live run it or others without the leak, and have for long enough."""


@dataclass(frozen=True, slots=True)
class Step:
    leak: Leak
    reason: str
    """Why the state changed; "" where it did not."""


def step(
    leak: Leak | None, fingerprint: str, seen: Sighting, now: float, close_seconds: float
) -> Step | None:
    """What becomes of a leak; None: there is none. After `close_seconds` of quiet it is closed."""
    if leak is None:
        return _opened(fingerprint, seen, now) if seen.leaking else None
    if seen.leaking:
        return _seen_again(leak, seen, now)
    if leak.state in ACTIVE:
        reason = (
            "it is no longer called a leak" if seen.living else "no container of the workload sends any more"
        )
        return Step(replace(leak, state="quiet", changed_at=now), reason)
    if leak.state == "quiet" and seen.clean_version is not None:
        return _closed(leak, now, f"version {seen.clean_version} runs without it")
    if leak.state == "quiet" and now - leak.changed_at >= close_seconds:
        return _closed(leak, now, f"nothing was seen of it for {close_seconds / 3600:g} h")
    return Step(leak, "")


def _opened(fingerprint: str, seen: Sighting, now: float) -> Step:
    state: LeakState = "growing" if seen.growing else "open"
    leak = Leak(fingerprint, state, 0, seen.at, seen.at, now, None, seen.version, seen.version)
    return Step(leak, "called a leak for the first time")


def _seen_again(leak: Leak, seen: Sighting, now: float) -> Step:
    state: LeakState = "growing" if seen.growing else "open"
    kept = replace(leak, last_seen=max(leak.last_seen, seen.at), last_version=seen.version)
    if leak.state == state:
        return Step(kept, "")
    moved = replace(kept, state=state, changed_at=now, closed_at=None)
    if leak.state in ACTIVE:
        return Step(moved, "its growth is seen" if seen.growing else "its growth is not seen at the moment")
    after = "" if leak.last_version == seen.version else f", now with version {seen.version or 'unknown'}"
    return Step(replace(moved, returns=leak.returns + 1), f"it is back after it was {leak.state}{after}")


def _closed(leak: Leak, now: float, reason: str) -> Step:
    return Step(replace(leak, state="closed", changed_at=now, closed_at=now), reason)
