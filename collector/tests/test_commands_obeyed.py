"""Commands all the way: a collector, a sidecar that fetches them, a program with the probe."""

import io
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from collector_processes import Collector

from memwarden_api import cluster, names
from memwarden_core.recording_file import read_recording

PROBE = Path(__file__).parents[2] / "probes" / "python"
POD = "k8s.namespace.name=shop,k8s.pod.name=web-1,k8s.pod.uid=3f2a-77,k8s.deployment.name=web"
PATIENCE = 120.0
APP = """
import time
kept = [bytearray(20_000) for _ in range(500)]
print("ready", flush=True)
while True:
    kept.append([str(number) for number in range(200)])
    del kept[500:]
    time.sleep(0.02)
"""


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what} was not met within {PATIENCE} s")


class Pod:
    """A sidecar for the containers `app` and `idle`, slow ticks and no profiles of its own; a program in `app`."""

    def __init__(self, folder: Path, url: str, *options: str) -> None:
        self.folder, self.log = folder / "run", folder / "sidecar.log"
        self.folder.mkdir()
        ready = folder / "ready"
        words = ["--listen", str(self.folder), "--containers", "app,idle", "--collector", url]
        words += ["--interval", "1", "--profile-interval", "3600", "--log-level", "debug"]
        with self.log.open("wb") as log:
            self.sidecar = subprocess.Popen(
                [sys.executable, "-m", "memwarden_sidecar", *words, "--ready-file", str(ready), *options],
                stdin=subprocess.DEVNULL,
                stderr=log,
                env=os.environ | {names.ENV_RESOURCE: POD},
            )
        wait_for(lambda: ready.exists() or self.sidecar.poll() is not None, "the ready file")
        self.app = subprocess.Popen(
            [sys.executable, "-c", APP],
            stdout=subprocess.PIPE,
            # A tracer in the app would be measured as the app.
            env={key: value for key, value in os.environ.items() if not key.startswith("COVERAGE")}
            | {
                names.ENV_SOCKET: str(self.folder / "app" / "probe.sock"),
                names.ENV_CONTAINER: "app",
                names.ENV_SAMPLING_BYTES: "65536",
                "PYTHONPATH": str(PROBE / "inject"),
            },
        )
        assert self.app.stdout is not None
        self.app.stdout.readline()

    def end(self) -> int:
        self.app.kill()
        self.app.wait()
        assert self.app.stdout is not None
        self.app.stdout.close()
        if self.sidecar.poll() is None:
            self.sidecar.send_signal(signal.SIGTERM)
        return self.sidecar.wait(60)  # it promises 5 s on a quiet machine


@pytest.fixture
def pod(tmp_path: Path, collector: Collector) -> Iterator[Pod]:
    if not list((PROBE / "lib").glob("memwarden_hook-*.so")):
        pytest.skip("the Python probe is not built: make setup")
    running = Pod(tmp_path, collector.url)
    try:
        yield running
    finally:
        code = running.end()
    assert code == 0, running.log.read_text()
    assert "a step failed" not in running.log.read_text(), running.log.read_text()


def order(collector: Collector, kind: str, **more: Any) -> cluster.Command:
    """Give it, and wait for its result."""
    body = {"pod_uid": "3f2a-77", "container": "app", "kind": kind} | more
    answer = collector.client.post("/api/v1/commands", json=body)
    assert answer.status_code == 201, answer.text
    url = f"/api/v1/commands/{answer.json()['id']}"

    def result() -> cluster.Command | None:
        now = cluster.Command.model_validate_json(collector.client.get(url).content)
        return now if now.result is not None else None

    found: cluster.Command = wait_for(result, f"the result of {kind}")
    assert found.result is not None
    return found


def scope_of(collector: Collector) -> str:
    scopes = wait_for(
        lambda: [
            one["scope"]
            for one in collector.client.get("/api/v1/scopes").json()["items"]
            if one["attributes"].get(names.K8S_CONTAINER) == "app"
        ],
        "a scope of the container",
    )
    return str(scopes[0])


