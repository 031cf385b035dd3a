"""The circuit breaker as a table: what pods show, and what follows."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from memwarden_api import names
from memwarden_operator.controller.breaker import AskForPlain, Plain, Stop, compared, judge, tried_again
from memwarden_operator.controller.pods import Container, End, Pod, Reference

NOW = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
REPLICA_SET = Reference("apps/v1", "ReplicaSet", "shop-1", "rs-1")


def end(seconds_ago: float, code: int = 1, reason: str = "Error", life: float = 5) -> End:
    finished = NOW - timedelta(seconds=seconds_ago)
    return End(reason, code, finished - timedelta(seconds=life), finished)


def app(restarts: int = 0, ended: End | None = None, started: bool = True, waiting: str = "") -> Container:
    return Container("app", "shop:1", restarts, started, waiting, "", ended)


def ours(waiting: str = "", ended: End | None = None, name: str = names.CONTAINER_SIDECAR) -> Container:
    return Container(name, "memwarden/sidecar:1", 0, not waiting, waiting, "", ended)


def looked(found: str, waiting: str = "") -> Container:
    """Ours, in an image of the app."""
    ended = None if waiting else end(10, 0, "Completed")
    return Container(names.CONTAINERS_IMAGE[0], "shop:1", 0, not waiting, waiting, found, ended)


WAITS = app(started=False, waiting="PodInitializing")


def pod(
    age: float, *containers: Container, name: str = "shop-1-a", version: str = "v2", phase: str = ""
) -> Pod:
    started = any(one.started for one in containers if not one.ours)
    return Pod(
        namespace="shop", name=name, uid=name, profile="shop", version=version, owner=REPLICA_SET,
        created_at=NOW - timedelta(seconds=age), phase=phase or ("Running" if started else "Pending"), leaving=False,
        ready=started, ready_at=None, containers=containers,
    )  # fmt: skip


@dataclass(frozen=True)
class Case:
    name: str
    pods: tuple[Pod, ...]
    plain: Plain | None
    follows: str | None
    """A reason to stop, "ask", or None."""


CASES = (
    Case("all is well", (pod(600, app()),), None, None),
    Case("a young pod that still pulls our image", (pod(90, ours("ContainerCreating"), WAITS),), None, None),
    Case("our image can't be pulled, 30 s", (pod(30, ours("ErrImagePull"), WAITS),), None, None),
    Case(
        "our image can't be pulled, 70 s", (pod(70, ours("ImagePullBackOff"), WAITS),), None, names.STOP_IMAGE
    ),
    Case(
        "the name of our image is wrong", (pod(70, ours("InvalidImageName"), WAITS),), None, names.STOP_IMAGE
    ),
    Case(
        "in a pod of before: the sidecar's image can't be pulled",
        (pod(70, ours(name=names.CONTAINER_PROBES), ours("ErrImagePull"), WAITS),),
        None,
        names.STOP_IMAGE,
    ),
    Case(
        "our container can't be made",
        (pod(70, ours("CreateContainerConfigError"), WAITS),),
        None,
        names.STOP_CONTAINER,
    ),
    Case("our copy fails", (pod(70, ours("PostStartHookError"), WAITS),), None, names.STOP_OURS_FAILS),
    Case("… and is tried again", (pod(70, ours("CrashLoopBackOff"), WAITS),), None, names.STOP_OURS_FAILS),
    Case(
        "in a pod of before: our copy fails",
        (pod(70, ours(ended=end(10), name=names.CONTAINER_PROBES), WAITS),),
        None,
        names.STOP_OURS_FAILS,
    ),
    Case(
        "the app's image can't be pulled",
        (pod(300, ours(), app(started=False, waiting="ErrImagePull")),),
        None,
        None,
    ),
    Case("our sidecar fails, the app runs", (pod(300, ours("CrashLoopBackOff"), app()),), None, None),
    Case("a crash after a minute: do others live?", (pod(70, app(1, end(10))),), None, "ask"),
    Case("… they live", (pod(70, app(1, end(10))),), Plain(lived=2), names.STOP_CRASHES),
    Case("… they crash, too", (pod(70, app(1, end(10))),), Plain(lived=1, crashed=1), None),
    Case("… there are none, and it was one crash", (pod(70, app(1, end(10))),), Plain(), None),
    Case("… there are none, and it was the second", (pod(70, app(2, end(10))),), Plain(), names.STOP_CRASHES),
    Case(
        "… there are none, and two pods crashed",
        (pod(70, app(1, end(10))), pod(60, app(1, end(5)), name="shop-1-b")),
        Plain(),
        names.STOP_CRASHES,
    ),
    Case(
        "the version before lives with us",
        (pod(70, app(3, end(10))), pod(900, app(), name="shop-0-a", version="v1")),
        Plain(lived=2),
        None,
    ),
    Case(
        "the same version lives with us",
        (pod(70, app(3, end(10))), pod(900, app(), name="shop-1-b")),
        Plain(lived=2),
        None,
    ),
    Case(
        "out of memory after two minutes",
        (pod(130, app(1, end(5, 137, "OOMKilled"))),),
        Plain(lived=1),
        names.STOP_CRASHES,
    ),
    Case("ended well", (pod(70, app(0, end(10, 0, "Completed"))),), Plain(lived=2), None),
    Case("a crash after ten minutes", (pod(700, app(1, end(50, life=590))),), Plain(lived=2), None),
    Case(
        "crashes for an hour, seen only now",
        (pod(3600, app(12, end(50, life=3))),),
        Plain(lived=2),
        names.STOP_CRASHES,
    ),
    Case(
        "the app's image preloads something, and runs without it",
        (pod(20, looked("LD_PRELOAD=/usr/lib/libjemalloc.so.2"), app()),),
        None,
        names.STOP_PRELOADS,
    ),
    Case("the app's image preloads nothing", (pod(20, looked(""), app()),), None, None),
    Case("the app's image can't be pulled", (pod(70, looked("", "ErrImagePull"), WAITS),), None, None),
    Case(
        "what we run in the app's image fails",
        (pod(70, looked("", "CrashLoopBackOff"), WAITS),),
        None,
        names.STOP_OURS_FAILS,
    ),
    Case("a crash of an hour ago", (pod(3700, app(1, end(3600))),), Plain(lived=2), None),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_breaker_decides(case: Case) -> None:
    found = judge(case.pods, case.plain, NOW)
    if case.follows == "ask":
        assert isinstance(found, AskForPlain)
    elif case.follows is None:
        assert found is None
    else:
        assert isinstance(found, Stop), "it does not stop"
        assert found.reason == case.follows


def test_only_pods_that_wait_for_us_are_stuck() -> None:
    waiting = pod(70, ours("ErrImagePull"), WAITS)
    young = pod(20, ours("ErrImagePull"), WAITS, name="shop-1-b")
    running = pod(900, app(), name="shop-1-c")
    found = judge((waiting, young, running), None, NOW)
    assert isinstance(found, Stop)
    assert found.stuck == (waiting,)
    assert "ErrImagePull" in found.message
    assert waiting.name in found.message


def test_pods_that_run_without_what_their_image_preloads_are_not_sent_away() -> None:
    found = judge((pod(20, looked("LD_PRELOAD=/usr/lib/libjemalloc.so.2"), app()),), None, NOW)
    assert isinstance(found, Stop)
    assert found.stuck == ()
    assert "libjemalloc" in found.message
    assert "injection.environment: Variables" in found.message


def test_pods_with_us_are_no_comparison() -> None:
    without = (pod(120, app(), name="x"), pod(120, app(2, end(10)), name="y"))
    assert compared((*without, pod(120, ours(), app(), name="z")), NOW) == Plain(lived=1, crashed=1)


def test_only_what_may_pass_is_tried_again() -> None:
    old, new = NOW - timedelta(hours=2), NOW - timedelta(minutes=10)
    assert tried_again(names.STOP_IMAGE, old, NOW)
    assert tried_again(names.STOP_QUOTA, old, NOW)
    assert not tried_again(names.STOP_IMAGE, new, NOW)
    assert not tried_again(names.STOP_CRASHES, old, NOW)
