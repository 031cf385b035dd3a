"""What the controller takes beside 20 000 pods that kwok plays, on the real API server of the test cluster.

    sudo .venv/bin/python benchmarks/in_cluster/controller_on_cluster.py --kwok PROGRAM [--pods 20000] [--seconds 120]

PROGRAM: `CGO_ENABLED=0 go install sigs.k8s.io/kwok/cmd/kwok@v0.7.0`. Injected pods are of Deployments of ten, whose
ReplicaSets make them; the others belong to a ConfigMap of their namespace, since a real garbage collector removes what
belongs to nothing. All have some 10 kB. No release of Memwarden may be in the cluster: its webhook would be asked of
each pod. The collector is a stand-in, as in controller_memory.py, which does all of it without a cluster and in less
time. Targets: 110 MiB with 200 injected pods, 160 MiB with 2 000.
"""

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "e2e"))

from cluster.settings import load
from cluster.testing.network import entered
from cluster.ways import choose
from controller_memory import IDLE_KOPF, TARGETS, measured, started
from controller_memory import Cluster as StandIn

from memwarden_api import names
from memwarden_api.generate.definition import definition
from memwarden_api.generate.kinds import KINDS as OURS
from memwarden_kube.calls import call
from memwarden_kube.client import Client, connect
from memwarden_kube.errors import Conflict, KubeError, NotFound, Request
from memwarden_kube.objects import NAMESPACES, PODS, PROFILES, Object, Resource

SPACES, WITH_PROFILE, REPLICAS, NODES = 20, 10, 10, 20
AT_ONCE = 16
KINDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", False)
KIND_NODE = Resource("", "v1", "nodes", "Node", namespaced=False)
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
MERGE = "application/merge-patch+json"
FAKE = "kwok.x-k8s.io/node"
VARIABLES = [{"name": f"VARIABLE_{key}", "value": "some value of some length " * 3} for key in range(40)]
CONTROLLER = "import sys; from memwarden_operator.__main__ import main; sys.exit(main(sys.argv[1:]))"


