"""Workloads that remediation is asked for, a profile that asks, what its status says, and a stand-in for the injector.

Pods run and are ready, their memory is told to the collector as sidecars would.
"""

import json
import subprocess
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from cluster.testing.waiting import eventually

from memwarden_api import names

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace

PATIENCE = 300.0
PROFILE = """
apiVersion: memwarden.dev/v1alpha1
kind: MemoryProfile
metadata: {name: shop}
spec:
  selector: {matchLabels: {part: shop}}
  sampling: {interval: 1s}
  remediation:
    mode: "$mode"
    captureEvidence: "$evidence"
    action: $action
    limits: {maxPerHour: $hourly, cooldown: 10s, windows: $windows}
"""
WORKLOAD = """
apiVersion: apps/v1
kind: $kind
metadata: {name: $name}
spec:
  replicas: $replicas
  $more
  selector: {matchLabels: {app: $name}}
  template:
    metadata: {labels: {app: $name, part: shop, memwarden.dev/injected: shop}}
    spec:
      terminationGracePeriodSeconds: $grace
      containers: [{name: app, image: "$image", $container}]
"""
SLEEPS = 'command: [sleep, "100000"]'
BUDGET = """
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {maxUnavailable: $unavailable, selector: {matchLabels: {app: web}}}
"""
JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: report}
spec:
  template:
    metadata: {labels: {app: report, part: shop, memwarden.dev/injected: shop}}
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 0
      containers: [{name: app, image: "$image", command: [sleep, "100000"]}]
"""


class Injector:
    """Says whether it is ready."""

    def __init__(self) -> None:
        self.status = 200
        outer = self

        class Page(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing is told."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
        self.url = f"http://127.0.0.1:{self._server.server_port}/readyz"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def profile(
    namespace: "Namespace",
    mode: str,
    *,
    windows: str = "[]",
    action: str = "Evict",
    hourly: int = 20,
    evidence: str = "Off",
) -> None:
    namespace.apply(PROFILE, mode=mode, windows=windows, action=action, hourly=hourly, evidence=evidence)


def deploy(namespace: "Namespace", image: str, name: str, **given: object) -> None:
    usual = {"replicas": 2, "kind": "Deployment", "more": "", "container": SLEEPS, "grace": 0}
    namespace.apply(WORKLOAD, image=image, name=name, **usual | given)


def workload(
    namespace: "Namespace",
    image: str,
    name: str = "web",
    *,
    replicas: int = 3,
    kind: str = "Deployment",
    more: str = "",
    container: str = SLEEPS,
    grace: int = 0,
) -> list[dict[str, Any]]:
    """Its pods, once all are ready; by name."""
    deploy(namespace, image, name, replicas=replicas, kind=kind, more=more, container=container, grace=grace)
    return ready(namespace, name, replicas)


def ready(namespace: "Namespace", name: str, count: int) -> list[dict[str, Any]]:
    def look() -> list[dict[str, Any]]:
        from cluster.testing.namespace import is_ready

        found = [one for one in namespace.pods(f"app={name}") if "deletionTimestamp" not in one["metadata"]]
        assert [is_ready(one) for one in found] == [True] * count, [one["metadata"]["name"] for one in found]
        return sorted(found, key=lambda one: one["metadata"]["name"])

    return eventually(f"{count} ready pods of {name}", look, PATIENCE)


def uids(pods: list[dict[str, Any]]) -> set[str]:
    return {one["metadata"]["uid"] for one in pods}


def status(namespace: "Namespace") -> dict[str, Any]:
    return namespace.read("MemoryProfile", "shop", names.API_VERSION).get("status") or {}


def decided(
    namespace: "Namespace", label: str, result: str, reason: str = names.DECIDED, seconds: float = PATIENCE
) -> dict[str, Any]:
    """The newest such decision on a workload, once there is one."""

    def look() -> dict[str, Any]:
        told = status(namespace)
        found = [one for one in told.get("remediations", ()) if one["workload"] == label]
        same = [one for one in found if (one["result"], one["reason"]) == (result, reason)]
        assert same, told
        return same[-1]

    return eventually(f"{label}: {result}, {reason}", look, seconds)


def acted(namespace: "Namespace", label: str) -> list[dict[str, Any]]:
    found = [one for one in status(namespace).get("actions", ()) if one["workload"] == label]
    return found[0].get("acted", []) if found else []


def stop_injection(namespace: "Namespace", *workloads: str) -> None:
    """As the circuit breaker does."""
    since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    entries = [
        {"workload": one, "reason": names.STOP_CRASHES, "message": "of a test", "since": since}
        for one in workloads
    ]
    patch = json.dumps({"status": {"injectionStopped": entries}})
    kubectl = [*namespace.cluster.kubectl, "--namespace", namespace.name]
    words = ("patch", "memprof", "shop", "--subresource=status", "--type=merge", f"--patch={patch}")
    subprocess.run([*kubectl, *words], check=True)


def generation(namespace: "Namespace", kind: str, name: str) -> int:
    """How often its spec was written: 1 where nobody has touched it."""
    found: int = namespace.read(kind, name, "apps/v1")["metadata"]["generation"]
    return found


def told_of(namespace: "Namespace", label: str) -> list[tuple[str, str]]:
    found = status(namespace).get("remediations", ())
    return [(one["result"], one["reason"]) for one in found if one["workload"] == label]
