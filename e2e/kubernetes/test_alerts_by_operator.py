"""MemoryAlertPolicy where the Prometheus operator is: its kinds alone, and the operator itself.

Operator and config-reloader are the real ones, processes beside the cluster as Prometheus and Alertmanager are. What a
kubelet would do is done here: what the operator writes into the cluster is put where the config-reloader looks.
"""

import gzip
import json
import os
import subprocess
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
from alert_watch import GROWS, LEAKS, PATIENCE, POLICY, Watch, accepted, config_maps, remove, watching
from cluster.testing.waiting import eventually
from harness import free_port
from monitoring import Server, receiver
from prometheus_kinds import prometheus_kinds

from memwarden_api import names

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace
    from cluster.ways import Cluster
    from kubernetes.client import ApiClient

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

MONITORING = """
apiVersion: v1
kind: Secret
metadata: {name: more}
stringData:
  scrape.yaml: |
    - {job_name: collector, honor_labels: true, static_configs: [{targets: ["$collector"]}]}
  alertmanagers.yaml: |
    - {static_configs: [{targets: ["$alertmanager"]}]}
---
apiVersion: monitoring.coreos.com/v1
kind: Prometheus
metadata: {name: k8s}
spec:
  replicas: 0
  version: v2.42.0
  scrapeInterval: 1s
  evaluationInterval: 1s
  ruleSelector: {matchLabels: {release: monitoring}}
  ruleNamespaceSelector: {}
  serviceMonitorSelector: {}
  additionalScrapeConfigs: {name: more, key: scrape.yaml}
  additionalAlertManagerConfigs: {name: more, key: alertmanagers.yaml}
---
apiVersion: monitoring.coreos.com/v1
kind: Alertmanager
metadata: {name: main}
spec:
  replicas: 0
  version: v0.25.0
  alertmanagerConfigSelector: {matchLabels: {release: monitoring}}
  alertmanagerConfigNamespaceSelector: {}
"""
CHAT = '{name: chat, slack: {url: {name: chat, key: url}, channel: "#shop"}}'
CHAT_SECRET = """
apiVersion: v1
kind: Secret
metadata: {name: chat}
stringData: {url: "http://localhost/chat"}
"""
OF_SOMEBODY_ELSE = """
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {name: newer, labels: {release: monitoring}}
spec: {groups: [{name: newer, rules: [{alert: Newer, expr: '{"up"} == 0'}]}]}
"""
RULES = "prometheus-k8s-rulefiles-0"


