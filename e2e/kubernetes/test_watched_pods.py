"""The way of the data in pods: probe, sidecar, collector, database; the verdict is asked for by REST.

Everything runs as in a user's cluster: Pod Security `restricted`, read-only root file systems, users that differ,
no shared process namespace. Whoever is killed here is killed by the kernel or by the kubelet.
"""

import json
import secrets
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from cluster.testing.waiting import eventually
from harness import line_of

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace

# Each wait has its own bound; together they pass the one that pytest has for every test.
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(3600)]

MANIFESTS = Path(__file__).parent / "manifests"
# What the judge needs on a quiet machine is a minute and a half.
VERDICT_SECONDS = 600.0
START_SECONDS = 300.0
LEAK, LEAKING_LINE = "sessions_kept", '{"id": number'


@dataclass
class Memwarden:
    """A collector in a namespace, and the apps that are watched there."""

    namespace: "Namespace"
    image: Callable[[str], str]
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    address: tuple[str, int] = ("", 0)

    def start_backend(self) -> None:
        from cluster.testing.namespace import is_ready

        self._apply(
            "database",
            database_image=self.image("postgresql-17"),
            token=self.token,
            password=secrets.token_hex(8),
        )
        self.namespace.wait("Pod", "database", is_ready, seconds=START_SECONDS)
        self._apply("collector", collector_image=self.image("memwarden-collector"))
        self.pod_of("collector")

    def watch(self, name: str, program: str, python: str, memory: str = "384Mi") -> None:
        self._apply(
            "watched",
            name=name,
            program=program,
            memory=memory,
            app_image=self.image(f"python-{python}"),
            sidecar_image=self.image("memwarden-sidecar"),
        )

    def _apply(self, manifest: str, **values: str) -> None:
        self.namespace.apply((MANIFESTS / f"{manifest}.yaml").read_text(), **values)

    def only_pod(self, name: str) -> dict[str, Any]:
        """The pod of a Deployment, ready or not; an AssertionError while there is none, or another one is going."""
        pods = self.namespace.pods(f"app={name}")
        assert len(pods) == 1, [pod["metadata"]["name"] for pod in pods]
        return pods[0]

    def pod_of(self, name: str) -> dict[str, Any]:
        """The ready pod of a Deployment."""
        from cluster.testing.namespace import is_ready

        def look() -> dict[str, Any]:
            pod = self.only_pod(name)
            assert is_ready(pod), pod.get("status")
            return pod

        return eventually(f"a pod of {name}", look, START_SECONDS)

    def ask(self, path: str) -> Any:
        """What the collector's interface answers; an AssertionError where it does not answer well."""
        request = urllib.request.Request(
            f"http://{self.address[0]}:{self.address[1]}/api/v1{path}",
            headers={"Authorization": f"Bearer {self.token}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except (urllib.error.URLError, OSError) as error:
            raise AssertionError(f"{path}: {error}") from None

    def lives(self, deployment: str) -> list[dict[str, Any]]:
        """Scopes of the container of a Deployment, the first one first."""
        return [
            scope
            for scope in self.ask("/scopes?limit=500")["items"]
            if scope["attributes"].get("k8s.deployment.name") == deployment
        ]

    def verdict(self, deployment: str, life: int = 0) -> dict[str, Any]:
        found = self.lives(deployment)
        assert len(found) > life, f"{deployment} has {len(found)} scopes"
        return self.ask(f"/scopes/{quote(found[life]['scope'])}/verdict")


@pytest.fixture
def memwarden(namespace: "Namespace", image: Callable[[str], str]) -> Iterator[Memwarden]:
    """A running collector in a namespace that admits `restricted` pods only."""
    level = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespace.core.patch_namespace(namespace.name, {"metadata": {"labels": level}})
    made = Memwarden(namespace, image)
    made.start_backend()
    with ExitStack() as stack:
        made.address = stack.enter_context(namespace.forwarded("svc/collector", 4318))
        yield made


def judged(memwarden: Memwarden, deployment: str, wanted: str) -> dict[str, Any]:
    """The verdict once it is the wanted one."""

    def look() -> dict[str, Any]:
        verdict = memwarden.verdict(deployment)
        assert verdict["verdict"] == wanted, verdict["headline"]
        return verdict

    return eventually(f"{deployment} to be {wanted}", look, VERDICT_SECONDS)


def restarts(pod: dict[str, Any]) -> dict[str, int]:
    status = pod["status"]
    every = [*status["containerStatuses"], *status["initContainerStatuses"]]
    return {container["name"]: container["restartCount"] for container in every}


@pytest.mark.smoke
def test_a_leaking_pod_is_convicted_with_its_line_and_a_healthy_one_is_not(memwarden: Memwarden) -> None:
    memwarden.watch("leaking", LEAK, "3.11")
    memwarden.watch("healthy", "batches", "3.13")

    verdict = judged(memwarden, "leaking", "Leaking")

    sites = [(Path(site["file"]).name, site["line"]) for site in verdict["sites"][:3]]
    assert (f"{LEAK}.py", line_of(LEAK, LEAKING_LINE)) in sites
    assert verdict["limit"] == {"bytes": 384 << 20, "source": "cgroup"}
    # The shell that the image starts with has no probe, and is seen all the same.
    assert sorted(process["probe"] for process in verdict["processes"]) == ["hooked", "outside"]
    pod = memwarden.pod_of("leaking")
    (life,) = memwarden.lives("leaking")
    told = {
        "k8s.namespace.name": memwarden.namespace.name,
        "k8s.pod.name": pod["metadata"]["name"],
        "k8s.pod.uid": pod["metadata"]["uid"],
        "k8s.container.name": "app",
        "service.name": "leaking",
    }
    assert told.items() <= life["attributes"].items()
    healthy = judged(memwarden, "healthy", "Healthy")
    assert "Leaking" not in {entry["verdict"] for entry in healthy["history"]}
    for deployment in ("leaking", "healthy"):
        assert set(restarts(memwarden.pod_of(deployment)).values()) == {0}

    # The app goes first, then its sidecar, with all that was known.
    ended = deleted(memwarden.namespace, pod["metadata"]["name"])
    assert ended["memwarden-sidecar"]["exitCode"] == 0, ended
    eventually("its end to be known", lambda: ended_at(memwarden.verdict("leaking")), START_SECONDS)
    # What comes after it is the same workload, and another life.
    eventually("the next pod's scope", lambda: len(memwarden.lives("leaking")) == 2, START_SECONDS)


def test_what_was_known_of_a_container_killed_out_of_memory_arrives_marked_as_ended(
    memwarden: Memwarden,
) -> None:
    from cluster.testing.namespace import container_status

    memwarden.watch("short-of-memory", LEAK, "3.13", memory="48Mi")

    def killed() -> dict[str, Any] | None:
        pod = memwarden.only_pod("short-of-memory")
        return container_status(pod, "app").get("lastState", {}).get("terminated")

    assert eventually("the kernel to kill it", killed, VERDICT_SECONDS)["exitCode"] == 137
    eventually("its next life", lambda: len(memwarden.lives("short-of-memory")) >= 2, START_SECONDS)

    def ended() -> dict[str, Any] | None:
        verdict = memwarden.verdict("short-of-memory", life=0)
        return verdict if ended_at(verdict) else None

    verdict = eventually("the end to be known", ended, START_SECONDS)
    assert verdict["limit"] == {"bytes": 48 << 20, "source": "cgroup"}
    # The last profile is that of the end: nearly all that the limit allows.
    (life, *_) = memwarden.lives("short-of-memory")
    profiles = memwarden.ask(f"/scopes/{quote(life['scope'])}/profiles?limit=1")["items"]
    assert profiles[0]["live_bytes"] > 16 << 20
    assert restarts(memwarden.only_pod("short-of-memory"))["memwarden-sidecar"] == 0


def ended_at(verdict: dict[str, Any]) -> str | None:
    """When the one process with a probe ended."""
    (hooked,) = (process for process in verdict["processes"] if process["probe"] == "hooked")
    return hooked["ended_at"]


def deleted(namespace: "Namespace", name: str) -> dict[str, dict[str, Any]]:
    """Delete a pod; how each of its containers ended. A finalizer keeps the pod until that was read."""
    ends: dict[str, dict[str, Any]] = {}

    def look(pod: dict[str, Any]) -> bool:
        statuses = [*pod["status"]["containerStatuses"], *pod["status"]["initContainerStatuses"]]
        for status in statuses:
            ends[status["name"]] = status["state"].get("terminated") or {}
        return all(ends.values())

    keep(namespace, name, ["memwarden.test/read-how-it-ended"])
    try:
        namespace.core.delete_namespaced_pod(name, namespace.name)
        namespace.wait("Pod", name, look, seconds=START_SECONDS)
    finally:
        keep(namespace, name, None)
    return ends


def keep(namespace: "Namespace", name: str, finalizers: list[str] | None) -> None:
    namespace.core.patch_namespaced_pod(name, namespace.name, {"metadata": {"finalizers": finalizers}})
