"""How much later an app's first line runs in an injected pod: pods with and without us in turn, on the test cluster.

    sudo .venv/bin/python benchmarks/in_cluster/pod_start.py [--pods 20] [--keep FILE]

From the request that makes the pod to the first line of a Python program in it, by one clock: webhook, volumes, the
sidecar's start with the copy of the probes, the container that looks at the app's image, and the probe's own. Images
are on the node. The test cluster (docs/operations/test-cluster.md) and Memwarden in it are used where they are there,
else made, and removed at the end.
Target: 1.5 s at the median of the differences, of each injected pod to the one without before it.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "e2e"))

from cluster import images
from cluster.settings import load
from cluster.testing.network import entered
from cluster.testing.waiting import eventually
from cluster.ways import Cluster, choose
from installation import INJECT, Installation, profile

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace

TARGET_SECONDS = 1.5
FIRST_LINE = "import time; open('/dev/termination-log', 'w').write(repr(time.time()))"
WAIT_SECONDS = 600.0
OURS = "memwarden"


@dataclass(frozen=True)
class Start:
    """Seconds from the request on."""

    first_line: float
    steps: dict[str, float]
    """When each container had started, by the kubelet's whole seconds."""


def pod(name: str, image: str, *, injected: bool) -> dict[str, Any]:
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    labels = {"part": "timed", INJECT: "true" if injected else "false"}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "app",
                    "image": image,
                    "command": ["python3", "-c", FIRST_LINE],
                    "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
                    "securityContext": security,
                }
            ],
        },
    }


def started(namespace: "Namespace", name: str, image: str, *, injected: bool) -> Start:
    """Make a pod, wait for its first line, remove it."""
    body = pod(name, image, injected=injected)
    asked = time.time()
    made = namespace.core.create_namespaced_pod(namespace.name, body, _preload_content=False)
    has_us = "memwarden.dev/injected" in json.loads(made.data)["metadata"]["labels"]
    if has_us is not injected:
        raise SystemExit(f"{name} is {'' if has_us else 'not '}injected: nothing can be measured")

    def said() -> dict[str, Any] | None:
        status = namespace.read("Pod", name)["status"]
        state = (status.get("containerStatuses") or [{}])[0].get("state", {})
        return status if state.get("terminated", {}).get("message") else None

    status = eventually(f"the first line of {name}", said, WAIT_SECONDS)
    namespace.core.delete_namespaced_pod(name, namespace.name, grace_period_seconds=0)
    steps = {}
    for one in [*(status.get("initContainerStatuses") or []), *status["containerStatuses"]]:
        state = next(iter(one["state"].values()))
        if state.get("startedAt"):
            steps[one["name"]] = datetime.fromisoformat(state["startedAt"]).timestamp() - asked
    return Start(float(status["containerStatuses"][0]["state"]["terminated"]["message"]) - asked, steps)


def measured(namespace: "Namespace", image: str, pods: int) -> dict[str, list[Start]]:
    found: dict[str, list[Start]] = {"without": [], "with": []}
    # The first of each warms the caches of node and server, and the injector learns of the profile.
    for number in range(-1, pods):
        for name, injected in (("without", False), ("with", True)):
            start = started(namespace, f"{name}-{number + 1}", image, injected=injected)
            if number >= 0:
                found[name].append(start)
    return found


def report(found: dict[str, list[Start]], keep: Path | None) -> int:
    times = {name: [start.first_line for start in starts] for name, starts in found.items()}
    differences = [ours - bare for bare, ours in zip(times["without"], times["with"], strict=True)]
    median = statistics.median(differences)
    low, _, high = statistics.quantiles(differences, n=4)
    print(f"{'':10} {'median s':>9} {'least':>7} {'most':>7}")
    for name, seconds in times.items():
        print(f"{name:10} {statistics.median(seconds):9.2f} {min(seconds):7.2f} {max(seconds):7.2f}")
    ratio = statistics.median(times["with"]) / statistics.median(times["without"])
    print(f"later by   {median:9.2f} s, the middle half {low:.2f} to {high:.2f}; {ratio:.2f} times as long")
    for name in found["with"][0].steps:
        seconds = [start.steps[name] for start in found["with"] if name in start.steps]
        print(f"  {name} had started after {statistics.median(seconds):.1f} s (whole seconds of the kubelet)")
    busy = os.getloadavg()[0]
    met = median <= TARGET_SECONDS
    print(
        f"target     {TARGET_SECONDS:g} s: {'met' if met else 'MISSED'}; {busy:.0f} processes wanted the processors"
    )
    if keep is not None:
        kept = {
            "seconds": times,
            "later_by": median,
            "middle_half": [low, high],
            "ratio": ratio,
            "load": busy,
        }
        keep.write_text(json.dumps(kept, indent=1) + "\n")
    return 0 if met else 1


def on_the_cluster(
    cluster: Cluster, references: dict[str, str], helm: list[str], given: argparse.Namespace
) -> int:
    from cluster.testing.namespace import fresh
    from kubernetes import client, config, dynamic

    with (
        tempfile.TemporaryDirectory() as folder,
        config.new_client_from_config(str(cluster.kubeconfig)) as api,
    ):
        release = Installation(helm, references.__getitem__, Path(folder))
        was_there = release.is_there()
        release.ensure()
        resources = dynamic.DynamicClient(api, cache_file=str(Path(folder, "resources.json")))
        try:
            with fresh(f"pod-start-{os.getpid()}", cluster, api, resources) as namespace:
                labels = {"metadata": {"labels": {INJECT: "true"}}}
                client.CoreV1Api(api).patch_namespace(namespace.name, labels)
                profile(namespace, "timed", {"matchLabels": {"part": "timed"}})
                injected_at_last(namespace, references["python-3.11"])
                return report(measured(namespace, references["python-3.11"], given.pods), given.keep)
        finally:
            if not was_there:
                release.remove_all()


def injected_at_last(namespace: "Namespace", image: str) -> None:
    """The injector's watch has the profile a moment after it was made: a server's dry run asks it."""

    def is_injected() -> bool:
        answer = namespace.core.create_namespaced_pod(
            namespace.name, pod("asks", image, injected=True), dry_run="All", _preload_content=False
        )
        return "memwarden.dev/injected" in json.loads(answer.data)["metadata"]["labels"]

    eventually("the injector to know the profile", is_injected)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pods", type=int, default=20, help="of each kind")
    parser.add_argument("--keep", type=Path, help="file for the figures, as JSON")
    given = parser.parse_args()
    settings = load()
    cluster = choose(settings)
    was_up = cluster.status().up
    cluster.up(say)
    try:
        wanted = ("memwarden-collector", "memwarden-operator", "memwarden-sidecar")
        references = {
            name: images.provide(cluster, settings, name, say)
            for name in (*wanted, "postgresql-17", "python-3.11")
        }
        helm = cluster.helm
        if cluster.network is None:
            return on_the_cluster(cluster, references, helm, given)
        with entered(cluster.network):
            return on_the_cluster(cluster, references, helm, given)
    finally:
        if not was_up:
            cluster.down(say)


def say(told: str) -> None:
    print(f"cluster: {told}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
