"""The injector as a process, over TLS: what it answers, whatever the API server and its certificate do meanwhile."""

import base64
import json
import re
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from api_server import ApiServer
from pods import TRUST, applied, container, pod, resources

from memwarden_api import names
from memwarden_operator.certificates.authority import State, renewed

PATIENCE_SECONDS = 120.0
ASKING = {"labels": {names.INJECT: "true"}}
OURS = ["memwarden", "memwarden-image-1"]


class Injector:
    """The process and its two doors."""

    def __init__(self, folder: Path, api: ApiServer, *options: str) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.state = State()
        self.renew(datetime.now(UTC))
        command = [
            *(sys.executable, "-m", "memwarden_operator", "injector"),
            *("--listen=127.0.0.1:0", "--health-listen=127.0.0.1:0", f"--api-server={api.url}"),
            *(f"--tls-cert={folder / 'tls.crt'}", f"--tls-key={folder / 'tls.key'}"),
            *("--sidecar-image=s:1", "--collector=https://collector:4318"),
            *(f"--collector-ca-file={folder / 'trust.crt'}", "--drain=100ms"),
            *options,
        ]
        (folder / "trust.crt").write_text(TRUST)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stderr=log)
        self.port, self.health_port = (self._port(option) for option in ("--listen", "--health-listen"))

    def renew(self, now: datetime) -> None:
        """Another certificate by another authority; both are in the files that are read."""
        self.state = renewed(State(), ("localhost",), now)
        assert self.state.leaf is not None
        (self.folder / "tls.key").write_text(self.state.leaf.key)
        (self.folder / "tls.crt").write_text(self.state.leaf.certificate)

    def _port(self, option: str) -> int:
        def look() -> int | None:
            assert self.process.poll() is None, self.log.read_text()
            found = re.search(rf"{option} listens on 127.0.0.1:(\d+)", self.log.read_text())
            return int(found[1]) if found else None

        return eventually(look)

    def review(self, given: Any, path: str = "labelled-pod", **request: Any) -> dict[str, Any]:
        """The review's response."""
        body = {"kind": "AdmissionReview", "request": request_for(given, **request)}
        answer = self.post(json.dumps(body).encode(), path)
        assert answer["kind"] == "AdmissionReview"
        assert answer["response"]["uid"] == "u-7"
        assert answer["response"]["allowed"] is True
        return answer["response"]

    def post(self, body: bytes, path: str = "labelled-pod") -> Any:
        assert self.state.signing is not None
        context = ssl.create_default_context(cadata=self.state.bundle())
        request = urllib.request.Request(
            f"https://localhost:{self.port}/mutate/{path}", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=120, context=context) as answer:
            return json.load(answer)

    def ask(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}{path}", timeout=120) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def metric(self, name: str) -> float:
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.ask("/metrics")[1], re.MULTILINE)
        assert found, name
        return float(found[1])

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(120)


def request_for(given: Any, **more: Any) -> dict[str, Any]:
    resource = {"group": "", "version": "v1", "resource": "pods"}
    return {
        "uid": "u-7",
        "operation": "CREATE",
        "resource": resource,
        "namespace": "shop",
        "object": given,
        **more,
    }


