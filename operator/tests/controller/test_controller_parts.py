"""Settings, profiles as they are read, what is told again, and signs of life."""

import asyncio
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from memwarden_api import names
from memwarden_kube.errors import Forbidden, KubeError, NotFound, Unreachable
from memwarden_kube.events import Regarding, Told
from memwarden_kube.objects import Object, Resource
from memwarden_operator.controller.heart import LIMITS, Heart
from memwarden_operator.controller.owners import Owners, Workload
from memwarden_operator.controller.pods import Reference
from memwarden_operator.controller.profiles import read
from memwarden_operator.controller.recorder import PER_MINUTE, Recorder
from memwarden_operator.controller.settings import Settings

NOW = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)


def command(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "memwarden_operator", "controller", *options],
        capture_output=True, text=True, check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **environment},
    )  # fmt: skip


def test_options_win_over_the_environment_and_are_printed() -> None:
    found = command(
        "--print-config", "--scan-seconds", "5", MEMWARDEN_SCAN_SECONDS="7", MEMWARDEN_NAMESPACES="a, b"
    )
    assert found.returncode == 0, found.stderr
    settings = Settings.model_validate_json(found.stdout)
    assert (settings.scan_seconds, settings.namespaces) == (5.0, ("a", "b"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--collector-url", "collector:4318"], "--collector-url: 'collector:4318' is not a URL"),
        (["--listen", "8080"], "--listen: '8080' is not HOST:PORT"),
        (["--scan-seconds", "0"], "--scan-seconds: Input should be greater than or equal to 1"),
        ([], "no cluster by a kubeconfig"),
    ],
)
def test_what_keeps_it_from_starting_is_one_line(options: list[str], said: str) -> None:
    found = command(*options)
    assert found.returncode == 125
    assert found.stderr.splitlines()[-1].startswith(f"memwarden-operator controller: {said}")
    assert "Traceback" not in found.stderr


def given(spec: Any = None, status: Any = None) -> dict[str, Any]:
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND_PROFILE,
        "metadata": {
            "name": "shop", "namespace": "shop", "uid": "u", "generation": 2, "resourceVersion": "7",
            "creationTimestamp": "2026-11-21T20:00:00Z", "managedFields": [{"manager": "x"}],
        },
        "spec": spec or {},
        "status": status or {},
    }  # fmt: skip


def test_fields_of_a_newer_version_are_left_alone() -> None:
    known = read(given({"runtime": "Python", "heapGraphs": {"every": "1h"}}, {"phase": "x", "leaks": 3}))
    assert known.stalled is None
    assert (known.profile.spec.runtime, known.profile.status.leaks) == ("Python", 3)


def test_a_value_of_a_newer_version_stalls_the_profile_and_is_named() -> None:
    known = read(given({"runtime": "Erlang"}, {"leaks": 3}))
    assert known.stalled is not None
    reason, message = known.stalled
    assert reason == names.REASON_SPEC_NOT_READABLE
    assert message.startswith("spec.runtime: ")
    assert known.profile.status.leaks == 3


def test_a_status_that_cant_be_read_is_made_anew() -> None:
    known = read(given({"runtime": "Python"}, {"leaks": "many", "conditions": "x"}))
    assert known.stalled is None
    assert (known.profile.spec.runtime, known.profile.status.leaks) == ("Python", 0)


def event(number: int = 0) -> Told:
    return Told(Regarding("apps/v1", "Deployment", "shop", f"web-{number}"), names.EVENT_LEAK, "it leaks")


class Posts:
    """Stands for the API server: what is posted, and what it answers."""

    def __init__(self, *answers: KubeError | None) -> None:
        self.names: list[str] = []
        self._answers = list(answers)

    async def __call__(self, told: Told, now: datetime) -> None:
        answer = self._answers.pop(0) if self._answers else None
        if answer is not None:
            raise answer
        self.names.append(told.name)


def test_the_same_event_is_told_again_after_five_minutes() -> None:
    posts = Posts()
    recorder = Recorder(posts)
    for minutes in (0, 1, 4, 6):
        asyncio.run(recorder.tell(event(), NOW + timedelta(minutes=minutes)))
    assert len(posts.names) == 2
    assert len(set(posts.names)) == 1


def test_a_flood_of_events_is_held() -> None:
    posts = Posts()
    recorder = Recorder(posts)
    for number in range(PER_MINUTE + 20):
        asyncio.run(recorder.tell(event(number), NOW))
    assert len(posts.names) == PER_MINUTE
    asyncio.run(recorder.tell(event(PER_MINUTE + 5), NOW + timedelta(minutes=1)))
    assert len(posts.names) == PER_MINUTE + 1


