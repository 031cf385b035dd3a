"""The test cluster's network is as in a real one: Services, names, ports for tests, and it can be cut."""

import urllib.request
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from cluster.testing.waiting import eventually

if TYPE_CHECKING:
    from cluster import Cluster
    from cluster.testing.namespace import Namespace

pytestmark = pytest.mark.cluster

SERVER_AND_CLIENT = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8000}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: web
      image: $image
      command: [python3, -m, http.server, "8000", --directory, /etc]
      readinessProbe: {httpGet: {port: 8000, path: /hostname}, periodSeconds: 1}
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: client
      image: $image
      command: [sleep, "3600"]
"""

GET = """
import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1], timeout=2).read().decode(), end="")
"""


@pytest.fixture
def pair(namespace: "Namespace", image: Callable[[str], str]) -> "Namespace":
    """A web server with a Service, and a pod to ask it from."""
    namespace.apply(SERVER_AND_CLIENT, image=image("python-3.11"))
    namespace.wait_ready("web", "client")
    return namespace


def reached(namespace: "Namespace", host: str) -> bool:
    return namespace.execute("client", "python3", "-c", GET, f"http://{host}/hostname").stdout == "web\n"


@pytest.mark.smoke
def test_a_pod_reaches_a_service_by_its_name(pair: "Namespace") -> None:
    for host in ("web", f"web.{pair.name}", f"web.{pair.name}.svc.cluster.local"):
        eventually(f"an answer of {host}", lambda host=host: reached(pair, host))


def test_tests_reach_a_port_of_a_service(pair: "Namespace") -> None:
    with (
        pair.forwarded("svc/web", 80) as (host, port),
        urllib.request.urlopen(f"http://{host}:{port}/hostname") as answer,
    ):
        assert answer.read() == b"web\n"


def test_traffic_to_a_pod_can_be_cut_and_comes_back(cluster: "Cluster", pair: "Namespace") -> None:
    from cluster.testing.network import traffic_cut

    if cluster.network is None:
        pytest.skip("only the network of a local cluster can be cut by tests")
    eventually("an answer before the cut", lambda: reached(pair, "web"))

    with traffic_cut(cluster, pair.read("Pod", "web")["status"]["podIP"]):
        assert not reached(pair, "web")

    eventually("an answer after the cut", lambda: reached(pair, "web"))
