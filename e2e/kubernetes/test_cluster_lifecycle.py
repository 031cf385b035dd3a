"""The local cluster comes up from any state, and goes without a trace.

These have a cluster of their own beside the session's.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cluster import Cluster, Settings, choose
from cluster.local.way import LocalCluster
from cluster.testing.waiting import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

# With all binaries there; the bound of the promise is 15 s on a quiet machine.
PATIENCE_SECONDS = 60


@pytest.fixture
def own(cluster: Cluster, cluster_settings: Settings) -> Iterator[LocalCluster]:
    """A second local cluster, not up yet."""
    if not isinstance(cluster, LocalCluster):
        pytest.skip("only a local cluster is ours to kill")
    made = choose(replace(cluster_settings, via="local", name="memwarden-e2e-own"))
    assert isinstance(made, LocalCluster)
    made.down(print)
    yield made
    made.down(print)


def test_up_starts_again_what_was_killed_and_leaves_the_rest_alone(own: LocalCluster) -> None:
    own.up(print)
    untouched = own.node.process("kube-scheduler")
    for name in ("etcd", "kubelet", "containerd"):
        os.kill(own.node.process(name), signal.SIGKILL)
    eventually("the end of etcd", lambda: not own.status().up)

    own.up(print)

    assert own.status().up
    assert own.node.process("kube-scheduler") == untouched


def test_up_makes_a_new_node_where_the_whole_node_was_killed(own: LocalCluster) -> None:
    own.up(print)
    holder = own.node.find()
    assert holder
    os.kill(holder, signal.SIGKILL)
    eventually("the end of the node", lambda: own.node.find() is None)

    own.up(print)

    assert own.status().up


@pytest.mark.parametrize("seconds", [0.3, 1.0, 2.5, 5.0])
def test_up_finishes_what_a_killed_up_has_begun(own: LocalCluster, seconds: float) -> None:
    environment = {
        **os.environ,
        "MEMWARDEN_E2E_NAME": own.settings.name,
        "PYTHONPATH": str(Path(__file__).parent.parent),
    }
    begun = subprocess.Popen([sys.executable, "-m", "cluster", "--via", "local", "up"], env=environment)
    time.sleep(seconds)
    begun.kill()
    begun.wait()

    own.up(print)

    assert own.status().up


def test_down_leaves_nothing(own: LocalCluster) -> None:
    # Its own earlier remains would not be seen by comparing.
    before = traces()
    assert own.settings.name not in str(before)
    own.up(print)
    assert own.node.leftovers()

    own.down(print)

    assert own.node.leftovers() == []
    assert not own.node.state.exists()
    assert traces() == before


def test_a_second_up_changes_nothing(own: LocalCluster) -> None:
    own.up(print)
    there = {
        name: own.node.process(name)
        for name in ("etcd", "containerd", "kube-apiserver", "kubelet", "kube-proxy", "coredns")
    }
    said: list[str] = []

    own.up(said.append)

    assert {name: own.node.process(name) for name in there} == there
    assert len(said) == 1


def traces() -> dict[str, object]:
    """What a cluster could leave on the machine."""
    return {
        "mounts": sorted(line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()),
        "namespaces": sorted(os.listdir("/run/netns")),
        "cgroups": sorted(str(path) for path in Path("/sys/fs/cgroup").glob("*/*") if path.is_dir()),
        "interfaces": sorted(os.listdir("/sys/class/net")),
        "folders": sorted(
            folder
            for folder in (
                "/var/lib/kubelet",
                "/var/lib/etcd/member",
                "/var/lib/cni",
                "/var/log/pods",
                "/run/containerd",
            )
            if Path(folder).exists()
        ),
    }