def test_an_event_that_could_not_be_told_is_told_with_the_next_try() -> None:
    posts = Posts(Unreachable("away"), None)
    recorder = Recorder(posts)
    with pytest.raises(Unreachable):
        asyncio.run(recorder.tell(event(), NOW))
    asyncio.run(recorder.tell(event(), NOW))
    assert len(posts.names) == 1


@pytest.mark.parametrize("refusal", [Forbidden("no"), NotFound("namespace is gone")])
def test_an_event_that_is_refused_keeps_nothing_from_being_written(refusal: KubeError) -> None:
    asyncio.run(Recorder(Posts(refusal)).tell(event(), NOW))


def test_a_loop_without_a_sign_of_life_is_named() -> None:
    clock = [0.0]
    heart = Heart(lambda: clock[0])
    clock[0] = min(LIMITS.values()) - 1
    assert heart.stuck() == []
    for loop in LIMITS:
        heart.beat(loop)
    clock[0] += LIMITS["reconcile"] + 1
    for loop in LIMITS:
        if loop != "reconcile":
            heart.beat(loop)
    (said,) = heart.stuck()
    assert said.startswith("reconcile has shown no life for 181 s")


REPLICA_SET = {
    "metadata": {
        "name": "web-5d9c", "uid": "rs", "creationTimestamp": "2026-11-21T20:00:00Z",
        "annotations": {"deployment.kubernetes.io/revision": "4"},
        "ownerReferences": [
            {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "d", "controller": True}
        ],
    }
}  # fmt: skip
DIRECT = Reference("apps/v1", "ReplicaSet", "web-5d9c", "rs")


class Asked:
    """Stands for the API server: what is asked for, and the answers."""

    def __init__(self, *answers: Object | KubeError) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, resource: Resource, namespace: str, name: str) -> Object:
        self.asked.append(f"{resource.plural}/{name}")
        answer = self.answers.pop(0)
        if isinstance(answer, KubeError):
            raise answer
        return answer


def test_an_owner_is_asked_for_once() -> None:
    asked = Asked(REPLICA_SET)
    owners = Owners(asked)
    for pod in ("a", "b", "c"):
        found = asyncio.run(owners.of("shop", pod, pod, DIRECT))
    assert asked.asked == ["replicasets/web-5d9c"]
    assert found.workload == Workload("shop", "Deployment", "web")
    assert found.version is not None
    assert found.version.revision == 4


@pytest.mark.parametrize(
    "answer", [NotFound("gone"), {"metadata": {**REPLICA_SET["metadata"], "uid": "another"}}]
)
def test_an_owner_that_is_gone_leaves_the_direct_one(answer: Object | KubeError) -> None:
    found = asyncio.run(Owners(Asked(answer)).of("shop", "a", "a", DIRECT))
    assert (found.workload.kind, found.final) == ("ReplicaSet", True)


def test_an_owner_that_cant_be_asked_for_is_asked_for_again() -> None:
    asked = Asked(Forbidden("no right"), REPLICA_SET)
    owners = Owners(asked)
    first = asyncio.run(owners.of("shop", "a", "a", DIRECT))
    assert (first.workload.kind, first.final) == ("ReplicaSet", False)
    assert isinstance(owners.error, Forbidden)
    assert asyncio.run(owners.of("shop", "a", "a", DIRECT)).workload.kind == "Deployment"
    assert owners.error is None


def test_owners_of_other_groups_are_on_top_and_nobody_is_asked() -> None:
    asked = Asked()
    rollout = Reference("argoproj.io/v1alpha1", "Rollout", "web", "r")
    assert asyncio.run(Owners(asked).of("shop", "a", "a", rollout)).workload.kind == "Rollout"
    assert asyncio.run(Owners(asked).of("shop", "a", "a", None)).workload == Workload("shop", "Pod", "a")
    assert asked.asked == []


def test_the_cache_of_owners_is_bounded() -> None:
    documents = [{"metadata": {**REPLICA_SET["metadata"], "uid": f"rs-{number}"}} for number in (1, 2, 3, 1)]
    asked = Asked(*documents)
    owners = Owners(asked, limit=2)
    for number in (1, 2, 3, 1):
        asyncio.run(
            owners.of("shop", "a", "a", Reference("apps/v1", "ReplicaSet", f"web-{number}", f"rs-{number}"))
        )
    assert len(asked.asked) == 4
