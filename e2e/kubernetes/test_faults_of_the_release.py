"""Whatever is wrong with the rest of Memwarden: apps run on, it is told, and what was measured meanwhile arrives."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from cluster.local.way import LocalCluster
from cluster.testing.network import reached_only_by, traffic_cut
from cluster.testing.waiting import eventually
from harness import line_of
from injected_pods import LEAK, LEAKING_LINE, ROOM, SAYS, Pods, spec
from installation import NAMESPACE, WAIT_SECONDS, Installation
from reader import Reader
from release import Release
from under_load import asked_all_the_time

if TYPE_CHECKING:
    from cluster import Cluster
    from cluster.testing.namespace import Namespace

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(3600)]

OUTAGE_SECONDS = 60.0
GAP_SECONDS = OUTAGE_SECONDS / 2
"""Samples are a second apart on a quiet machine. What an outage has cost would leave a gap of all its length."""
VERDICT_SECONDS = 1200.0
HTTP_PORT = 4318
BEGINS = "/tmp/begins"
LEAK_ONCE_TOLD = (
    f"{SAYS}; import os, runpy, time\nwhile not os.path.exists('{BEGINS}'): time.sleep(0.1)\n"
    f"runpy.run_path('/apps/{LEAK}.py', run_name='__main__')"
)
DENIED = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: nobody-goes-out}
spec: {podSelector: {}, policyTypes: [Egress], egress: []}
"""


@pytest.fixture
def local(cluster: "Cluster") -> LocalCluster:
    if not isinstance(cluster, LocalCluster):
        pytest.skip("only the network and the programs of a local cluster are ours to stop")
    return cluster


@pytest.fixture
def release_parts(system: "Namespace") -> Release:
    return Release(system)


@contextmanager
def stopped(cluster: LocalCluster, program: str) -> Iterator[None]:
    """A program of the node answers nobody, and is not known to be gone."""
    process = cluster.node.process(program)
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


@pytest.fixture
def sampled_finely(watched: "Namespace", image: Callable[[str], str]) -> Pods:
    """Pods of which there is a sample a second, so that the judge needs minutes."""
    made = Pods(watched, image("python-3.11"), sampling={"interval": "1s"})
    made.injectable()
    return made


def test_outages_of_collector_database_and_api_server_harm_no_app_leave_no_gap_and_hide_no_leak(
    local: LocalCluster, sampled_finely: Pods, release_parts: Release
) -> None:
    pods = sampled_finely
    reader = Reader(pods.namespace, release_parts)
    pods.make(spec(pods.image, "python3", "-c", LEAK_ONCE_TOLD, resources=ROOM))
    (pod,) = pods.namespace.wait_ready("one")
    eventually("the first samples", lambda: len(reader.moments()) >= 3, WAIT_SECONDS)
    (database,) = release_parts.addresses("database")
    outages: dict[str, AbstractContextManager[None]] = {
        "collector": release_parts.away("collector"),
        "database": traffic_cut(local, database),
        "API server": stopped(local, "kube-apiserver"),
    }
    began = time.time()
    for name, outage in outages.items():
        with outage:
            if name == "collector":
                pods.namespace.execute("one", "touch", BEGINS)
            time.sleep(OUTAGE_SECONDS)
        over = time.time()

        def closed(over: float = over) -> bool:
            moments = [moment for moment in reader.moments() if moment >= began - GAP_SECONDS]
            assert moments[-1] > over, "nothing since the outage"
            gaps = [later - earlier for earlier, later in pairwise(moments)]
            assert max(gaps) < GAP_SECONDS, sorted(gaps)[-3:]
            return True

        def judged(over: float = over) -> bool:
            last = max(entry.at for entry in reader.judgements())
            assert last > over, f"{over - last:.0f} s before its end"
            return True

        eventually(f"the gap of the {name} to be closed", closed, WAIT_SECONDS)
        eventually(f"a judgement after the {name} is back", judged, WAIT_SECONDS)

    told = eventually("the leak that began while the collector was away", pods.leaking, VERDICT_SECONDS)
    assert told["site"].endswith(f"{LEAK}.py:{line_of(LEAK, LEAKING_LINE)}"), told
    pods.unharmed(pod)
    # The API server's outage is none of theirs either.
    for part in ("injector", "controller"):
        release_parts.wait_ready(part)
    assert pods.tried()[0]