def eventually(look: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come to that")


def patched(given: Any, response: dict[str, Any]) -> Any:
    assert response["patchType"] == "JSONPatch"
    return applied(given, json.loads(base64.b64decode(response["patch"])))


@pytest.fixture(scope="module")
def api() -> Iterator[ApiServer]:
    with ApiServer() as made:
        yield made


@pytest.fixture(scope="module")
def injector(api: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Injector]:
    """Started while the API server refuses everything: what happens then is the first test."""
    api.refuse = 503
    made = Injector(tmp_path_factory.mktemp("injector"), api)
    yield made
    if made.process.poll() is None:
        made.stop()


def ready(injector: Injector, api: ApiServer, **spec: Any) -> None:
    """With one profile, and known to the process."""
    api.refuse = 0
    api.put("shop", **spec)
    eventually(lambda: injector.ask("/readyz")[0] == 200 or None)
    eventually(lambda: "patch" in injector.review(pod(**ASKING)) or None)


def test_without_an_api_server_it_is_not_ready_and_pods_start_unchanged(
    injector: Injector, api: ApiServer
) -> None:
    assert "patch" not in injector.review(pod(**ASKING))
    status, text = injector.ask("/readyz")
    assert status == 503
    assert "MemoryProfiles are not known" in text
    assert injector.ask("/healthz")[0] == 200
    assert injector.metric('memwarden_injector_reviews_total{outcome="not-synced"}') == 1
    ready(injector, api)


def test_a_pod_that_asks_for_it_is_patched(injector: Injector, api: ApiServer) -> None:
    ready(injector, api)
    given = pod(**ASKING)
    made = patched(given, injector.review(given))
    assert [one["name"] for one in made["spec"]["initContainers"]] == OURS
    # A namespace that only the request names, as in `kubectl run`.
    del given["metadata"]["namespace"]
    assert "namespace" not in patched(given, injector.review(given))["metadata"]
    assert "patch" not in injector.review(made)


def test_the_path_says_what_the_namespace_wants(injector: Injector, api: ApiServer) -> None:
    ready(injector, api)
    assert "patch" not in injector.review(pod(), "labelled-pod")
    assert "patch" in injector.review(pod(), "labelled-namespace")


def test_profiles_are_followed_as_they_come_change_and_go(injector: Injector, api: ApiServer) -> None:
    ready(injector, api)

    def interval() -> str | None:
        response = injector.review(pod(**ASKING))
        return re.search(
            r"--interval=(\d+)", base64.b64decode(response.get("patch", "")).decode() + "--interval=0"
        )[1]  # type: ignore[index]

    api.put("shop", sampling={"interval": "7s"})
    eventually(lambda: interval() == "7" or None)
    lists = api.lists
    api.forget()
    api.put("shop", sampling={"interval": "9s"})
    eventually(lambda: interval() == "9" or None)
    assert api.lists > lists, "too old: listed anew"
    api.put("broken", sampling={"interval": "never"})
    api.put("shop", sampling={"interval": "11s"})
    eventually(lambda: interval() == "11" or None)
    api.delete("shop")
    eventually(lambda: "patch" not in injector.review(pod(**ASKING)) or None)


def test_while_the_api_server_is_away_what_was_known_counts(injector: Injector, api: ApiServer) -> None:
    ready(injector, api)
    api.refuse = 500
    eventually(lambda: "500" in injector.log.read_text() or None)
    assert "patch" in injector.review(pod(**ASKING))
    assert injector.ask("/readyz")[0] == 200
    ready(injector, api)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"request": 5}',
        b'{"request": {}}',
        b'{"request": {"uid": ""}}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_review_is_refused_and_nothing_breaks(injector: Injector, body: bytes) -> None:
    with pytest.raises(urllib.error.HTTPError) as refusal:
        injector.post(body)
    with refusal.value:
        assert refusal.value.code == 400
    assert injector.ask("/healthz")[0] == 200


@pytest.mark.parametrize(
    "given",
    [
        None,
        {},
        {"metadata": None, "spec": {}},
        {"metadata": {"labels": {names.INJECT: "true"}}, "spec": {"containers": "none"}},
        pod(container(resources={"limits": {"memory": "lots"}}), **ASKING),
    ],
)
def test_a_pod_that_can_t_be_understood_starts_as_it_is(
    injector: Injector, api: ApiServer, given: Any
) -> None:
    ready(injector, api)
    response = injector.review(given)
    assert "patch" not in response


def test_a_pod_that_would_become_too_large_is_left_alone(injector: Injector, api: ApiServer) -> None:
    ready(injector, api)
    large = pod(annotations={"much": "x" * 1_399_000}, **ASKING)
    response = injector.review(large)
    assert "patch" not in response
    assert names.SKIP_POD_TOO_LARGE in response["warnings"][0]


def test_a_refusal_is_told_once_on_the_owner_and_never_of_a_trial(injector: Injector, api: ApiServer) -> None:
    ready(injector, api)
    small = pod(container(**resources("1", "8Mi")), **ASKING)
    assert names.SKIP_CONTAINER_TOO_SMALL in injector.review(small, dryRun=True)["warnings"][0]
    for _ in range(3):
        injector.review(small)

    def told() -> list[dict[str, Any]]:
        return [event for event in api.events if event["note"].startswith(names.SKIP_CONTAINER_TOO_SMALL)]

    eventually(told)
    other = json.loads(json.dumps(small))
    other["metadata"]["ownerReferences"][0]["uid"] = "u-2"
    injector.review(other)
    eventually(lambda: len(told()) == 2 or None)
    first = told()[0]
    assert first["regarding"] == {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "namespace": "shop",
        "name": "shop-5d9c7b",
        "uid": "u-1",
    }
    assert first["reason"] == names.EVENT_SKIPPED


