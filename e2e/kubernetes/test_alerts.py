"""MemoryAlertPolicy at a real API server, with the real collector, Debian's Prometheus and Debian's Alertmanager.

All but the API server are processes beside the cluster; the controller is a service account with the rights of
rights.py. Without the Prometheus operator the test does what its owner's sidecar does: it puts the files of ConfigMaps
where they are read.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import yaml
from cluster.testing.waiting import eventually
from controller_process import Controller, account
from kinds_served import served
from monitoring import Server, alertmanager, prometheus, receiver, write_alertmanager

from memwarden_api import names
from memwarden_operator.controller.rights import ALERT_FILES, ALERTS, cluster_role

sys.path.insert(0, str(Path(__file__).parents[2] / "collector" / "tests"))

from collector_processes import Collector
from collector_processes import Server as Postgres
from fleets import Fleet, leak

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace
    from kubernetes.client import ApiClient

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1200)]

OPERATOR = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
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

    def alerts(self, namespace: "Namespace") -> list[dict[str, Any]]:
        answer = self.collector.client.get("/api/v1/alerts", params={"namespace": namespace.name})
        items: list[dict[str, Any]] = answer.json()["items"]
        return items


@pytest.fixture(scope="module")
def watch(kubernetes_api: "ApiClient", tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    folder = tmp_path_factory.mktemp("alerts")
    database = Postgres(tmp_path_factory.mktemp("mwa"))
    database.start()
    fleet = Fleet(database.url())
    collector = Collector(folder, database.url(), "--judge-min-seconds", "1")
    manager = alertmanager(folder)
    monitor = prometheus(folder, manager.address, urlsplit(collector.url).netloc)
    rights = [*cluster_role()["rules"], *(rule.document() for rule in (*ALERTS, *ALERT_FILES))]
    try:
        manager.start()
        monitor.start()
        with served(kubernetes_api), account(kubernetes_api, "memwarden-test-alerts", rights, folder) as file:
            options = ("--prometheus-url", monitor.url, "--alertmanager-url", manager.url)
            labels = ("--alert-labels", "release=monitoring", "--alert-patience-seconds", "20")
            controller = Controller(folder, file, collector.url, *options, *labels)
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


def test_a_leak_fires_is_grouped_kept_back_delivered_and_stands_in_the_history(
    watch: Watch, namespace: "Namespace"
) -> None:
    with receiver() as (url, messages):
        told = f"{{name: team, webhook: {{url: '{url}'}}}}"
        history = f"{{name: history, webhook: {{url: '{watch.collector.url}/api/v1/alerts'}}}}"
        namespace.apply(POLICY, rules=f"{LEAKS}, {GROWS}", receivers=f"{told}, {history}")
        eventually("the ConfigMaps", lambda: len(config_maps(namespace)) == 2, PATIENCE)
        assert {one.metadata.labels["release"] for one in config_maps(namespace)} == {"monitoring"}
        accepted(namespace, "No", names.REASON_NOT_LOADED)  # nobody has given them to Prometheus
        watch.deliver(namespace)
        accepted(namespace, "Yes")

        watch.fleet.container("leaking", leak(220), **{names.K8S_NAMESPACE: namespace.name})

        def delivered() -> dict[str, Any]:
            assert messages, watch.prometheus.log.read_text()[-2000:]
            return messages[0]

        message = eventually("the message", delivered, PATIENCE)
        assert message["receiver"] == f"{namespace.name}/memwarden-shop/team"
        assert message["groupLabels"] == {"namespace": namespace.name, "workload": "web"}
        assert [one["labels"]["alertname"] for one in message["alerts"]] == ["MemwardenLeaking"]
        [alert] = message["alerts"]
        assert "Deployment web, container app" in alert["annotations"]["summary"]

        def kept() -> dict[str, Any]:
            [entry] = watch.alerts(namespace)
            return entry

        entry = eventually("the history", kept, PATIENCE)
        assert entry["fingerprint"] == alert["fingerprint"]
        assert entry["receivers"] == [f"{namespace.name}/memwarden-shop/history"]
        assert (entry["status"], entry["labels"]["severity"]) == ("firing", "critical")

    remove(namespace)
    eventually("the ConfigMaps to be gone", lambda: not config_maps(namespace), PATIENCE)


def test_a_policy_that_prometheus_can_t_evaluate_says_so(watch: Watch, namespace: "Namespace") -> None:
    namespace.apply(POLICY, rules=LEAKS, receivers="{name: own, existing: {name: no-such-receiver}}")
    eventually("the ConfigMaps", lambda: len(config_maps(namespace)) == 2, PATIENCE)
    policy = accepted(namespace, "No", names.REASON_NO_SUCH_RECEIVER)
    assert "no receiver no-such-receiver" in json.dumps(policy["status"])


@pytest.fixture
def operator_kinds(kubectl: Callable[..., str], tmp_path: Path) -> Iterator[None]:
    """The kinds of the Prometheus operator, from its Go module."""
    found = subprocess.run(
        ["go", "mod", "download", "-json", OPERATOR], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    folder = Path(json.loads(found.stdout)["Dir"]) / "example" / "prometheus-operator-crd"
    kinds = ("prometheusrules", "alertmanagerconfigs", "prometheuses", "alertmanagers")
    definitions = [f"crd/{kind}.monitoring.coreos.com" for kind in kinds]
    try:
        for kind in kinds:
            kubectl("create", f"--filename={folder / f'monitoring.coreos.com_{kind}.yaml'}")
        kubectl("wait", "--for=condition=Established", "--timeout=120s", *definitions)
        yield
    finally:
        kubectl("delete", "--ignore-not-found", *definitions)


def test_with_the_operator_s_kinds_those_are_made_and_a_selector_that_does_not_match_is_told(
    watch: Watch, namespace: "Namespace", operator_kinds: None, kubectl: Callable[..., str]
) -> None:
    prometheus_kind = """{apiVersion: monitoring.coreos.com/v1, kind: Prometheus, metadata: {name: k8s},
      spec: {ruleNamespaceSelector: {}, ruleSelector: {matchLabels: {release: $release}}}}"""
    apply = kubectl("apply", "--filename=-", text=prometheus_kind.replace("$release", "other"))
    assert "created" in apply
    namespace.apply(
        POLICY, rules=f"{LEAKS}, {GROWS}", receivers="{name: t, webhook: {url: 'http://localhost/'}}"
    )
    policy = accepted(namespace, "No", names.REASON_NOT_SELECTED)
    assert "asks for release=other" in policy["status"]["message"], policy["status"]
    assert "release=monitoring" in policy["status"]["message"]
    kinds = {(one["kind"], one["name"]) for one in policy["status"]["generated"]}
    assert kinds == {("PrometheusRule", "memwarden-shop"), ("AlertmanagerConfig", "memwarden-shop")}
    listed = kubectl("get", "prometheusrules,alertmanagerconfigs", "--output=name").split()
    assert sorted(listed) == [
        "alertmanagerconfig.monitoring.coreos.com/memwarden-shop",
        "prometheusrule.monitoring.coreos.com/memwarden-shop",
    ]
    assert config_maps(namespace) == []
    kubectl("apply", "--filename=-", text=prometheus_kind.replace("$release", "monitoring"))
    namespace.wait(
        "MemoryAlertPolicy",
        "shop",
        lambda one: names.REASON_NOT_SELECTED not in json.dumps(one["status"]),
        names.API_VERSION,
        PATIENCE,
    )
    remove(namespace)
    eventually(
        "the objects to be gone",
        lambda: kubectl("get", "prometheusrules,alertmanagerconfigs", "--output=name").strip() == "",
        PATIENCE,
    )


@pytest.fixture
def kubectl(namespace: "Namespace") -> Callable[..., str]:
    def run(*words: str, text: str | None = None) -> str:
        command = [*namespace.cluster.kubectl, "--namespace", namespace.name, *words]
        ended = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    return run
