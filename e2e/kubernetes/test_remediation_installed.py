"""Remediation as it is installed: a release by its chart watches, judges, takes evidence and acts. No stand-in.

What forbids it, the breaker and requests meanwhile: test_remediation.py, where most is a stand-in and so much quicker.
"""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cluster.testing.waiting import eventually
from harness import line_of
from injected_pods import LEAK, LEAKING_LINE, Pods, spec
from installation import RELEASE
from reader import Reader
from release import Release
from remediated import BUDGET, PATIENCE, decided, ready, status, uids

from memwarden_api import names
from memwarden_api.scopes import is_scope_of_pod

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(3600)]

VERDICT_SECONDS = 1200.0
ROOM = {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "512Mi"}}
"""For a quarter of an hour of that leak: two minutes are needed."""
AHEAD = 16 * 2**20
"""Bytes: far more than what the same program takes now and then."""
ACT = '{"spec": {"remediation": {"mode": "Act"}}}'
"""All else is as it is by default: evidence is required, half an hour to cool down."""
MAY_READ_EVIDENCE = f"""
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: reads-evidence}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {RELEASE}-snapshots}}
subjects: [{{kind: ServiceAccount, name: reader, namespace: $namespace}}]
"""


@pytest.fixture
def leaking(may_act: None, system: "Namespace", watched: "Namespace", image: Callable[[str], str]) -> Pods:
    """A Deployment of three that leak, one of them for longer than the others, with a sample of each a second."""
    pods = Pods(watched, image("python-3.11"), sampling={"interval": "1s"})
    pods.injectable()
    pods.deploy("web", spec(pods.image, "python3", f"/apps/{LEAK}.py", resources=ROOM))
    watched.apply(BUDGET, unavailable=1)
    ready(watched, "web", 1)
    reader = Reader(watched, Release(system))
    eventually("it to be ahead of the others", lambda: reader.grown() > AHEAD, VERDICT_SECONDS)
    kubectl(watched, "scale", "deployment", "web", "--replicas=3")
    return pods


def kubectl(namespace: "Namespace", *words: str) -> None:
    subprocess.run([*namespace.cluster.kubectl, "--namespace", namespace.name, *words], check=True)


def test_a_release_sends_a_pod_of_its_own_away_with_evidence_of_its_own_sidecar(
    leaking: Pods, system: "Namespace", tmp_path: Path
) -> None:
    namespace, release = leaking.namespace, Release(system)
    reader = Reader(namespace, release)
    before = ready(namespace, "web", 3)
    oldest, *younger = sorted(before, key=lambda one: str(one["metadata"]["creationTimestamp"]))
    began = time.monotonic()
    eventually("all three to leak", lambda: all_leak(reader, namespace, before), VERDICT_SECONDS)
    assert uids(ready(namespace, "web", 3)) == uids(before), "nobody has allowed it yet"

    with release.away("injector"):
        kubectl(namespace, "patch", "memprof", "shop", "--type=merge", f"--patch={ACT}")
        decided(namespace, "Deployment/web", "Refused", names.REFUSED_INJECTOR)
        assert uids(ready(namespace, "web", 3)) == uids(before), "what came instead would not be watched"

    judged = time.monotonic()
    told = decided(namespace, "Deployment/web", "Done")
    gone = time.monotonic()
    print(f"{judged - began:.1f} s to the verdicts, {gone - judged:.1f} s from there to the eviction")
    assert told["pod"] == oldest["metadata"]["name"], "the one nearest to its limit"
    after = ready(namespace, "web", 3)
    assert uids(before) - uids(after) == uids([oldest])
    (fresh,) = [one for one in after if one["metadata"]["uid"] not in uids(before)]
    is_watched(namespace, reader, fresh)

    # The two others leak on: they are left alone for as long as it cools down.
    decided(namespace, "Deployment/web", "Refused", names.REFUSED_COOLDOWN)
    assert uids(ready(namespace, "web", 3)) == uids(after)
    assert [one["result"] for one in status(namespace)["remediations"]].count("Done") == 1

    eventually("it to be told", lambda: is_told(reader, namespace, told["evidence"]["path"]), PATIENCE)
    snapshot = namespace.read("HeapSnapshot", told["evidence"]["snapshot"], names.API_VERSION)["status"]
    assert (snapshot["phase"], snapshot["reason"]) == ("Done", names.CAPTURED)
    assert snapshot["pod"] in {one["metadata"]["name"] for one in younger}
    assert snapshot["path"] == told["evidence"]["path"]
    namespace.apply(MAY_READ_EVIDENCE, namespace=namespace.name)
    content = eventually("the evidence", lambda: reader.get(snapshot["path"]).content, PATIENCE)
    assert hashlib.sha256(content).hexdigest() == snapshot["sha256"]
    site = reported(content, tmp_path)["sites"][0]
    assert f"{site['file']}:{site['line']}".endswith(f"{LEAK}.py:{line_of(LEAK, LEAKING_LINE)}"), site


def all_leak(reader: Reader, namespace: "Namespace", pods: list[dict[str, Any]]) -> bool:
    found = [
        scope
        for workload in reader.ask(f"/workloads?namespace={namespace.name}")
        for scope in workload["scopes"]
    ]
    said = {scope["pod_uid"]: scope["verdict"] for scope in found}
    assert {said.get(uid) for uid in uids(pods)} == {"Leaking"}, said
    return True


def is_watched(namespace: "Namespace", reader: Reader, pod: dict[str, Any]) -> None:
    """The injector has had it, and its sidecar tells of it."""
    assert pod["metadata"]["labels"][names.INJECTED] == "shop"
    assert "memwarden" in [container["name"] for container in pod["spec"]["initContainers"]]
    of = namespace.name, pod["metadata"]["name"], pod["metadata"]["uid"]

    def heard() -> bool:
        scopes = [one["scope"] for one in reader.ask(f"/scopes?namespace={namespace.name}")]
        return any(is_scope_of_pod(scope, *of) for scope in scopes)

    eventually("something to be heard of the pod that came instead", heard, PATIENCE)


def is_told(reader: Reader, namespace: "Namespace", recording: str) -> bool:
    """By an event of the workload, and by the collector, which keeps decisions for longer than the status."""
    of_web = f"involvedObject.name=web,reason={names.EVENT_REMEDIATION}"
    events = namespace.core.list_namespaced_event(namespace.name, field_selector=of_web).items
    assert any("evicted" in one.message for one in events), [one.message for one in events]
    kept = reader.ask(f"/decisions?namespace={namespace.name}")
    assert ("Done", recording) in {(one["result"], one["recording"]) for one in kept}, kept
    return True


def reported(content: bytes, folder: Path) -> dict[str, Any]:
    """What `memwarden report` says of the recording."""
    recording, report = folder / "web.recording", folder / "report.json"
    recording.write_bytes(content)
    command = [sys.executable, "-m", "memwarden", "report", str(recording), "--output", str(report)]
    subprocess.run(command, check=True, timeout=300)
    (verdict,) = json.loads(report.read_text())["verdicts"]
    found: dict[str, Any] = verdict
    return found
