"""LD_PRELOAD that no webhook can see, of an image or by envFrom: hidden by ours once, told, and then left alone."""

import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from cluster.testing.waiting import eventually
from injected_pods import Pods, spec
from installation import PROFILE_API, WAIT_SECONDS

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

PRELOADED = "/usr/lib/libjemalloc.so.2"
SETTINGS = f"""
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings}}
data: {{LD_PRELOAD: {PRELOADED}}}
"""


def stopped(pods: Pods) -> dict[str, dict[str, Any]]:
    status = pods.namespace.read("MemoryProfile", "shop", PROFILE_API).get("status") or {}
    return {one["workload"]: one for one in status.get("injectionStopped") or ()}


def test_what_is_preloaded_out_of_sight_is_told_and_the_next_pods_have_it(
    pods: Pods, image: Callable[[str], str]
) -> None:
    pods.namespace.apply(SETTINGS)
    sleeping = ("sleep", "3600")
    pods.deploy("by-image", spec(image("preloads"), *sleeping))
    pods.deploy("by-settings", spec(pods.image, *sleeping, envFrom=[{"configMapRef": {"name": "settings"}}]))
    pods.deploy("nothing", spec(pods.image, *sleeping))

    def told() -> dict[str, dict[str, Any]]:
        found = stopped(pods)
        assert {"Deployment/by-image", "Deployment/by-settings"} <= found.keys(), found
        return found

    found = eventually("both to be told", told, WAIT_SECONDS)
    assert {one["reason"] for one in found.values()} == {"ImagePreloads"}
    assert all(f"LD_PRELOAD={PRELOADED}" in one["message"] for one in found.values())
    assert "Deployment/nothing" not in found, "this one loses nothing"

    def event() -> bool:
        listed = pods.namespace.core.list_namespaced_event(
            pods.namespace.name, field_selector="reason=MemwardenInjectionStopped"
        )
        assert {one.involved_object.name for one in listed.items} == {"by-image", "by-settings"}
        return True

    eventually("the events", event, WAIT_SECONDS)
    (running,) = pods.namespace.pods("app=by-image")
    assert "memwarden.dev/injected" in running["metadata"]["labels"], "what runs is not sent away"

    kubectl = [*pods.namespace.cluster.kubectl, "--namespace", pods.namespace.name]
    subprocess.run([*kubectl, "rollout", "restart", "deployment", "by-image"], check=True)
    subprocess.run([*kubectl, "rollout", "status", "deployment", "by-image", "--timeout=300s"], check=True)

    def has_it() -> bool:
        (pod,) = pods.namespace.pods("app=by-image")
        name = pod["metadata"]["name"]
        assert "memwarden.dev/injected" not in pod["metadata"]["labels"]
        maps = pods.namespace.execute(name, "cat", "/proc/1/maps").stdout
        assert "libjemalloc" in maps, maps
        return True

    eventually("a pod with what its image preloads", has_it, WAIT_SECONDS)
