"""Reviews a second of the injector, with TLS and the real patch, beside a bare aiohttp server with a trivial patch.

Both are processes of their own, asked by this one over as many connections as are said, alternately; what is printed is
the injector's share of the reference's rate, the slowest of a hundred answers, and what the process takes. The client
shares the cores with the server: figures are comparable within one run only.
"""

import argparse
import asyncio
import base64
import json
import os
import re
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from memwarden_operator.certificates.authority import State, renewed

AT_ONCE = 32
SECONDS = 4.0
ROUNDS = 3
TARGETS = {"reviews a second": 1500.0, "p99 ms": 20.0, "MiB": 48.0}
PATHS = {"injector": "/mutate/labelled-pod", "bare": "/"}


def pod() -> dict[str, Any]:
    """As a Deployment's pod comes to admission: about 4 KB."""
    variables = [{"name": f"SHOP_SETTING_{number}", "value": f"value-{number}" * 3} for number in range(20)]
    probe = {
        "httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
    }
    container = {
        "name": "app",
        "image": "registry.example/shop/web:1.2.3",
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "env": variables,
        "resources": {
            "limits": {"cpu": "1", "memory": "512Mi"},
            "requests": {"cpu": "100m", "memory": "256Mi"},
        },
        "volumeMounts": [
            {"name": "config", "mountPath": "/etc/shop"},
            {"name": "token", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": True},
        ],
        "livenessProbe": probe,
        "readinessProbe": probe,
        "terminationMessagePath": "/dev/termination-log",
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    owner = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": "web-5d9c7b",
        "uid": "u",
        "controller": True,
    }
    return {
        "metadata": {
            "generateName": "web-5d9c7b-",
            "namespace": "shop",
            "labels": {"app": "web", "pod-template-hash": "5d9c7b", "memwarden.dev/inject": "true"},
            "annotations": {"prometheus.io/scrape": "true"},
            "ownerReferences": [owner],
        },
        "spec": {
            "containers": [container, {**container, "name": "log"}],
            "volumes": [
                {"name": "config", "configMap": {"name": "web"}},
                {"name": "token", "projected": {"sources": []}},
            ],
            "restartPolicy": "Always",
            "serviceAccountName": "web",
            "securityContext": {"runAsNonRoot": True},
            "tolerations": [
                {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}
            ],
        },
    }


def review() -> bytes:
    resource = {"group": "", "version": "v1", "resource": "pods"}
    request = {
        "uid": "u-1",
        "operation": "CREATE",
        "resource": resource,
        "namespace": "shop",
        "object": pod(),
    }
    return json.dumps(
        {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}
    ).encode()


def bare(certificate: str, key: str) -> None:
    """The reference: reads the review, answers with one operation."""
    patch = base64.b64encode(b'[{"op": "add", "path": "/metadata/labels/a", "value": "b"}]').decode()

    async def answer(request: web.Request) -> web.Response:
        uid = json.loads(await request.read())["request"]["uid"]
        response = {"uid": uid, "allowed": True, "patchType": "JSONPatch", "patch": patch}
        return web.json_response({"kind": "AdmissionReview", "response": response})

    async def run() -> None:
        app = web.Application()
        app.router.add_post("/", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        print(f"--listen listens on 127.0.0.1:{runner.addresses[0][1]}", file=sys.stderr, flush=True)
        await asyncio.Event().wait()

    asyncio.run(run())


def api_server() -> None:
    """As much of Kubernetes as it takes to know one profile."""
    profile = {"metadata": {"namespace": "shop", "name": "shop", "resourceVersion": "1"}, "spec": {}}

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.query.get("watch"):
            stream = web.StreamResponse()
            await stream.prepare(request)
            await asyncio.sleep(3600)
            return stream
        items = [profile] if request.path.endswith("memoryprofiles") else []
        return web.json_response({"metadata": {"resourceVersion": "1"}, "items": items})

    async def run() -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(f"--listen listens on 127.0.0.1:{runner.addresses[0][1]}", file=sys.stderr, flush=True)
        await asyncio.Event().wait()

    asyncio.run(run())


@dataclass
class Server:
    process: subprocess.Popen[bytes]
    port: int

    @classmethod
    def start(cls, folder: Path, name: str, command: list[str]) -> "Server":
        log = folder / f"{name}.log"
        with log.open("wb") as written:
            process = subprocess.Popen([sys.executable, *command], stderr=written)
        while process.poll() is None:
            if found := re.search(r"--listen listens on 127.0.0.1:(\d+)", log.read_text()):
                return cls(process, int(found[1]))
            time.sleep(0.05)
        raise SystemExit(f"{name} ended: {log.read_text()}")

    def memory(self) -> tuple[float, float]:
        """MiB resident: now, and at most so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return tuple(int(re.search(rf"{name}:\s+(\d+)", status)[1]) / 1024 for name in ("VmRSS", "VmHWM"))  # type: ignore[index,return-value]

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def ask(server: Server, url: str, bundle: str, seconds: float) -> tuple[list[float], float]:
    """How long each answer took, and the server's CPU time for one. Handshakes are done before."""
    body, taken = review(), list[float]()
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cadata=bundle), limit=AT_ONCE)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def one(end: float) -> None:
            while True:
                started = time.perf_counter()
                async with session.post(url, data=body) as answer:
                    text = await answer.read()
                    assert b'"patch"' in text, text
                taken.append(time.perf_counter() - started)
                if time.perf_counter() >= end:
                    return

        await asyncio.gather(*(one(0.0) for _ in range(AT_ONCE)))
        taken.clear()
        before, end = server.cpu_seconds(), time.perf_counter() + seconds
        await asyncio.gather(*(one(end) for _ in range(AT_ONCE)))
        return taken, (server.cpu_seconds() - before) / len(taken)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each round")
    given = parser.parse_args()
    if given.serve:
        role, certificate, key = given.serve
        api_server() if role == "api" else bare(certificate, key)
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        return measure(Path(temporary), given.seconds)


