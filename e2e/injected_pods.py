"""Pods as a user makes them, by hand and as a trial, in a namespace with one profile: what the injector tests share."""

import time
from typing import TYPE_CHECKING, Any

from cluster.testing.waiting import eventually
from installation import INJECT, PROFILE_API, WAIT_SECONDS, profile

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace

# Says in one line whether the probe is loaded, and what became of PYTHONPATH.
SAYS = (
    "import os; maps = open('/proc/self/maps').read();"
    " print('hooked' if 'memwarden_hook' in maps else 'bare', os.environ.get('PYTHONPATH'), flush=True)"
)
FOLDER = "/opt/memwarden/python/inject"
RESTRICTED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
LEAK, LEAKING_LINE = "sessions_kept", '{"id": number'
ROOM = {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "1Gi"}}
"""For half an hour of that leak."""
SELECTED = {"part-of": "shop", INJECT: "true"}


def spec(image: str, *command: str, **container: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": "app",
        "image": image,
        "command": list(command) or ["python3", "-c", f"{SAYS}; import time; time.sleep(3600)"],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": RESTRICTED,
    }
    return {
        "terminationGracePeriodSeconds": 1,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [{**made, **container}],
    }


class Pods:
    """Makes objects in a namespace with a profile, and says what their containers said."""

    def __init__(self, namespace: "Namespace", image: str, **profile_spec: Any) -> None:
        self.namespace = namespace
        self.image = image
        profile(namespace, "shop", {"matchLabels": {"part-of": "shop"}}, **profile_spec)

    def tried(self) -> tuple[bool, float]:
        """By a dry run: whether a labelled pod would be injected now, and how many seconds that took."""
        body = {"metadata": {"name": "trial", "labels": SELECTED}, "spec": spec(self.image)}
        began = time.monotonic()
        seen = self.namespace.core.create_namespaced_pod(self.namespace.name, body, dry_run="All")
        return "memwarden.dev/injected" in seen.metadata.labels, time.monotonic() - began

    def injectable(self) -> None:
        """Wait until the injector knows the profile."""
        eventually("the injector to know the profile", lambda: self.tried()[0], WAIT_SECONDS)

    def make(self, spec: dict[str, Any], name: str = "one") -> str:
        body = {"metadata": {"name": name, "labels": SELECTED}, "spec": spec}
        self.namespace.core.create_namespaced_pod(self.namespace.name, body)
        return name

    def deploy(self, name: str, spec: dict[str, Any], replicas: int = 1) -> None:
        """A Deployment, with the label `app` for its pods."""
        template = {"metadata": {"labels": {**SELECTED, "app": name}}, "spec": spec}
        body = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template},
        }
        deployments = self.namespace.resources.resources.get(api_version="apps/v1", kind="Deployment")
        deployments.create(body=body, namespace=self.namespace.name)

    def status(self) -> dict[str, Any]:
        """What the profile says by now."""
        found: dict[str, Any] = self.namespace.read("MemoryProfile", "shop", PROFILE_API).get("status") or {}
        return found

    def leaking(self) -> dict[str, Any]:
        """The one workload of the profile that leaks; an AssertionError while there is none."""
        found = self.status().get("workloads") or ()
        (leaking,) = [one for one in found if one["verdict"] == "Leaking"] or [None]
        assert leaking is not None, found
        return dict(leaking)

    def unharmed(self, pod: dict[str, Any]) -> None:
        """It is the same pod, and none of its containers has started again."""
        after = self.namespace.read("Pod", pod["metadata"]["name"])
        assert after["metadata"]["uid"] == pod["metadata"]["uid"]
        every = [*after["status"]["containerStatuses"], *after["status"]["initContainerStatuses"]]
        assert {one["name"]: one["restartCount"] for one in every} == {one["name"]: 0 for one in every}

    def said(self, pod: str, container: str = "app") -> str:
        def look() -> str:
            from kubernetes.client.exceptions import ApiException

            try:
                lines = (self.namespace.logs(pod, container) or "").splitlines()
            except ApiException as error:
                raise AssertionError(error.body) from None
            assert lines, f"{container} of {pod} has said nothing yet"
            return lines[0]

        return eventually(f"{container} of {pod}", look, WAIT_SECONDS)

    def owned(self, name: str) -> dict[str, Any]:
        def look() -> dict[str, Any]:
            found = self.namespace.pods(f"owner={name}")
            assert len(found) == 1, [pod["metadata"]["name"] for pod in found]
            return found[0]

        return eventually(f"a pod of {name}", look, WAIT_SECONDS)