class Server:
    """The real API server, by the controller's own calls."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def make(self, resource: Resource, body: Object, namespace: str = "") -> Object:
        return await self._call("POST", "create", resource, namespace, body=body)

    async def patch(self, resource: Resource, namespace: str, name: str, body: Object) -> Object:
        return await self._call("PATCH", "patch", resource, namespace, name, body=body, content_type=MERGE)

    async def read(self, resource: Resource, namespace: str, name: str) -> Object:
        return await self._call("GET", "get", resource, namespace, name)

    async def injected(self, limit: int) -> list[Object]:
        query = {"labelSelector": names.INJECTED, "limit": str(limit)}
        found: list[Object] = (await self._call("GET", "list", PODS, query=query))["items"]
        return found

    async def _call(
        self, method: str, verb: str, resource: Resource, namespace: str = "", name: str = "", **more: Any
    ) -> Object:
        path = resource.path(namespace, name)
        return await call(
            self._client, method, path, Request(verb, resource.named(), namespace, name), **more
        )


def space(number: int) -> str:
    return f"team-{number % SPACES}"


def node(number: int) -> Object:
    amounts = {"cpu": "64", "memory": "256Gi", "pods": "10000"}
    return {
        "metadata": {
            "name": f"fake-{number}", "annotations": {FAKE: "fake"},
            "labels": {"type": "kwok", "kubernetes.io/os": "linux", "kubernetes.io/hostname": f"fake-{number}"},
        },
        "status": {"allocatable": amounts, "capacity": amounts},
    }  # fmt: skip


def pod_spec(number: int) -> Object:
    return {
        "nodeName": f"fake-{number % NODES}",
        "automountServiceAccountToken": False,
        "containers": [{"name": "app", "image": "registry/web:1", "env": VARIABLES}],
        "initContainers": [
            {"name": names.CONTAINER_SIDECAR, "image": "memwarden/sidecar:1", "restartPolicy": "Always",
             "env": VARIABLES[:12]}
        ],
        "volumes": [{"name": "x", "emptyDir": {}}],
    }  # fmt: skip


def plain(number: int, owners: dict[str, str]) -> Object:
    """A pod that nobody selects."""
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owners[space(number)]}
    return {
        "metadata": {
            "name": f"web-{number // 10}-5d9c7b-{number:05}",
            "labels": {"app": f"web-{number // 10}", "pod-template-hash": "5d9c7b", "part": "other"},
            "annotations": {"checksum/config": "0123456789abcdef" * 4},
            "ownerReferences": [{**owner, "controller": True, "blockOwnerDeletion": True}],
        },
        "spec": pod_spec(number),
    }


def deployment(number: int) -> Object:
    """Of pods as the injector has changed them."""
    labels = {"app": f"shop-{number}"}
    pod = {"labels": {**labels, "part": "shop", names.INJECTED: "shop"}}
    return {
        "metadata": {"name": f"shop-{number}", "labels": labels},
        "spec": {
            "replicas": REPLICAS,
            "selector": {"matchLabels": labels},
            "template": {"metadata": pod, "spec": pod_spec(number)},
        },
    }


async def in_crowds(work: Iterable[Awaitable[object]]) -> None:
    """A few at a time; what is there already is left as it is."""
    waiting = iter(work)

    async def one() -> None:
        for task in waiting:
            try:
                await task
            except Conflict:
                continue

    await asyncio.gather(*(one() for _ in range(AT_ONCE)))


async def prepared(server: Server, pods: int, injected: int) -> None:
    """Nodes, namespaces, profiles, and as many pods as are wanted beside the injected ones."""
    await in_crowds(server.make(KINDS, definition(kind, {})) for kind in OURS)
    await in_crowds(server.make(KIND_NODE, node(number)) for number in range(NODES))
    for number in range(SPACES):
        labels = {names.INJECT: "true"} if number < WITH_PROFILE else {}
        await in_crowds([server.make(NAMESPACES, {"metadata": {"name": space(number), "labels": labels}})])
    owners = {}
    for name in map(space, range(SPACES)):
        # Without it no pod is admitted; a controller makes it a moment later.
        await until(f"{name}'s account", partial(there, server, ACCOUNTS, name, "default"))
        await in_crowds([server.make(CONFIG_MAPS, {"metadata": {"name": "owner"}}, name)])
        owners[name] = (await server.read(CONFIG_MAPS, name, "owner"))["metadata"]["uid"]
    profile = {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND_PROFILE,
        "metadata": {"name": "shop"},
        "spec": {"selector": {"matchLabels": {"part": "shop"}}},
    }
    for number in range(WITH_PROFILE):
        await until("the kind", partial(made, server, PROFILES, profile, space(number)))
    began = time.monotonic()
    await in_crowds(
        server.make(PODS, plain(number, owners), space(number)) for number in range(pods - injected)
    )
    print(f"{pods - injected} pods made in {time.monotonic() - began:.0f} s", flush=True)


async def there(server: Server, resource: Resource, namespace: str, name: str) -> bool:
    try:
        await server.read(resource, namespace, name)
    except NotFound:
        return False
    return True


async def made(server: Server, resource: Resource, body: Object, namespace: str) -> bool:
    try:
        await server.make(resource, body, namespace)
    except Conflict:
        return True
    except NotFound:
        return False
    return True


async def until(what: str, true: Callable[[], Awaitable[bool]], seconds: float = 1800) -> None:
    deadline = time.monotonic() + seconds
    while not await true():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: not within {seconds:.0f} s")
        await asyncio.sleep(1)


async def grown(server: Server, injected: int) -> None:
    """Until so many injected pods run, as their ReplicaSets make them and kwok says."""
    numbers = range(injected // REPLICAS)
    await in_crowds(server.make(DEPLOYMENTS, deployment(n), space(n % WITH_PROFILE)) for n in numbers)

    async def all_run() -> bool:
        found = await server.injected(injected + 1)
        return sum(pod["status"].get("phase") == "Running" for pod in found) >= injected

    await until(f"{injected} injected pods to run", all_run)


async def changes(server: Server, injected: int) -> None:
    """Three injected pods a second, until cancelled."""
    found = [
        (pod["metadata"]["namespace"], pod["metadata"]["name"]) for pod in await server.injected(injected)
    ]
    turn = 0
    while True:
        await asyncio.sleep(1)
        for _ in range(3):
            namespace, name = found[turn % len(found)]
            turn += 1
            try:
                await server.patch(PODS, namespace, name, {"metadata": {"annotations": {"turn": str(turn)}}})
            except KubeError as error:
                print(error, file=sys.stderr)


@contextmanager
def kwok(program: Path, kubeconfig: Path, log: Path) -> Iterator[None]:
    command = [program, f"--kubeconfig={kubeconfig}", f"--manage-nodes-with-annotation-selector={FAKE}=fake"]
    with log.open("wb") as written:
        process = subprocess.Popen(command, stdout=written, stderr=written)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def looked_over(port: int) -> float:
    """Pods that the controller's looks have seen so far."""
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=60, trust_env=False).text
    return sum(
        float(value) for value in re.findall(r"^memwarden_controller_scanned_pods_total (\S+)", text, re.M)
    )


