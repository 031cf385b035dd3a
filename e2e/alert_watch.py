"""What MemoryAlertPolicies are tested with: the real collector, Debian's Prometheus and Alertmanager, our controller.

All are processes beside the cluster; the controller is a service account with the rights of rights.py.
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import yaml
from controller_process import Controller, account
from kinds_served import served
from monitoring import Server, alertmanager, prometheus, write_alertmanager

from memwarden_api import names
from memwarden_operator.controller.rights import ALERT_FILES, ALERTS, cluster_role

sys.path.insert(0, str(Path(__file__).parents[1] / "collector" / "tests"))

from collector_processes import Collector
from collector_processes import Server as Postgres
from fleets import Fleet, leak

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace
    from kubernetes.client import ApiClient

PATIENCE = 240.0
LEAKS = "{name: leaks, verdict: Leaking, severity: Critical, for: 0s}"
GROWS = "{name: grows, growthAbove: 1Mi, severity: Info, for: 0s}"
POLICY = """
apiVersion: memwarden.dev/v1alpha1
kind: MemoryAlertPolicy
metadata: {name: shop}
spec:
  rules: [$rules]
  receivers: [$receivers]
  grouping: {wait: 5s, interval: 5s, repeat: 1m}
"""


@dataclass(frozen=True)
class Watch:
    """What stands beside the cluster."""

    folder: Path
    fleet: Fleet
    collector: Collector
    alertmanager: Server
    prometheus: Server
    controller: Controller

    def deliver(self, namespace: "Namespace") -> None:
        """ConfigMaps of the policy to where they are read, and both told to read them."""
        found = {one.metadata.name: one.data for one in config_maps(namespace)}
        rules = found["memwarden-shop-rules"]["rules.yaml"]
        (self.folder / "rules" / "shop.yaml").write_text(rules)
        write_alertmanager(self.folder, yaml.safe_load(found["memwarden-shop-routes"]["routes.yaml"]))
        self.prometheus.reload()
        self.alertmanager.reload()

    def leak(self, namespace: "Namespace") -> None:
        """Deployment web of the namespace has leaked for some minutes, up to now."""
        self.fleet.now = float(int(time.time()))
        self.fleet.container(f"{namespace.name}/web", leak(220), **{names.K8S_NAMESPACE: namespace.name})

    def alerts(self, namespace: "Namespace") -> list[dict[str, Any]]:
        answer = self.collector.client.get("/api/v1/alerts", params={"namespace": namespace.name})
        items: list[dict[str, Any]] = answer.json()["items"]
        return items


@contextmanager
def watching(api: "ApiClient", tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    """All of it, with our kinds, for as long as somebody looks."""
    folder = tmp_path_factory.mktemp("alerts")
    database = Postgres(tmp_path_factory.mktemp("mwa"))
    database.start()
    fleet = Fleet(database.url())
    # Samples come once: whoever looks a while later still sees a container that lives.
    options = ("--judge-min-seconds", "1", "--ended-after-seconds", "3600")
    collector = Collector(folder, database.url(), *options)
    manager = alertmanager(folder)
    monitor = prometheus(folder, manager.address, urlsplit(collector.url).netloc)
    rights = [*cluster_role()["rules"], *(rule.document() for rule in (*ALERTS, *ALERT_FILES))]
    try:
        manager.start()
        monitor.start()
        with served(api), account(api, "memwarden-test-alerts", rights, folder) as file:
            asked = ("--prometheus-url", monitor.url, "--alertmanager-url", manager.url)
            labels = ("--alert-labels", "release=monitoring", "--alert-patience-seconds", "20")
            controller = Controller(folder, file, collector.url, *asked, *labels)
            controller.wait_ready()
            yield Watch(folder, fleet, collector, manager, monitor, controller)
            assert controller.stop() == 0, controller.log.read_text()
            assert "Traceback" not in controller.log.read_text(), controller.log.read_text()
    finally:
        monitor.stop()
        manager.stop()
        collector.kill()
        fleet.close()
        database.stop()


def config_maps(namespace: "Namespace") -> list[Any]:
    found: list[Any] = namespace.core.list_namespaced_config_map(
        namespace.name, label_selector=names.ALERTS
    ).items
    return found


def accepted(namespace: "Namespace", wanted: str, told: str = "") -> dict[str, Any]:
    """The policy, once its status says so."""

    def so(policy: dict[str, Any]) -> bool:
        status = policy.get("status") or {}
        return status.get("accepted") == wanted and told in json.dumps(status)

    return namespace.wait("MemoryAlertPolicy", "shop", so, names.API_VERSION, PATIENCE)


def remove(namespace: "Namespace") -> None:
    kind = namespace.resources.resources.get(api_version=names.API_VERSION, kind="MemoryAlertPolicy")
    kind.delete(name="shop", namespace=namespace.name)