def measure(folder: Path, seconds: float) -> int:
    state = renewed(State(), ("localhost",), datetime.now(UTC))
    assert state.leaf is not None
    certificate, key = folder / "tls.crt", folder / "tls.key"
    certificate.write_text(state.leaf.certificate)
    key.write_text(state.leaf.key)
    files = [str(certificate), str(key)]
    api = Server.start(folder, "api", [__file__, "--serve", "api", *files])
    servers = {"bare": Server.start(folder, "bare", [__file__, "--serve", "bare", *files])}
    command = ["-m", "memwarden_operator", "injector", "--listen=127.0.0.1:0", "--health-listen=127.0.0.1:0"]
    command += [f"--tls-cert={certificate}", f"--tls-key={key}", f"--api-server=http://127.0.0.1:{api.port}"]
    command += ["--sidecar-image=s:1", "--collector=https://c:4318", "--drain=1ms"]
    command += [f"--collector-ca-file={certificate}"]
    servers["injector"] = Server.start(folder, "injector", command)
    try:
        time.sleep(2)  # the profile is known
        return report(servers, state.bundle(), seconds)
    finally:
        for server in (api, *servers.values()):
            server.process.terminate()
            server.process.wait()


def report(servers: dict[str, Server], bundle: str, seconds: float) -> int:
    idle = servers["injector"].memory()[0]
    rates: dict[str, list[float]] = {name: [] for name in servers}
    cpu: dict[str, list[float]] = {name: [] for name in servers}
    slow: dict[str, list[float]] = {name: [] for name in servers}
    for _ in range(ROUNDS):
        for name, server in servers.items():
            url = f"https://localhost:{server.port}{PATHS[name]}"
            taken, cpu_seconds = asyncio.run(ask(server, url, bundle, seconds))
            cpu[name].append(cpu_seconds)
            rates[name].append(len(taken) / seconds)
            slow[name].append(statistics.quantiles(taken, n=100)[98])
    print(
        f"{AT_ONCE} at once over TLS, a review of {len(review())} bytes, medians of {ROUNDS} rounds of {seconds:g} s"
    )
    print(f"{'':10} {'reviews/s':>10} {'p99 ms':>8} {'CPU µs a review':>16}")
    for name in servers:
        rate, p99 = statistics.median(rates[name]), 1000 * statistics.median(slow[name])
        print(f"{name:10} {rate:10.0f} {p99:8.1f} {1e6 * statistics.median(cpu[name]):16.0f}")
    ratio = statistics.median(rates["injector"]) / statistics.median(rates["bare"])
    by_cpu = statistics.median(cpu["injector"]) / statistics.median(cpu["bare"])
    now, most = servers["injector"].memory()
    print(f"ratio      {ratio:10.2f} of the bare server's rate; {by_cpu:.2f} times its CPU time a review")
    print(f"injector   {idle:.1f} MiB resident before, {now:.1f} after, {most:.1f} at most")
    found = {
        "reviews a second": statistics.median(rates["injector"]),
        "p99 ms": 1000 * statistics.median(slow["injector"]),
        "MiB": most,
    }
    for name, target in TARGETS.items():
        good = found[name] >= target if name == "reviews a second" else found[name] <= target
        print(f"target     {name}: {found[name]:.1f} of {target:g}: {'met' if good else 'MISSED'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
