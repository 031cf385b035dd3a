"""MemoryAlertPolicy at a real API server without the Prometheus operator, from the leak to the message.

The test does what its owner's sidecar does: it puts the files of ConfigMaps where they are read.
"""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from alert_watch import GROWS, LEAKS, PATIENCE, POLICY, Watch, accepted, config_maps, remove, watching
from cluster.testing.waiting import eventually
from monitoring import receiver

from memwarden_api import names

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace
    from kubernetes.client import ApiClient

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def watch(kubernetes_api: "ApiClient", tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    with watching(kubernetes_api, tmp_path_factory) as made:
        yield made


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

        watch.leak(namespace)

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
            found = watch.alerts(namespace)
            assert found, watch.alertmanager.log.read_text()[-2000:]
            [entry] = found
            return entry

        entry = eventually("the history", kept, PATIENCE)
        assert entry["fingerprint"] == alert["fingerprint"]
        assert entry["receivers"] == [f"{namespace.name}/memwarden-shop/history"]
        assert (entry["status"], entry["labels"]["severity"]) == ("firing", "critical")

    remove(namespace)
    eventually("the ConfigMaps to be gone", lambda: not config_maps(namespace), PATIENCE)


def test_a_receiver_that_alertmanager_does_not_have_is_told(watch: Watch, namespace: "Namespace") -> None:
    namespace.apply(POLICY, rules=LEAKS, receivers="{name: own, existing: {name: no-such-receiver}}")
    eventually("the ConfigMaps", lambda: len(config_maps(namespace)) == 2, PATIENCE)
    policy = accepted(namespace, "No", names.REASON_NO_SUCH_RECEIVER)
    assert "no receiver no-such-receiver" in json.dumps(policy["status"])
