"""A namespace for one test: what is applied to it, waited for, and asked of its pods."""

import select
import string
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml
from kubernetes import client, dynamic
from kubernetes.dynamic.exceptions import NotFoundError
from kubernetes.stream import stream

from cluster.ways import Cluster

from .waiting import PATIENCE_SECONDS, eventually

FIELD_MANAGER = "memwarden-e2e"
FORWARD_SECONDS = 15.0

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Executed:
    """What a command in a container gave."""

    exit_code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Namespace:
    """A namespace and the ways to what is in it."""

    name: str
    cluster: Cluster
    api: client.ApiClient
    resources: dynamic.DynamicClient

    @property
    def core(self) -> client.CoreV1Api:
        return client.CoreV1Api(self.api)

    # ---------------------------------------------------------------- objects

    def apply(self, manifests: str, **values: object) -> list[Object]:
        """Apply YAML on the server and return the objects as it has them; `$name` stands for a value."""
        filled = string.Template(manifests).substitute({name: str(value) for name, value in values.items()})
        return [self._apply(manifest) for manifest in yaml.safe_load_all(filled) if manifest]

    def _apply(self, manifest: Object) -> Object:
        kind = self.resources.resources.get(api_version=manifest["apiVersion"], kind=manifest["kind"])
        applied = kind.server_side_apply(
            body=manifest,
            name=manifest["metadata"]["name"],
            namespace=self.name if kind.namespaced else None,
            field_manager=FIELD_MANAGER,
        )
        return applied.to_dict()

    def read(self, kind: str, name: str, api_version: str = "v1") -> Object:
        """Return an object as the server has it now."""
        resource = self.resources.resources.get(api_version=api_version, kind=kind)
        return resource.get(name=name, namespace=self.name if resource.namespaced else None).to_dict()

    def wait(
        self,
        kind: str,
        name: str,
        until: Callable[[Object], object],
        api_version: str = "v1",
        seconds: float = PATIENCE_SECONDS,
    ) -> Object:
        """Return an object when the condition holds for it. It may come into being meanwhile."""

        def look() -> Object | None:
            try:
                found = self.read(kind, name, api_version)
            except NotFoundError:
                raise AssertionError(f"there is no {kind} {name}") from None
            assert until(found), yaml.safe_dump(found.get("status"))
            return found

        return eventually(f"{kind} {name} in {self.name}", look, seconds)

    def wait_ready(self, *pods: str) -> list[Object]:
        """Return pods when all of their containers are ready."""
        return [self.wait("Pod", pod, is_ready) for pod in pods]

    def pods(self, selector: str) -> list[Object]:
        """Return the pods with these labels, those that are going left out."""
        found = self.resources.resources.get(api_version="v1", kind="Pod").get(
            namespace=self.name, label_selector=selector
        )
        return [pod for pod in found.to_dict()["items"] if "deletionTimestamp" not in pod["metadata"]]

    # ---------------------------------------------------------------- into pods

    def logs(self, pod: str, container: str | None = None) -> str:
        """Return all that a container has printed."""
        return self.core.read_namespaced_pod_log(pod, self.name, container=container)

    def execute(self, pod: str, *command: str, container: str | None = None, seconds: float = 60) -> Executed:
        """Run a command in a container to its end."""
        # A client of its own: the library turns the one it uses into a websocket client for the time of the
        # call.
        core = client.CoreV1Api(client.ApiClient(self.api.configuration))
        which = {"container": container} if container else {}
        session = stream(
            core.connect_get_namespaced_pod_exec,
            *(pod, self.name),
            command=list(command),
            stdout=True,
            stderr=True,
            _preload_content=False,
            **which,
        )
        try:
            session.run_forever(timeout=seconds)
            assert not session.is_open(), f"{' '.join(command)} in {pod} has not ended within {seconds:.0f} s"
            return Executed(session.returncode, session.read_stdout() or "", session.read_stderr() or "")
        finally:
            # Its own close() does nothing once the other side has closed, and leaves the socket open.
            session.sock.shutdown()

    @contextmanager
    def forwarded(self, target: str, port: int) -> Iterator[tuple[str, int]]:
        """Lend the address of a port of a pod (`NAME`) or Service (`svc/NAME`), by `kubectl port-forward`."""
        process = subprocess.Popen(
            [
                *self.cluster.kubectl,
                "--namespace",
                self.name,
                "port-forward",
                "--address=127.0.0.1",
                target,
                f":{port}",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield "127.0.0.1", _forwarded_port(process)
        finally:
            process.terminate()
            process.communicate(timeout=FORWARD_SECONDS)


def _forwarded_port(process: "subprocess.Popen[str]") -> int:
    # Forwarding from 127.0.0.1:43211 -> 8000
    assert process.stdout
    assert select.select([process.stdout], [], [], FORWARD_SECONDS)[0], "kubectl port-forward says nothing"
    said = process.stdout.readline()
    assert said.startswith("Forwarding from "), said
    return int(said.split(" -> ")[0].rpartition(":")[2])


@contextmanager
def fresh(
    name: str, cluster: Cluster, api: client.ApiClient, resources: dynamic.DynamicClient
) -> Iterator[Namespace]:
    """Make a namespace, lend it, and have it removed; its end is not waited for."""
    core = client.CoreV1Api(api)
    core.create_namespace(
        {"metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": FIELD_MANAGER}}}
    )
    namespace = Namespace(name, cluster, api, resources)
    try:
        # Without these two no pod is admitted; the controllers make them a moment later.
        namespace.wait("ServiceAccount", "default", bool)
        namespace.wait("ConfigMap", "kube-root-ca.crt", bool)
        yield namespace
    finally:
        core.delete_namespace(name, grace_period_seconds=0)


def is_ready(pod: Object) -> bool:
    """Say whether a pod's containers, native sidecars included, are all ready."""
    conditions = pod.get("status", {}).get("conditions") or []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def container_status(pod: Object, container: str) -> Object:
    """Return the status of a container or native sidecar; empty where the kubelet has not written one."""
    status = pod.get("status", {})
    written = [*(status.get("containerStatuses") or []), *(status.get("initContainerStatuses") or [])]
    return next((found for found in written if found["name"] == container), {})