async def measure(given: argparse.Namespace, kubeconfig: Path) -> int:
    targets = [n for n in TARGETS if not given.injected or n == given.injected]
    missed = 0
    async with await connect(kubeconfig) as client:
        server = Server(client)
        await prepared(server, given.pods, max(targets))
        idle, _, _ = await measured(IDLE_KOPF.format(kubeconfig=str(kubeconfig)), [], 20)
        print(f"idle Kopf with our client: {idle:.0f} MiB", flush=True)
        for injected in targets:
            await grown(server, injected)
            collector = StandIn(0, 0)
            runner, url = await started(collector)
            port = 18080 + os.getpid() % 1000
            arguments = ["controller", "--kubeconfig", str(kubeconfig), "--collector-url", url]
            arguments += ["--listen", f"127.0.0.1:{port}", "--log-level", "warning"]
            arguments += ["--scan-seconds", "10", "--elsewhere-seconds", "15"]

            def enough(stand_in: StandIn = collector, port: int = port) -> bool:
                return stand_in.told > 0 and looked_over(port) >= 3 * given.pods

            changing = asyncio.create_task(changes(server, injected))
            now, highest, cpu = await measured(CONTROLLER, arguments, given.seconds, enough)
            changing.cancel()
            await runner.cleanup()
            fits = now <= TARGETS[injected]
            missed += not fits
            print(
                f"{given.pods} pods, {injected} injected: {now:.0f} MiB ({highest:.0f} at most), {now / idle:.2f} × "
                f"idle Kopf, target {TARGETS[injected]:.0f}: {'met' if fits else 'MISSED'}; {cpu:.1f} s CPU in "
                f"{given.seconds:.0f} s and more",
                flush=True,
            )
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kwok", type=Path, required=True, metavar="PROGRAM")
    parser.add_argument("--pods", type=int, default=20_000)
    parser.add_argument("--injected", type=int, choices=tuple(TARGETS), help="this number alone")
    parser.add_argument("--seconds", type=float, default=120)
    given = parser.parse_args()
    cluster = choose(load())
    cluster.up(print)
    if cluster.network is None:
        raise SystemExit("it fills a cluster with pods: only one of our own is taken (VIA=local)")
    with (
        entered(cluster.network),
        tempfile.TemporaryDirectory() as folder,
        kwok(given.kwok, cluster.kubeconfig, Path(folder, "kwok.log")),
    ):
        return asyncio.run(measure(given, cluster.kubeconfig))


if __name__ == "__main__":
    sys.exit(main())