def values(collector: Collector, scope: str, metric: str) -> list[float]:
    """Of the first series, the oldest first."""
    found = collector.client.get(f"/api/v1/scopes/{scope}/series", params={"metric": metric}).json()["items"]
    return list(found[0]["values"]) if found else []


def test_everything_that_can_be_asked_for(pod: Pod, collector: Collector) -> None:
    scope = scope_of(collector)

    def sampled() -> list[float]:
        """Bytes between two samples, as they changed."""
        return [average for average, _ in groupby(values(collector, scope, names.HEAP_SAMPLING_INTERVAL))]

    wait_for(lambda: sampled() == [65536], "the usual sampling")

    profiles = f"/api/v1/scopes/{scope}/profiles"
    before = len(collector.client.get(profiles).json()["items"])
    done = order(collector, "Profile")
    assert (done.state, done.result and done.result.message) == ("Done", "profiles of 1 processes")
    wait_for(
        lambda: len(collector.client.get(profiles).json()["items"]) > before, "the profile that was asked for"
    )

    done = order(collector, "Census", pid=pod.app.pid)
    assert (done.state, done.result and done.result.message) == ("Done", "1 of 1 processes answered")
    wait_for(lambda: values(collector, scope, names.OBJECTS_COUNT), "the census that was asked for")

    done = order(collector, "SetSampling", sampling_bytes=16384, expires_in_seconds=8)
    assert done.state == "Done", done
    wait_for(lambda: sampled() == [65536, 16384, 65536], "finer sampling, and the usual again")

    done = order(collector, "Flush")
    assert (done.state, done.result and done.result.message) == ("Done", "nothing waits")


@pytest.mark.system  # a whole pod once more
@pytest.mark.system  # dear: a sidecar and a program more
def test_evidence_of_a_real_program_is_what_its_lines_hold_now(pod: Pod, collector: Collector) -> None:
    scope = scope_of(collector)
    url = f"/api/v1/evidence/{uuid4()}"
    about = {
        "namespace": "shop",
        "pod": "web-1",
        "pod_uid": "3f2a-77",
        "container": "app",
        "keep_seconds": 600,
    }

    def over() -> dict[str, Any] | None:
        answer = collector.client.put(url, json=about)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found if found["state"] != "Capturing" else None

    done = wait_for(over, "the evidence")
    assert (done["state"], done["scope"]) == ("Done", scope), done
    recording = read_recording(io.BytesIO(collector.client.get(f"{url}/recording").content))
    newest = max(recording.profiles, key=lambda one: one.time)
    frames = {frame for stack in newest.stacks for frame in recording.stacks[stack]}
    assert "<string>" in {frame.file for frame in frames}, "the program is given to python -c"
    assert any(key.metric == names.OBJECTS_COUNT for key in recording.series)


def test_what_can_not_be_done_is_said(pod: Pod, collector: Collector) -> None:
    scope_of(collector)
    for more, why in (
        ({"kind": "Profile", "container": "none"}, "no container none is watched; app, idle are"),
        ({"kind": "Census", "container": "idle"}, "no program of container idle has said hello"),
        (
            {"kind": "Profile", "pid": 2**31 - 1},
            "process 2147483647 is none whose allocation sites are known",
        ),
        ({"kind": "SetSampling", "pid": 2**31 - 1, "sampling_bytes": 4096}, "process 2147483647 is none"),
    ):
        failed = order(collector, **{"kind": "Profile", **more})
        assert failed.state == "Failed"
        assert failed.result is not None
        assert re.search(why, failed.result.message), failed.result.message


@pytest.mark.system  # a whole pod once more
def test_a_sidecar_told_so_asks_for_nothing(tmp_path: Path, collector: Collector) -> None:
    running = Pod(tmp_path, collector.url, "--no-commands")
    try:
        scope_of(collector)
        assert "memwarden_collector_sidecars_waiting 0" in collector.client.get("/metrics").text
        tasks = Path(f"/proc/{running.sidecar.pid}/task")
        assert {(task / "comm").read_text().strip() for task in tasks.iterdir()}.isdisjoint(
            {"memwarden-comma"}
        )
        assert len(list(tasks.iterdir())) == 2  # the loop and the sender
    finally:
        assert running.end() == 0
