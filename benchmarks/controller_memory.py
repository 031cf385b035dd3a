"""What the controller takes beside 20 000 pods, of which 200 and 2 000 are injected, and an idle Kopf in the same run.

    .venv/bin/python benchmarks/controller_memory.py [--pods 20000] [--seconds 45]

API server and collector are stand-ins in this process: they answer with as many pods of some 10 kB as are asked for,
page by page, and change three injected pods a second. The controller is a process of its own, as it is installed.
Targets: 110 MiB with 200 injected pods, 160 MiB with 2 000.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

from memwarden_api import names

TARGETS = {200: 110.0, 2000: 160.0}
NAMESPACES = 20
PROFILE_NAMESPACES = 10
IDLE_KOPF = """
import asyncio, kopf
from pathlib import Path
from memwarden_kube.client import connect
from memwarden_operator.controller.following import Following
from memwarden_operator.controller.handlers import operator_settings, registry_for
from memwarden_operator.controller.run import PROFILES
async def main():
    async with await connect(Path({kubeconfig!r})) as client:
        profiles = Following("profiles", PROFILES, lambda found: None, lambda key: None, dict)
        registry = registry_for(client, [profiles])
        await kopf.operator(registry=registry, settings=operator_settings(), standalone=True, clusterwide=True)
asyncio.run(main())
"""


class Cluster:
    """An API server with pods, and a collector that says nothing new."""

    def __init__(self, pods: int, injected: int) -> None:
        self.count, self.injected = pods, injected
        self.scans = 0
        self.told = 0
        self.version = 1000
        # The same text for each page and pod but its name: the server's memory isn't what is measured.
        self._fields = [
            {
                "manager": f"manager-{number}",
                "operation": "Update",
                "apiVersion": "v1",
                "time": "2026-11-21T20:00:00Z",
                "fieldsType": "FieldsV1",
                "fieldsV1": {f"f:field{key}": {"f:value": {}, "f:other": {}} for key in range(30)},
            }
            for number in range(2)
        ]

    def metadata(self, number: int) -> dict[str, Any]:
        namespace, workload = number % NAMESPACES, number // 10
        labels = {"app": f"web-{workload}", "pod-template-hash": "5d9c7b", "part": "shop"}
        if number < self.injected:
            namespace %= PROFILE_NAMESPACES
            labels[names.INJECTED] = "shop"
        elif namespace < PROFILE_NAMESPACES:
            labels["part"] = "other"
        owner = {
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"web-{workload}-5d9c7b",
            "uid": f"rs-{namespace}-{workload}", "controller": True, "blockOwnerDeletion": True,
        }  # fmt: skip
        return {
            "name": f"web-{workload}-5d9c7b-{number:05}", "namespace": f"team-{namespace}", "uid": f"uid-{number}",
            "resourceVersion": str(number + 1), "creationTimestamp": "2026-11-21T20:00:00Z", "labels": labels,
            "annotations": {"checksum/config": "0123456789abcdef" * 4}, "ownerReferences": [owner],
            "managedFields": self._fields,
        }  # fmt: skip

    def pod(self, number: int) -> dict[str, Any]:
        environment = [
            {"name": f"VARIABLE_{key}", "value": "some value of some length " * 2} for key in range(40)
        ]
        container = {"name": "app", "image": "registry/web:1", "env": environment, "resources": {}}
        ours = {"name": names.CONTAINER_SIDECAR, "image": "memwarden/sidecar:1", "env": environment[:12]}
        state = {"running": {"startedAt": "2026-11-21T20:00:10Z"}}
        return {
            "metadata": self.metadata(number),
            "spec": {"containers": [container], "initContainers": [ours], "volumes": [{"name": "x", "emptyDir": {}}]},
            "status": {
                "phase": "Running",
                "conditions": [
                    {"type": kind, "status": "True", "lastTransitionTime": "2026-11-21T20:00:11Z"}
                    for kind in ("Ready", "Initialized", "PodScheduled", "ContainersReady")
                ],
                "containerStatuses": [
                    {"name": "app", "image": "registry/web:1", "restartCount": self.version % 2, "state": state}
                ],
                "initContainerStatuses": [
                    {"name": ours["name"], "image": ours["image"], "restartCount": 0, "state": state}
                ],
            },
        }  # fmt: skip

    def was_used(self) -> bool:
        """All pods have been looked over three times, and their owners told."""
        return self.scans >= 3 and self.told > 0

    # ── Answers ────────────────────────────────────────────────────────────────────────────────────────
    async def answer(self, request: web.Request) -> web.StreamResponse:
        path, query = request.path, request.query
        if request.method in ("PUT", "POST", "DELETE"):
            self.told += 1
            return web.json_response({}, status=204 if path.startswith("/api/v1/cluster") else 201)
        if request.method == "PATCH":
            body = await request.json()
            return web.json_response(
                self.profile(int(body["metadata"]["namespace"].split("-")[1]), body["status"])
            )
        if path == "/api/v1/workloads/changes":
            await asyncio.sleep(float(query.get("wait", 0)))
            return web.json_response({"items": [], "cursor": "1", "more": False})
        if path == "/api/v1/cluster/coverage":
            return web.json_response({"items": [], "next_cursor": None})
        if found := discovery(path):
            return web.json_response(found)
        if query.get("watch"):
            return await self.watch(request)
        return web.json_response(self.listed(path, query))

    def listed(self, path: str, query: Any) -> dict[str, Any]:
        parts = path.strip("/").split("/")
        about = {"resourceVersion": str(self.version)}
        if parts[-1] == "pods":
            namespace = parts[parts.index("namespaces") + 1] if "namespaces" in parts else ""
            return self.pods(namespace, query)
        if parts[-1] == names.PLURAL_PROFILE:
            return {
                "metadata": about,
                "items": [self.profile(number) for number in range(PROFILE_NAMESPACES)],
            }
        if parts[-1] == "namespaces":
            items = [{"metadata": {"name": f"team-{number}"}} for number in range(NAMESPACES)]
            return {"metadata": about, "items": items}
        if parts[-2] == "namespaces":
            return {
                "metadata": {"name": parts[-1], "uid": f"uid-{parts[-1]}", "labels": {names.INJECT: "true"}}
            }
        if parts[-2] == "replicasets":
            name = parts[-1].removesuffix("-5d9c7b")
            number, namespace = name.removeprefix("web-"), parts[parts.index("namespaces") + 1].split("-")[1]
            owner = {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": name,
                "uid": f"d-{name}",
                "controller": True,
            }
            return {
                "metadata": {
                    "name": parts[-1], "uid": f"rs-{namespace}-{number}", "creationTimestamp": "2026-11-21T20:00:00Z",
                    "ownerReferences": [owner], "annotations": {"deployment.kubernetes.io/revision": "3"},
                }
            }  # fmt: skip
        return {"metadata": about, "items": []}

    def pods(self, namespace: str, query: Any) -> dict[str, Any]:
        whole = query.get("labelSelector") == names.INJECTED
        start, size = int(query.get("continue") or 0), int(query.get("limit", 500))
        if whole:
            numbers = range(self.injected)
        else:
            numbers = range(self.count)
            self.scans += namespace == "team-0" and start == 0
        wanted = [number for number in numbers if not namespace or self.namespace(number) == namespace]
        part = wanted[start : start + size]
        about = {"resourceVersion": str(self.version)}
        if start + size < len(wanted):
            about["continue"] = str(start + size)
        items = [self.pod(number) if whole else {"metadata": self.metadata(number)} for number in part]
        return {"metadata": about, "items": items}

    def namespace(self, number: int) -> str:
        found = number % NAMESPACES
        return f"team-{found % PROFILE_NAMESPACES if number < self.injected else found}"

    def profile(self, number: int, status: Any = None) -> dict[str, Any]:
        return {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND_PROFILE,
            "metadata": {
                "name": "shop", "namespace": f"team-{number}", "uid": f"p-{number}", "generation": 1,
                "resourceVersion": str(self.version), "creationTimestamp": "2026-11-21T19:00:00Z",
            },
            "spec": {"selector": {"matchLabels": {"part": "shop"}}},
            "status": status or {},
        }  # fmt: skip

    async def watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        changes = request.path.endswith("/pods")
        while True:
            await asyncio.sleep(1.0)
            self.version += 1
            bookmark = {"kind": "Pod", "apiVersion": "v1", "metadata": {"resourceVersion": str(self.version)}}
            events = [{"type": "BOOKMARK", "object": bookmark}]
            if changes:
                numbers = [(self.version * 3 + step) % self.injected for step in range(3)]
                events += [{"type": "MODIFIED", "object": self.pod(number)} for number in numbers]
            for event in events:
                try:
                    await response.write(json.dumps(event).encode() + b"\n")
                except ConnectionResetError:
                    return response


def discovery(path: str) -> dict[str, Any] | None:
    """What Kopf asks at its start."""
    version = {"groupVersion": names.API_VERSION, "version": names.VERSION}
    group = {"name": names.GROUP, "preferredVersion": version, "versions": [version]}
    profiles = {
        "name": names.PLURAL_PROFILE, "singularName": "memoryprofile", "kind": names.KIND_PROFILE, "namespaced": True,
        "verbs": ["get", "list", "watch", "patch"], "shortNames": ["memprof"],
    }  # fmt: skip
    return {
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "groups": [group]},
        "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": []},
        f"/apis/{names.API_VERSION}": {
            "kind": "APIResourceList",
            "groupVersion": names.API_VERSION,
            "resources": [profiles],
        },
    }.get(path)


async def started(cluster: Cluster) -> tuple[web.AppRunner, str]:
    app = web.Application(client_max_size=64 << 20)
    app.router.add_route("*", "/{path:.*}", cluster.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


def kubeconfig(folder: Path, url: str) -> Path:
    path = folder / "kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": {"server": url}}],
        "users": [{"name": "x", "user": {"token": "none"}}],
    }
    path.write_text(yaml.safe_dump(content))
    return path


def resident(pid: int) -> tuple[float, float]:
    """MiB now, and at most."""
    fields = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line
    )
    return int(fields["VmRSS"].split()[0]) / 1024, int(fields["VmHWM"].split()[0]) / 1024


def processor_seconds(pid: int) -> float:
    ticks = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(ticks[11]) + int(ticks[12])) / 100


async def measured(
    code: str, arguments: list[str], seconds: float, enough: Callable[[], bool] = lambda: True
) -> tuple[float, float, float]:
    """MiB at the end, MiB at most, CPU seconds: after so long, and when it has done enough."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, *arguments)
    try:
        deadline = time.monotonic() + seconds + 600
        await asyncio.sleep(seconds)
        while not enough() and time.monotonic() < deadline:  # noqa: ASYNC110 - a counter, no event
            await asyncio.sleep(1)
        if process.returncode is not None or not enough():
            raise SystemExit(f"nothing is measured: it ended with {process.returncode}, or did too little")
        now, highest = resident(process.pid)
        return now, highest, processor_seconds(process.pid)
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def measure(pods: int, targets: dict[int, float], seconds: float) -> int:
    main = "import sys; from memwarden_operator.__main__ import main; sys.exit(main(sys.argv[1:]))"
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        runner, url = await started(Cluster(pods, 200))
        path = kubeconfig(Path(folder), url)
        idle, _, _ = await measured(IDLE_KOPF.format(kubeconfig=str(path)), [], 10)
        await runner.cleanup()
        print(f"idle Kopf with our client: {idle:.0f} MiB")
        for injected, target in targets.items():
            cluster = Cluster(pods, injected)
            runner, url = await started(cluster)
            path = kubeconfig(Path(folder), url)
            arguments = [
                "controller",
                "--kubeconfig",
                str(path),
                "--collector-url",
                url,
                "--listen",
                "127.0.0.1:0",
            ]
            arguments += ["--scan-seconds", "10", "--elsewhere-seconds", "15", "--log-level", "warning"]
            now, highest, cpu = await measured(main, arguments, seconds, cluster.was_used)
            await runner.cleanup()
            fits = now <= target
            missed += not fits
            print(
                f"{pods} pods, {injected} injected: {now:.0f} MiB ({highest:.0f} at most), {now / idle:.2f} × idle "
                f"Kopf, target {target:.0f}: {'met' if fits else 'MISSED'}; {cluster.scans} scans, {cpu:.1f} s CPU"
            )
    return missed


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pods", type=int, default=20_000)
    parser.add_argument("--injected", type=int, choices=tuple(TARGETS), help="this number alone")
    parser.add_argument("--seconds", type=float, default=45)
    given = parser.parse_args()
    targets = {given.injected: TARGETS[given.injected]} if given.injected else TARGETS
    sys.exit(asyncio.run(measure(given.pods, targets, given.seconds)))


if __name__ == "__main__":
    main()
