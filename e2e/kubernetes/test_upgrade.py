"""From an earlier commit's charts and images to these: what was measured and said stays, pods of before report on."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import pytest
from cluster.testing.waiting import eventually
from earlier import COMMIT, Earlier, is_known
from injected_pods import LEAK, ROOM, Pods, spec
from installation import NAMESPACE, WAIT_SECONDS, Installation
from reader import Reader
from release import Release

from memwarden_api import names

if TYPE_CHECKING:
    from cluster import Cluster
    from cluster.settings import Settings
    from cluster.testing.namespace import Namespace

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(7200)]

MANIFESTS = Path(__file__).parent / "manifests"
VERDICT_SECONDS = 1200.0
URL = """
apiVersion: v1
kind: Secret
metadata: {name: own-database}
stringData: {url: "postgresql://postgres:$password@database.$namespace.svc:5432/postgres"}
"""
OWN_DATABASE = {"existingSecret": "own-database", "trial": {"enabled": False}}


@pytest.fixture
def before(
    release: Installation,
    cluster: "Cluster",
    cluster_settings: "Settings",
    outside: Callable[[], AbstractContextManager[None]],
) -> Iterator[Installation]:
    """The earlier commit's installation, not there yet; afterwards the release is this commit's again, if it was."""
    if not is_known():
        pytest.skip(f"needs the commit {COMMIT}, and this clone's history has it not")
    if cluster_settings.registry is not None:
        pytest.skip("the earlier commit's images can't be loaded into a cluster that was given")
    earlier = Earlier(cluster_settings)
    with outside():
        references = earlier.provide(cluster)
    was_there = release.is_there()
    kubectl = [*cluster.kubectl, "--namespace", NAMESPACE]
    remove_all(release, kubectl)
    known = {**references, "postgresql-17": release.image("postgresql-17")}
    parts = tuple(name.removeprefix("memwarden-") for name in references)
    yield replace(release, charts=earlier.charts, images=parts, image=known.__getitem__)
    remove_all(release, kubectl)
    subprocess.run([*kubectl, "delete", "secret", "own-database", "--ignore-not-found"], check=True)
    if was_there:
        release.install()


def remove_all(release: Installation, kubectl: list[str]) -> None:
    """The kinds too: those of the earlier commit must not find any of today's."""
    release.remove_all()
    listed = subprocess.run(
        [*kubectl, "get", "crd", "--output=name"], capture_output=True, text=True, check=True
    ).stdout.split()
    ours = [one for one in listed if one.endswith(f".{names.GROUP}")]
    if ours:
        subprocess.run([*kubectl, "delete", *ours, "--timeout=120s"], check=True)


def test_an_upgrade_keeps_what_was_measured_and_said_and_the_pods_of_before_report_on(
    before: Installation, release: Installation, namespace: "Namespace", image: Callable[[str], str]
) -> None:
    password = token_hex(8)
    database = (MANIFESTS / "database.yaml").read_text()
    namespace.apply(database, database_image=image("postgresql-17"), token="", password=password)
    namespace.wait_ready("database")
    before.prepare()
    system = replace(namespace, name=NAMESPACE)
    system.apply(URL, password=password, namespace=namespace.name)
    before.install(database=OWN_DATABASE)

    pods = Pods(namespace, image("python-3.11"), sampling={"interval": "1s"})
    pods.injectable()
    pods.make(spec(pods.image, "python3", f"/apps/{LEAK}.py", resources=ROOM))
    (pod,) = namespace.wait_ready("one")
    reader = Reader(namespace, Release(system))
    told = eventually("the verdict by the earlier commit", pods.leaking, VERDICT_SECONDS)
    old_moments, old_judgements = reader.moments(), reader.judgements()
    old_status = pods.status()

    release.install(database=OWN_DATABASE)

    def went_on() -> bool:
        moments, judgements = reader.moments(), reader.judgements()
        assert set(old_moments) <= set(moments), "what was measured before is gone"
        assert set(old_judgements) <= set(judgements), "what was said before is gone"
        assert moments[-1] > old_moments[-1] + 60, "no samples of the old sidecar by the new collector"
        assert judgements[-1].at > old_judgements[-1].at + 60, "the new collector has not judged"
        return True

    eventually("measuring and judging to go on", went_on, WAIT_SECONDS)
    assert {one.verdict for one in reader.judgements() if one.at > old_judgements[-1].at} == {"Leaking"}
    after = pods.leaking()
    assert {key: after[key] for key in ("name", "leak", "site")} == {
        key: told[key] for key in ("name", "leak", "site")
    }
    # The collector is never away for long: the old one goes once the new one is ready.
    assert since(pods.status(), "LeakFree") == since(old_status, "LeakFree"), "the status began anew"
    pods.unharmed(pod)

    pods.make(spec(pods.image), "two")
    (new,) = namespace.wait_ready("two")
    done = [one["metadata"]["annotations"][names.INJECTION] for one in (pod, new)]
    assert done[0] != done[1], "what is new gets what is of today"

    def both_report() -> bool:
        coverage = pods.status()["coverage"]
        assert {"matched": 2, "injected": 2, "reporting": 2}.items() <= coverage.items(), coverage
        return True

    eventually("the pod of before and the new one to report", both_report, WAIT_SECONDS)


def since(status: dict[str, Any], kind: str) -> tuple[str, str]:
    (found,) = [one for one in status["conditions"] if one["type"] == kind]
    return found["status"], found["lastTransitionTime"]