@pytest.fixture(scope="module")
def watch(kubernetes_api: "ApiClient", tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    with watching(kubernetes_api, tmp_path_factory) as made:
        yield made


@pytest.fixture(scope="module")
def kinds(cluster: "Cluster", prometheus_operator: Path) -> Iterator[None]:
    with prometheus_kinds(cluster, prometheus_operator):
        yield


@pytest.fixture
def kubectl(namespace: "Namespace") -> Callable[..., str]:
    def run(*words: str, text: str | None = None) -> str:
        command = [*namespace.cluster.kubectl, "--namespace", namespace.name, *words]
        ended = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    return run


@contextmanager
def running(log: Path, *command: str | Path, **environment: str) -> Iterator[None]:
    """A program, until nobody needs it."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **environment})
    try:
        yield
        assert process.poll() is None, log.read_text()[-3000:]
    finally:
        process.terminate()
        process.wait(60)


class Mounts:
    """Files that a kubelet would keep as the operator writes them, at paths that can be had here."""

    def __init__(self, folder: Path, namespace: "Namespace") -> None:
        self._namespace = namespace
        self.prometheus = folder / "prometheus.yaml"
        self.alertmanager = folder / "alertmanager.yaml"
        self.rules = folder / "rules" / RULES
        self.rules.mkdir(parents=True)

    def update(self) -> None:
        prometheus = self._secret("prometheus-k8s", "prometheus.yaml.gz")
        _write(self.prometheus, prometheus.replace("/etc/prometheus/rules", str(self.rules.parent)))
        _write(self.alertmanager, self._secret("alertmanager-main-generated", "alertmanager.yaml.gz"))
        rules = self._data("config_map", RULES)
        for name, text in rules.items():
            _write(self.rules / name, text)
        for gone in {file.name for file in self.rules.iterdir()} - set(rules):
            (self.rules / gone).unlink()

    def _secret(self, name: str, key: str) -> str:
        data = self._data("secret", name)
        assert key in data, f"no {key} in {name} yet"
        return gzip.decompress(b64decode(data[key])).decode()

    def _data(self, kind: str, name: str) -> dict[str, str]:
        """Empty where it is not there."""
        from kubernetes.client.exceptions import ApiException

        read = getattr(self._namespace.core, f"read_namespaced_{kind}")
        try:
            return read(name, self._namespace.name).data or {}
        except ApiException as error:
            if error.status != 404:
                raise
            return {}


def _write(file: Path, text: str) -> None:
    if not file.exists() or file.read_text() != text:
        new = file.with_name(f"{file.name}.new")
        new.write_text(text)
        new.rename(file)


@contextmanager
def operated(watch: Watch, namespace: "Namespace", programs: Path, folder: Path) -> Iterator[None]:
    """The operator, with a Prometheus and an Alertmanager for which it writes into the cluster."""
    listen = f"--web.listen-address=127.0.0.1:{free_port()}"
    kubeconfig = str(namespace.cluster.kubeconfig)
    with running(folder / "operator.log", programs / "operator", listen, KUBECONFIG=kubeconfig):
        scraped = urlsplit(watch.collector.url).netloc
        namespace.apply(MONITORING, collector=scraped, alertmanager=watch.alertmanager.address)
        yield


@contextmanager
def reloaded(watch: Watch, mounts: Mounts, programs: Path) -> Iterator[None]:
    """From what is mounted to what the two read, who are then told to read it."""

    def reloader(server: Server, made: Path, *more: str) -> AbstractContextManager[None]:
        return running(
            made.with_name(f"{made.stem}-reloader.log"),
            programs / "prometheus-config-reloader",
            f"--config-file={made}",
            f"--config-envsubst-file={server.log.parent / 'config.yaml'}",
            f"--reload-url={server.url}/-/reload",
            "--watch-interval=1s",
            *more,
            POD_NAME="prometheus-k8s-0",
        )

    with (
        reloader(watch.prometheus, mounts.prometheus, f"--watched-dir={mounts.rules}"),
        reloader(watch.alertmanager, mounts.alertmanager),
    ):
        yield


def refused(prometheus: Server) -> bool:
    """Whether it could not load what it was told to load last."""
    answer = httpx.get(f"{prometheus.url}/api/v1/status/runtimeinfo", trust_env=False, timeout=60)
    return answer.json()["data"]["reloadConfigSuccess"] is False


def groups(prometheus: Server) -> list[Any]:
    answer = httpx.get(f"{prometheus.url}/api/v1/rules", trust_env=False, timeout=60)
    found: list[Any] = answer.json()["data"]["groups"]
    return found


def test_with_the_operator_s_kinds_those_are_made_and_a_selector_that_does_not_match_is_told(
    watch: Watch, namespace: "Namespace", kinds: None, kubectl: Callable[..., str]
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
    made = {(one["kind"], one["name"]) for one in policy["status"]["generated"]}
    assert made == {("PrometheusRule", "memwarden-shop"), ("AlertmanagerConfig", "memwarden-shop")}
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


def test_with_the_operator_itself_a_leak_reaches_who_is_to_be_told_and_what_is_removed_is_gone(
    watch: Watch, namespace: "Namespace", prometheus_operator: Path, kinds: None, tmp_path: Path
) -> None:
    mounts = Mounts(tmp_path, namespace)
    with (
        receiver() as (url, messages),
        operated(watch, namespace, prometheus_operator, tmp_path),
    ):
        told = f"{{name: team, webhook: {{url: '{url}'}}}}"
        namespace.apply(POLICY, rules=f"{LEAKS}, {GROWS}", receivers=told)

        def written() -> bool:
            mounts.update()
            assert "memwarden-shop" in mounts.alertmanager.read_text(), mounts.alertmanager.read_text()
            return any(mounts.rules.iterdir())

        eventually("what the operator writes", written, PATIENCE)
        with reloaded(watch, mounts, prometheus_operator):
            accepted(namespace, "Yes")
            watch.leak(namespace)

            def delivered() -> dict[str, Any]:
                assert messages, watch.prometheus.log.read_text()[-2000:]
                return messages[0]

            message = eventually("the message", delivered, PATIENCE)
            assert message["receiver"] == f"{namespace.name}/memwarden-shop/team"
            assert [one["labels"]["alertname"] for one in message["alerts"]] == ["MemwardenLeaking"]

            assert groups(watch.prometheus)
            remove(namespace)

            def gone() -> bool:
                mounts.update()
                assert "memwarden-shop" not in mounts.alertmanager.read_text()
                return groups(watch.prometheus) == []

            eventually("rules and routes to be gone", gone, PATIENCE)


def test_what_the_operator_leaves_out_and_what_prometheus_refuses_is_told_until_it_is_mended(
    watch: Watch,
    namespace: "Namespace",
    prometheus_operator: Path,
    kinds: None,
    kubectl: Callable[..., str],
    tmp_path: Path,
) -> None:
    mounts = Mounts(tmp_path, namespace)

    def said(wanted: str, reason: str) -> str:
        """The sentence with that reason, once there is one; what the operator has written is mounted meanwhile."""

        def look() -> str:
            mounts.update()
            status = namespace.read("MemoryAlertPolicy", "shop", names.API_VERSION).get("status") or {}
            messages = [one["message"] for one in status.get("conditions", ()) if one["reason"] == reason]
            assert (status.get("accepted"), bool(messages)) == (wanted, True), status
            return str(messages[-1])

        return eventually(f"the policy to be {wanted}, {reason}", look, PATIENCE)

    with operated(watch, namespace, prometheus_operator, tmp_path):
        namespace.apply(POLICY, rules=LEAKS, receivers=CHAT)
        message = said("No", names.REASON_LEFT_OUT)
        assert "leaves out AlertmanagerConfig memwarden-shop" in message
        assert "chat" in message, "the Secret that is not there"

        with reloaded(watch, mounts, prometheus_operator):
            namespace.apply(CHAT_SECRET)
            said("Yes", names.REASON_LOADED)

            # Newer than this Prometheus: the operator lets it in, and by it all that is new is refused.
            namespace.apply(OF_SOMEBODY_ELSE)

            def is_refused() -> bool:
                mounts.update()
                return refused(watch.prometheus)

            eventually("it to be refused", is_refused, PATIENCE)
            namespace.apply(POLICY, rules=f"{LEAKS}, {GROWS}", receivers=CHAT)
            message = said("No", names.REASON_CONFIGURATION_REFUSED)
            assert "its log has the reason" in message

            kubectl("delete", "prometheusrule", "newer")
            said("Yes", names.REASON_LOADED)
