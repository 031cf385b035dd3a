"""Pods of every kind are injected and run as without us; the app itself says whether the probe is in it."""

from typing import TYPE_CHECKING, Any

import pytest
from cluster.testing.waiting import eventually
from injected_pods import FOLDER, RESTRICTED, SAYS, SELECTED, Pods, spec
from installation import PROFILE_API, WAIT_SECONDS

if TYPE_CHECKING:
    pass

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]


def test_the_probe_is_in_a_restricted_pod_and_the_sidecar_beside_it(pods: Pods) -> None:
    assert pods.said(pods.make(spec(pods.image))) == f"hooked {FOLDER}"
    pods.namespace.wait_ready("one")


def test_what_the_pod_sets_itself_is_kept(pods: Pods) -> None:
    own = [
        {"name": "PYTHONPATH", "value": "/srv/lib"},
        {"name": "LD_PRELOAD", "value": "/lib/x86_64-linux-gnu/libdl.so.2"},
    ]
    both = (
        f"{SAYS}; print(os.environ['LD_PRELOAD'].count('libdl'), flush=True); import time; time.sleep(3600)"
    )
    pods.make(spec(pods.image, "python3", "-c", both, env=own))
    assert pods.said("one") == f"hooked {FOLDER}:/srv/lib"
    assert pods.namespace.logs("one", "app").splitlines()[1] == "1"


def test_a_shell_as_process_1_and_a_program_without_python_run_as_before(pods: Pods) -> None:
    pods.make(spec(pods.image, "sh", "-c", f'python3 -c "{SAYS}"; sleep 3600'))
    assert pods.said("one") == f"hooked {FOLDER}"
    pods.make(spec(pods.image, "sh", "-c", "env | grep -c ^PYTHONPATH= ; sleep 3600"), "two")
    assert pods.said("two") == "0"


@pytest.mark.parametrize(
    "security",
    [{"runAsUser": 1234567890}, {"readOnlyRootFilesystem": True}, {"runAsUser": 10001, "runAsGroup": 7}],
    ids=["any user id", "read-only root", "a group"],
)
def test_users_and_roots_of_every_kind(pods: Pods, security: dict[str, Any]) -> None:
    pods.make(spec(pods.image, securityContext={**RESTRICTED, **security}))
    assert pods.said("one") == f"hooked {FOLDER}"
    pods.namespace.wait_ready("one")


def test_a_pod_that_runs_as_root_in_a_namespace_that_lets_it(pods: Pods) -> None:
    level = {"pod-security.kubernetes.io/enforce": "privileged"}
    pods.namespace.core.patch_namespace(pods.namespace.name, {"metadata": {"labels": level}})
    root = spec(pods.image)
    root["securityContext"] = {"runAsUser": 0}
    pods.make(root)
    assert pods.said("one") == f"hooked {FOLDER}"
    pods.namespace.wait_ready("one")


def test_a_guaranteed_pod_stays_guaranteed(pods: Pods) -> None:
    same = {"cpu": "100m", "memory": "256Mi"}
    pods.make(spec(pods.image, resources={"requests": same, "limits": same}))
    assert pods.said("one") == f"hooked {FOLDER}"
    found = pods.namespace.read("Pod", "one")
    assert found["status"]["qosClass"] == "Guaranteed"


def test_several_containers_and_init_containers(pods: Pods) -> None:
    made = spec(pods.image)
    (app,) = made["containers"]
    made["containers"] = [app, {**app, "name": "worker"}]
    made["initContainers"] = [{**app, "name": "prepare", "command": ["python3", "-c", SAYS]}]
    pods.make(made)
    assert pods.said("one", "worker") == pods.said("one", "app") == f"hooked {FOLDER}"
    assert pods.said("one", "prepare").split()[0] in ("hooked", "bare")
    pods.namespace.wait_ready("one")


def test_a_namespace_with_limits_takes_the_pod(pods: Pods) -> None:
    pods.namespace.apply(
        """
        apiVersion: v1
        kind: LimitRange
        metadata: {name: limits}
        spec:
          limits:
            - type: Container
              max: {memory: 512Mi, cpu: "1"}
              min: {memory: 16Mi, cpu: 5m}
              default: {cpu: 200m, memory: 64Mi}
        """
    )
    pods.make(spec(pods.image))
    assert pods.said("one") == f"hooked {FOLDER}"
    pods.namespace.wait_ready("one")


@pytest.mark.parametrize("kind", ["Job", "CronJob"])
def test_a_job_completes(pods: Pods, kind: str) -> None:
    template = {
        "metadata": {"labels": {**SELECTED, "owner": "job"}},
        "spec": spec(pods.image, "python3", "-c", SAYS),
    }
    template["spec"]["restartPolicy"] = "Never"
    body: dict[str, Any] = {"template": template, "backoffLimit": 0}
    if kind == "CronJob":
        body = {"schedule": "* * * * *", "jobTemplate": {"spec": body}}
    resource = pods.namespace.resources.resources.get(api_version="batch/v1", kind=kind)
    whole = {"apiVersion": "batch/v1", "kind": kind, "metadata": {"name": "job"}, "spec": body}
    resource.create(body=whole, namespace=pods.namespace.name)

    def completed() -> str:
        done = [pod for pod in pods.namespace.pods("owner=job") if pod["status"]["phase"] == "Succeeded"]
        assert done, [pod["status"]["phase"] for pod in pods.namespace.pods("owner=job")]
        return done[0]["metadata"]["name"]

    name = eventually("the pod to complete", completed, WAIT_SECONDS)
    assert pods.said(name) == f"hooked {FOLDER}"


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_sets(pods: Pods, kind: str) -> None:
    labels = {**SELECTED, "owner": "set"}
    body: dict[str, Any] = {
        "selector": {"matchLabels": {"owner": "set"}},
        "template": {"metadata": {"labels": labels}, "spec": spec(pods.image)},
    }
    if kind == "StatefulSet":
        body["serviceName"] = "set"
    resource = pods.namespace.resources.resources.get(api_version="apps/v1", kind=kind)
    whole = {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "set"}, "spec": body}
    resource.create(body=whole, namespace=pods.namespace.name)
    name = pods.owned("set")["metadata"]["name"]
    assert pods.said(name) == f"hooked {FOLDER}"
    pods.namespace.wait_ready(name)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"hostNetwork": True}, "HostNetwork"),
        (
            {"env": [{"name": "LD_PRELOAD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
            "VariableFromSource",
        ),
        ({"resources": {"limits": {"memory": "32Mi"}}}, "ContainerTooSmall"),
    ],
    ids=["host network", "a value from elsewhere", "a small container"],
)
def test_those_that_are_left_alone_run_and_are_told(pods: Pods, change: dict[str, Any], reason: str) -> None:
    level = {"pod-security.kubernetes.io/enforce": "privileged"}
    pods.namespace.core.patch_namespace(pods.namespace.name, {"metadata": {"labels": level}})
    of_pod = {name: change.pop(name) for name in ("hostNetwork",) if name in change}
    pods.make({**spec(pods.image, **change), **of_pod})
    found = pods.namespace.read("Pod", "one")
    assert "memwarden.dev/injected" not in found["metadata"]["labels"]

    def told() -> bool:
        status = pods.namespace.read("MemoryProfile", "shop", PROFILE_API).get("status") or {}
        skipped = status.get("coverage", {}).get("skipped") or []
        assert [(one["pod"], one["reason"]) for one in skipped] == [("one", reason)], status
        return True

    eventually("the reason", told, WAIT_SECONDS)