def test_the_collectors_certificate_rotated_under_load(sampled_finely: Pods, release_parts: Release) -> None:
    pods = sampled_finely
    reader = Reader(pods.namespace, release_parts)
    pods.make(spec(pods.image))
    (pod,) = pods.namespace.wait_ready("one")
    eventually("the first samples", lambda: len(reader.moments()) >= 3, WAIT_SECONDS)
    before = release_parts.secret("collector-tls", "tls.crt")
    release_parts.wait_served("collector", HTTP_PORT)
    began = time.time()
    # Each question is a connection of its own, checked against the authority.
    with asked_all_the_time(lambda: bool(reader.moments())) as answered:
        release_parts.put_certificate("collector", days=5)  # due: the writer makes another
        release_parts.renew_certificates()
        assert release_parts.secret("collector-tls", "tls.crt") != before
        release_parts.sync("collector")
        release_parts.wait_served("collector", HTTP_PORT)
        rotated, at_rotation = time.time(), len(answered)
        eventually("answers after it", lambda: len(answered) >= at_rotation + 10, WAIT_SECONDS)
    assert set(answered) == {True}, f"{answered.count(False)} of {len(answered)} were not answered"

    def went_on() -> bool:
        moments = [moment for moment in reader.moments() if moment >= began]
        assert moments[-1] > rotated + GAP_SECONDS, "nothing since the rotation"
        gaps = [later - earlier for earlier, later in pairwise(moments)]
        assert max(gaps) < GAP_SECONDS, sorted(gaps)[-3:]
        return True

    eventually("what the sidecar sends over the new one", went_on, WAIT_SECONDS)
    pods.unharmed(pod)


def condition(pods: Pods, kind: str) -> dict[str, Any]:
    status = pods.status()
    found = [one for one in status.get("conditions") or () if one["type"] == kind]
    assert found, status
    return found[0]


def test_denied_egress_is_named_with_the_policy_that_mends_it(
    local: LocalCluster, pods: Pods, release_parts: Release
) -> None:
    (collector,), (controller,) = (release_parts.addresses(part) for part in ("collector", "controller"))
    pods.namespace.apply(DENIED)
    # The cluster's own network obeys no policy: what this one would do is done by hand.
    with reached_only_by(local, collector, 4318, controller):
        pods.make(spec(pods.image))
        assert pods.said("one").startswith("hooked ")

        def named() -> dict[str, Any]:
            told = condition(pods, "Collecting")
            assert (told["status"], told["reason"]) == ("False", "NoSidecarReached"), told
            return told

        message = eventually("the condition", named, WAIT_SECONDS)["message"]
        assert "nobody-goes-out" in message
        assert f"kubernetes.io/metadata.name: {NAMESPACE}" in message.replace('"', "")
        assert condition(pods, "Ready")["reason"] == "NoSidecarReached"
    eventually("data", lambda: condition(pods, "Collecting")["status"] == "True", WAIT_SECONDS)


def test_an_image_of_ours_that_is_nowhere_leaves_the_app_running_without_us(
    installed: Installation, pods: Pods, release_parts: Release
) -> None:
    images = installed.values()["images"]
    images["sidecar"]["tag"] = "not-there"
    installed.install(images=images)
    try:
        release_parts.wait_ready("injector")
        pods.deploy("web", spec(pods.image))

        def told() -> dict[str, Any]:
            status = pods.status()
            stopped = {one["workload"]: one for one in status.get("injectionStopped") or ()}
            assert "Deployment/web" in stopped, status
            return stopped["Deployment/web"]

        entry = eventually("the breaker", told, WAIT_SECONDS)
        assert entry["reason"] == "ImageNotPulled"
        assert "memwarden-sidecar" in entry["message"]

        def runs_without_us() -> bool:
            (pod,) = pods.namespace.pods("app=web")
            assert "memwarden.dev/injected" not in pod["metadata"]["labels"], pod["status"]
            return pods.said(pod["metadata"]["name"]).startswith("bare ")

        eventually("a pod without us", runs_without_us, WAIT_SECONDS)
        assert condition(pods, "Injected")["reason"] == "InjectionStoppedByBreaker"
    finally:
        installed.install()
        release_parts.wait_ready("injector")  # one that is going still answers with the name that is nowhere
