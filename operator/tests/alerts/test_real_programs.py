"""Debian's Prometheus and Alertmanager: what they say of a rule that can't be evaluated, and of silences."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import yaml
from cluster.testing.waiting import eventually
from monitoring import alertmanager, prometheus

from memwarden_api import names
from memwarden_operator.alerts import acceptance, credentials, silences
from memwarden_operator.alerts.monitoring import MonitoringAway, MonitoringDoor
from memwarden_operator.alerts.rules import rule_groups
from memwarden_operator.controller.conditions import Said

from .policies import EACH_RULE, policy

T = TypeVar("T")
PATIENCE = 120.0
HASH = "$2b$04$2Zx5MV2PLUaKAiEqaOA7v.oyyAHwiB13vWAQmzHka2CD9akV6sHhq"
"""Of the password of-the-test, by bcrypt."""


def asked(ask: Callable[[MonitoringDoor], Awaitable[T]], prometheus: str = "", alertmanager: str = "") -> T:
    async def go() -> T:
        async with MonitoringDoor(prometheus, alertmanager) as door:
            return await ask(door)

    return asyncio.run(go())


@contextmanager
def series(text: str) -> Iterator[str]:
    """A page that Prometheus reads; its address."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Nothing is told."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.system  # two servers of Debian's packages
def test_a_rule_that_prometheus_does_not_evaluate_and_one_that_it_does_not_load_are_told(
    tmp_path: Path,
) -> None:
    shop = policy(EACH_RULE[:1])
    of = 'namespace="shop",profile="shop",kind="Deployment",workload="web-%d",container="app",verdict="Leaking"'
    text = "".join(f"{names.PROMETHEUS_VERDICT}{{{of % number}}} 1\n" for number in range(20))
    with series(text) as page:
        server = prometheus(tmp_path, "127.0.0.1:9", page, "--query.max-samples=3")
        (tmp_path / "rules" / "shop.yaml").write_text(yaml.safe_dump(rule_groups(shop)))
        server.start()
        try:

            def told(reason: str) -> Said:
                said = acceptance.of_rules(shop, asked(MonitoringDoor.groups, prometheus=server.url))
                assert said.reason == reason, said
                return said

            said = eventually("the rule to fail", lambda: told(names.REASON_RULES_FAIL), PATIENCE)
            assert said.status == "False"
            assert "too many samples" in said.message

            # A file of somebody else's, by which all of the new configuration is refused.
            (tmp_path / "rules" / "other.yaml").write_text(
                "groups: [{name: x, rules: [{alert: y, expr: '1 +'}]}]"
            )
            longer = policy(EACH_RULE[:2])
            (tmp_path / "rules" / "shop.yaml").write_text(yaml.safe_dump(rule_groups(longer)))
            assert httpx.post(f"{server.url}/-/reload", trust_env=False, timeout=60).status_code == 500
            said = acceptance.of_rules(longer, asked(MonitoringDoor.groups, prometheus=server.url))
            assert (said.status, said.reason) == ("Unknown", names.REASON_NOT_LOADED)
            assert "another version" in said.message
            refuses = asked(MonitoringDoor.refuses, prometheus=server.url)
            said = acceptance.of_rules(longer, asked(MonitoringDoor.groups, prometheus=server.url), refuses)
            assert (said.status, said.reason) == ("False", names.REASON_CONFIGURATION_REFUSED)
            (tmp_path / "rules" / "other.yaml").unlink()
            assert httpx.post(f"{server.url}/-/reload", trust_env=False, timeout=60).status_code == 200
            assert asked(MonitoringDoor.refuses, prometheus=server.url) == ""
        finally:
            server.stop()


@pytest.mark.system  # a server of Debian's packages
def test_one_that_asks_who_asks_is_given_what_stands_in_the_folder(tmp_path: Path) -> None:
    web = tmp_path / "web.yaml"
    web.write_text(yaml.safe_dump({"basic_auth_users": {"memwarden": HASH}}))
    server = prometheus(tmp_path, "127.0.0.1:9", "127.0.0.1:9", f"--web.config.file={web}")
    folder = tmp_path / "credentials"
    folder.mkdir()

    async def groups() -> Any:
        async with MonitoringDoor(server.url, None, folder) as door:
            return await door.groups()

    server.start(ready=401)
    try:
        with pytest.raises(MonitoringAway, match="HTTP 401: give credentials by prometheusSecret"):
            asyncio.run(groups())
        (folder / "username").write_text("memwarden\n")
        (folder / "password").write_text("of-the-test\n")
        assert asyncio.run(groups()) == []
    finally:
        server.stop()


@pytest.mark.system  # two servers of Debian's packages
def test_a_silence_is_read_with_who_made_it(tmp_path: Path) -> None:
    server = alertmanager(tmp_path)
    server.start()
    try:
        ends = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)
        labels = {"alertname": "MemwardenLeaking", "memalert_policy": "shop", "namespace": "shop"}
        silence: dict[str, Any] = {
            "matchers": [{"name": "memalert_policy", "value": "shop", "isRegex": False, "isEqual": True}],
            "startsAt": datetime.now(UTC).isoformat(),
            "endsAt": ends.isoformat(),
            "createdBy": "ada",
            "comment": "the fix is on its way",
        }
        made = httpx.post(f"{server.url}/api/v2/silences", json=silence, trust_env=False)
        assert made.status_code == 200, made.text
        alerts = [{"labels": labels}, {"labels": {"alertname": "SomebodyElses"}}]
        posted = httpx.post(f"{server.url}/api/v2/alerts", json=alerts, trust_env=False)
        assert posted.status_code == 200, posted.text

        def held() -> Any:
            (one,) = silences.current(*asked(MonitoringDoor.current, alertmanager=server.url)).items
            assert one.silences
            return one

        found = eventually("the alert to be silenced", held, PATIENCE)
        assert found.labels == labels
        (by,) = found.silences
        assert (by.id, by.created_by) == (made.json()["silenceID"], "ada")
        assert (by.comment, by.ends_at) == ("the fix is on its way", ends)

        httpx.delete(f"{server.url}/api/v2/silence/{by.id}", trust_env=False).raise_for_status()

        def freed() -> bool:
            (one,) = silences.current(*asked(MonitoringDoor.current, alertmanager=server.url)).items
            assert one.silences == ()
            return True

        eventually("the silence to end", freed, PATIENCE)
    finally:
        server.stop()


def test_what_can_not_be_read_is_left_out() -> None:
    good = {"fingerprint": "1", "startsAt": "2026-11-22T12:00:00Z", "labels": {"a": "b"}}
    read = silences.current(
        [good, {"fingerprint": "2"}, good | {"status": {"silencedBy": ["x"]}}], [{"id": "x"}]
    )
    assert [one.silences for one in read.items] == [(), ()]
    assert read.complete
    assert not silences.current([good] * 1001, []).complete


def test_a_token_comes_before_a_name_and_nothing_is_needed(tmp_path: Path) -> None:
    assert credentials.read(None) == credentials.read(tmp_path) == credentials.Credentials({}, trust=True)
    (tmp_path / "username").write_text("ada")
    assert credentials.read(tmp_path).headers == {"Authorization": "Basic YWRhOg=="}
    (tmp_path / "token").write_text("a-token\n")
    assert credentials.read(tmp_path).headers == {"Authorization": "Bearer a-token"}
    (tmp_path / "ca.crt").write_text("no certificate")

    async def ask() -> None:
        async with MonitoringDoor(None, "http://127.0.0.1:9", None, tmp_path) as door:
            await door.configuration()

    with pytest.raises(MonitoringAway):
        asyncio.run(ask())
