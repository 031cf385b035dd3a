"""The circuit breaker: whether Memwarden itself keeps a workload's pods from starting or living. Pure.

The app comes first: where it can't be told whether a crash is ours, injection stops. What speaks for the app's own
fault, and so against stopping, is only what was seen: pods without us that crash too, or another version of the
workload that lives with us.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from memwarden_api import names
from memwarden_operator.controller.pods import Container, Pod

EARLY: Final = timedelta(minutes=5)
"""So soon after its making a pod's crash may be of what was put into it."""
START: Final = timedelta(seconds=60)
"""So long a container of ours may fail to start before it counts."""
FRESH: Final = timedelta(minutes=10)
"""Crashes that are longer ago are history: who removed a workload from the list wants it tried again."""
LOOP_RESTARTS: Final = 3
LOOP_LIFE: Final = timedelta(seconds=60)
LONE_CRASHES: Final = 2
"""Crashes where there is nothing to compare with: one may be anything."""
RETRY: Final = timedelta(hours=1)
"""After so long it is tried again, where the reason may have gone by itself."""

_PULL: Final = frozenset(
    ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError")
)
_CREATE: Final = frozenset(
    ("CreateContainerError", "CreateContainerConfigError", "RunContainerError", "PreCreateHookError")
)
_FAILS: Final = frozenset(("CrashLoopBackOff", "PostStartHookError"))
_PASSING: Final = frozenset((names.STOP_IMAGE, names.STOP_QUOTA))


@dataclass(frozen=True, slots=True)
class Plain:
    """Pods of the same workload without us, as they were seen."""

    lived: int = 0
    crashed: int = 0


@dataclass(frozen=True, slots=True)
class Stop:
    """Injection of the workload is to stop; `stuck` are its pods that are to go."""

    reason: str
    message: str
    stuck: tuple[Pod, ...]


@dataclass(frozen=True, slots=True)
class AskForPlain:
    """Pods crash early: whether others of the workload live without us must be known to decide."""


def judge(pods: Sequence[Pod], plain: Plain | None, now: datetime) -> Stop | AskForPlain | None:
    """Of one workload's injected pods. `plain` is None where nobody has looked yet."""
    return _not_started(pods, now) or _hiding(pods) or _crashing(pods, plain, now)


def _hiding(pods: Sequence[Pod]) -> Stop | None:
    """The image preloads something, and our LD_PRELOAD hides it. Pods that run are not sent away: they do run."""
    for pod in pods:
        for container in pod.containers:
            if container.looks and container.message and container.end is not None and not pod.over:
                message = (
                    f"the image {container.image} of pod {pod.name} sets {container.message}, by itself or by envFrom, "
                    "and the app does not get it with Memwarden. Set injection.environment: Variables in the profile, "
                    "or LD_PRELOAD in the pod's spec; restart the workload for pods that run"
                )
                return Stop(names.STOP_PRELOADS, message, ())
    return None


def _not_started(pods: Sequence[Pod], now: datetime) -> Stop | None:
    for pod in pods:
        if pod.over or pod.running or now - pod.created_at < START:
            continue
        for container in pod.containers:
            if container.ours and (reason := _obstacle(container)):
                what = container.waiting or (container.end.reason if container.end else "")
                said = f" ({container.message[:200]})" if container.message else ""
                message = f"pod {pod.name} has not started: container {container.name}: {what}{said}"
                return Stop(reason, message, tuple(one for one in pods if _stuck(one, now)))
    return None


def _stuck(pod: Pod, now: datetime) -> bool:
    """Waits for us and for nothing of its own."""
    return (
        not pod.over
        and not pod.running
        and now - pod.created_at >= START
        and any(container.ours and _obstacle(container) for container in pod.containers)
    )


def _obstacle(container: Container) -> str:
    """What keeps a container of ours from starting, or ""."""
    if container.looks and container.waiting in _PULL | _CREATE - {"RunContainerError"}:
        return ""  # as the app's own would: it is the same image, and the same sources of variables
    if container.waiting in _PULL:
        return names.STOP_IMAGE
    if container.waiting in _CREATE:
        return names.STOP_CONTAINER
    if container.waiting in _FAILS or (
        container.name == names.CONTAINER_PROBES and container.end is not None and container.end.crashed
    ):
        return names.STOP_OURS_FAILS
    return ""


def _crashing(pods: Sequence[Pod], plain: Plain | None, now: datetime) -> Stop | AskForPlain | None:
    crashed = [pod for pod in pods if not pod.leaving and crashed_early(pod, now)]
    if not crashed:
        return None
    versions = {pod.version for pod in crashed}
    if any(pod.version not in versions and lives(pod, now) for pod in pods):
        return None  # another version lives with us: it is the new one's fault
    if any(pod.version in versions and lives(pod, now) for pod in pods):
        return None  # the same version lives with us elsewhere
    if plain is None:
        return AskForPlain()
    if plain.crashed:
        return None
    if not plain.lived and sum(max(_crashes(pod), 1) for pod in crashed) < LONE_CRASHES:
        return None
    first = crashed[0]
    container, how = _how(first, now)
    compared = (
        "its pods without Memwarden live"
        if plain.lived
        else "there is no pod without Memwarden to compare with"
    )
    message = (
        f"pod {first.name} crashes soon after its start: container {container} ended with {how}; {compared}"
    )
    stuck = tuple(pod for pod in crashed if not pod.over)
    return Stop(names.STOP_CRASHES, message, stuck)


def crashed_early(pod: Pod, now: datetime) -> bool:
    """A container of the app crashed within five minutes of the pod's making, or crashes again and again."""
    return any(_early(pod, container, now) for container in pod.app)


def _early(pod: Pod, container: Container, now: datetime) -> bool:
    end = container.end
    if end is None or not end.crashed or now - end.finished_at > FRESH:
        return False
    if end.finished_at - pod.created_at <= EARLY:
        return True
    life = end.finished_at - (end.started_at or pod.created_at)
    return container.restarts >= LOOP_RESTARTS and life <= LOOP_LIFE


def _crashes(pod: Pod) -> int:
    return sum(container.restarts for container in pod.app)


def _how(pod: Pod, now: datetime) -> tuple[str, str]:
    container = next(one for one in pod.app if _early(pod, one, now))
    assert container.end is not None  # what makes it early
    code = "" if container.end.exit_code is None else f" {container.end.exit_code}"
    return container.name, f"{container.end.reason or 'exit code'}{code}"


def lives(pod: Pod, now: datetime) -> bool:
    """It runs for longer than what counts as early, and did not crash in that time."""
    return pod.running and now - pod.created_at > EARLY and not any(_crashed(one) for one in pod.app)


def lives_plainly(pod: Pod, now: datetime) -> bool:
    """Of a pod without us: it runs for as long as its injected sibling needed to crash, at least a minute."""
    return pod.running and now - pod.created_at > START and not any(_crashed(one) for one in pod.app)


def compared(pods: Iterable[Pod], now: datetime) -> Plain:
    """What pods of the workload without us did."""
    seen = [pod for pod in pods if not any(container.ours for container in pod.containers)]
    crashed = sum(1 for pod in seen if crashed_early(pod, now))
    return Plain(lived=sum(1 for pod in seen if lives_plainly(pod, now)), crashed=crashed)


def _crashed(container: Container) -> bool:
    return container.end is not None and container.end.crashed


def tried_again(reason: str, since: datetime, now: datetime) -> bool:
    """The stop is over: an image may be there by now, a quota has room."""
    return reason in _PASSING and now - since >= RETRY