def test_a_certificate_is_replaced_under_load_and_no_request_is_lost(
    injector: Injector, api: ApiServer
) -> None:
    ready(injector, api)
    ending, answered, failed = threading.Event(), [0], list[str]()
    old, body = injector.state, json.dumps({"request": request_for(pod(**ASKING))}).encode()
    context = ssl.create_default_context(cadata=old.bundle())

    def load() -> None:
        while not ending.is_set():
            request = urllib.request.Request(f"https://localhost:{injector.port}/mutate/labelled-pod", body)
            try:
                with urllib.request.urlopen(request, timeout=120, context=context) as answer:
                    answered[0] += answer.status == 200
            except urllib.error.URLError as error:
                # The one that this client believes is not served any more: that is what was waited for.
                if not isinstance(error.reason, ssl.SSLCertVerificationError):
                    failed.append(repr(error))
                    continue
                context.load_verify_locations(cadata=injector.state.bundle())

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    before = injector.metric("memwarden_injector_certificate_expiry_timestamp_seconds")
    injector.renew(datetime.now(UTC) - timedelta(days=1))
    expiry = "memwarden_injector_certificate_expiry_timestamp_seconds"
    eventually(lambda: injector.metric(expiry) != before or None)
    so_far = answered[0]
    eventually(lambda: answered[0] > so_far + 20 or None)
    ending.set()
    for thread in threads:
        thread.join(120)
    assert failed == []
    injector.review(pod(**ASKING))


def test_a_certificate_that_comes_later_is_waited_for(api: ApiServer, tmp_path: Path) -> None:
    command = [
        *(sys.executable, "-m", "memwarden_operator", "injector", f"--api-server={api.url}"),
        *(f"--tls-cert={tmp_path / 'tls.crt'}", f"--tls-key={tmp_path / 'tls.key'}", "--listen=127.0.0.1:0"),
        *("--sidecar-image=s", "--collector=http://c:1", "--health-listen=127.0.0.1:0"),
        "--drain=1ms",
    ]
    log = tmp_path / "log"
    with log.open("wb") as written, subprocess.Popen(command, stderr=written) as process:
        try:
            eventually(lambda: "waiting for a file" in log.read_text() or None)
            assert "--listen listens" not in log.read_text()
            leaf = renewed(State(), ("localhost",), datetime.now(UTC)).leaf
            assert leaf is not None
            (tmp_path / "tls.key").write_text(leaf.key)
            (tmp_path / "tls.crt").write_text(leaf.certificate)
            eventually(lambda: "--listen listens" in log.read_text() or None)
        finally:
            process.terminate()
        assert process.wait(120) == 0


def test_told_to_end_it_ends_well(injector: Injector, api: ApiServer) -> None:
    before = len(injector.log.read_text())
    assert injector.stop() == 0
    assert "Traceback" not in injector.log.read_text()[before:]


@pytest.mark.parametrize(
    ("option", "named"),
    [
        ("--collector=collector:4318", "--collector"),
        ("--listen=8443", "--listen"),
        ("--tls-cert=/etc/passwd", "--tls-cert"),
        ("--collector-ca-file=/tmp", "--collector-ca-file"),
        ("--environment=Hope", "--environment"),
    ],
)
def test_a_setting_that_can_t_be_used_is_named(tmp_path: Path, option: str, named: str) -> None:
    leaf = renewed(State(), ("localhost",), datetime.now(UTC)).leaf
    assert leaf is not None
    (tmp_path / "tls.crt").write_text(leaf.certificate)
    (tmp_path / "tls.key").write_text(leaf.key)
    command = [
        *(sys.executable, "-m", "memwarden_operator", "injector", "--api-server=http://127.0.0.1:1"),
        *(f"--tls-cert={tmp_path / 'tls.crt'}", f"--tls-key={tmp_path / 'tls.key'}", "--listen=127.0.0.1:0"),
        *(
            "--sidecar-image=s",
            "--collector=http://c:1",
            "--health-listen=127.0.0.1:0",
            option,
        ),
    ]
    run = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert run.returncode == 125
    assert named in run.stderr
    assert "Traceback" not in run.stderr
