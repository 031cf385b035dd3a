"""Pods of the API, trimmed, and what the collector is told of them."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from memwarden_api.cluster import Owner, Restart
from memwarden_operator.controller.facts import owner_of, restarts_of, rollouts_of
from memwarden_operator.controller.owners import Owned, Version, Workload
from memwarden_operator.controller.pods import Pod, Pods, Reference, trimmed

# As an API server gives it, shortened to what is read and some of what is not.
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "web-5d9c-x",
        "namespace": "shop",
        "uid": "uid-1",
        "creationTimestamp": "2026-11-21T20:00:00Z",
        "labels": {"app": "web", "pod-template-hash": "5d9c", "memwarden.dev/injected": "shop"},
        "ownerReferences": [
            {"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": "n"},
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "name": "web-5d9c",
                "uid": "rs",
                "controller": True,
            },
        ],
        "aFieldOfANewerVersion": {"x": 1},
    },
    "spec": {
        "initContainers": [{"name": "memwarden-probes", "image": "p:1"}, {"name": "migrate", "image": "m:1"}],
        "containers": [{"name": "app", "image": "web:1"}],
    },
    "status": {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-21T20:00:09Z"}],
        "containerStatuses": [
            {
                "name": "app",
                "image": "registry/web@sha256:1",
                "restartCount": 2,
                "state": {"running": {"startedAt": "2026-11-21T20:03:00Z"}},
                "lastState": {
                    "terminated": {
                        "exitCode": 137,
                        "reason": "OOMKilled",
                        "startedAt": "2026-11-21T20:01:00Z",
                        "finishedAt": "2026-11-21T20:02:59Z",
                    }
                },
            }
        ],
    },
}
OWNED = Owned(
    Workload("shop", "Deployment", "web"),
    Reference("apps/v1", "Deployment", "web", "d"),
    Version(3, datetime(2026, 11, 21, 19, 59, tzinfo=UTC)),
)


def pod(**changes: Any) -> Pod:
    return replace(trimmed(POD), **changes)


def test_what_was_found_in_an_image_is_kept_and_no_other_last_words() -> None:
    ended = {"exitCode": 0, "finishedAt": "2026-11-21T20:00:02Z", "message": "LD_PRELOAD=/a.so"}
    states = [
        {"name": name, "state": {"terminated": ended}} for name in ("memwarden-probes", "memwarden-image-1")
    ]
    spec = {"initContainers": [{"name": one["name"], "image": "web:1"} for one in states], "containers": []}
    found = trimmed({**POD, "spec": spec, "status": {"initContainerStatuses": states}})
    assert [container.message for container in found.containers] == ["", "LD_PRELOAD=/a.so"]


def test_a_pod_keeps_what_is_asked_of_it() -> None:
    found = trimmed(POD)
    assert found.owner == Reference("apps/v1", "ReplicaSet", "web-5d9c", "rs")
    assert (found.profile, found.version, found.ready, found.running) == ("shop", "5d9c", True, True)
    assert [container.name for container in found.containers] == ["memwarden-probes", "app"], (
        "not the app's own init"
    )
    assert [container.name for container in found.app] == ["app"]


def test_a_pod_that_has_only_just_been_made_is_read() -> None:
    found = trimmed({"metadata": POD["metadata"], "spec": POD["spec"]})
    assert (found.phase, found.running, found.ready) == ("Pending", False, False)


def test_the_collector_is_told_owner_version_and_image() -> None:
    assert owner_of(trimmed(POD), OWNED) == Owner(
        namespace="shop", pod="web-5d9c-x", pod_uid="uid-1", kind="Deployment", name="web", version="5d9c",
        image={"app": "registry/web@sha256:1"}, profile="shop",
    )  # fmt: skip


def test_the_collector_is_told_how_a_container_ended() -> None:
    assert list(restarts_of(trimmed(POD))) == [
        Restart(
            namespace="shop", pod="web-5d9c-x", pod_uid="uid-1", container="app", restart_count=2, reason="OOMKilled",
            exit_code=137, started_at=datetime(2026, 11, 21, 20, 1, tzinfo=UTC),
            finished_at=datetime(2026, 11, 21, 20, 2, 59, tzinfo=UTC),
        )
    ]  # fmt: skip


def test_a_rollout_is_over_when_no_other_version_is_left_and_all_are_ready() -> None:
    old, new = pod(), pod(name="web-2-y", uid="uid-2", version="v2", ready=True)
    owners = {"uid-1": OWNED, "uid-2": OWNED}
    both = {one.version: one for one in rollouts_of((old, new), owners)}
    assert both["v2"].finished_at is None
    (alone,) = rollouts_of((new,), owners)
    assert (alone.finished_at, alone.revision) == (datetime(2026, 11, 21, 20, 0, 9, tzinfo=UTC), 3)
    (waiting,) = rollouts_of((replace(new, ready=False),), owners)
    assert waiting.finished_at is None


def test_pods_are_bounded_and_what_is_left_out_is_counted() -> None:
    pods = Pods(limit=2)
    assert [pods.put(pod(name=name)) for name in "abc"] == [True, True, False]
    assert (len(pods), pods.left_out) == (2, 1)
    assert pods.put(pod(name="a", phase="Failed")), "one that is known may change"
    pods.remove("shop", "b")
    assert pods.put(pod(name="c"))


def test_a_list_removes_what_it_does_not_have() -> None:
    pods = Pods()
    for name, namespace in (("a", "shop"), ("b", "shop"), ("c", "other")):
        pods.put(pod(name=name, namespace=namespace))
    assert [one.name for one in pods.keep_only({("shop", "a")}, "shop")] == ["b"]
    assert [one.name for one in pods.keep_only({("shop", "a")})] == ["c"]
    assert len(pods) == 1
