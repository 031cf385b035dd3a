"""Who may what, as the cluster says. The API server here knows reviews alone; the real one: e2e/kubernetes."""

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import collector_requests as otlp
import grpc
import httpx
import psycopg
import pytest
from certificates import Authority
from collector_processes import Collector, Server
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import MetricsServiceStub
from psycopg import sql
from review_server import OWN_TOKEN, ReviewServer, account, token

from memwarden_api import names
from memwarden_api.scopes import container_scope
from memwarden_collector.access.caller import SNAPSHOTS, WRITE, Need
from memwarden_collector.access.rules import Anyone, OfPod, demand

_numbers = count(1)
STATUS = "memoryprofiles/status"


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReviewServer]:
    folder = tmp_path_factory.mktemp("api-server")
    authority = Authority()
    authority.write(folder)
    server = ReviewServer(*authority.sign(folder))
    (folder / "token").write_text(OWN_TOKEN + "\n")
    server.folder = folder  # type: ignore[attr-defined]
    yield server
    server.close()


@pytest.fixture(scope="module")
def running(
    server: Server, reviews: ReviewServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Collector, str]]:
    """One collector for all tests here: each has callers of its own."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier("access")))
    folder: Path = reviews.folder  # type: ignore[attr-defined]
    options = (
        "--kubernetes",
        "--kubernetes-api",
        reviews.url,
        "--kubernetes-ca-file",
        str(folder / "ca.pem"),
    )
    options += ("--kubernetes-token-file", str(folder / "token"), "--refusal-seconds", "0")
    options += ("--token-seconds", "600", "--grpc-listen", "127.0.0.1:0")
    collector = Collector(tmp_path_factory.mktemp("access"), server.url("access"), *options)
    yield collector, server.url("access")
    assert collector.stop() == 0, collector.log.read_text()
    assert "Traceback" not in collector.log.read_text(), collector.log.read_text()


class Pod:
    """A pod with a token, which the API server knows."""

    def __init__(self, reviews: ReviewServer, namespace: str = "shop") -> None:
        self.namespace, self.name, self.uid = namespace, f"cart-{next(_numbers)}", str(uuid.uuid4())
        self.token = token(self.name)
        self.user = f"system:serviceaccount:{namespace}:{self.name}"
        reviews.tokens[self.token] = account(namespace, self.name, self.name, self.uid)
        self.scope = self.scope_of("app")

    def scope_of(self, container: str) -> str:
        return container_scope(self.namespace, self.name, self.uid, container, "123")

    def says(self, **other: object) -> dict[str, object]:
        return {
            names.SCOPE_ID: self.scope,
            names.SCOPE_KIND: names.SCOPE_KIND_CONTAINER,
            names.K8S_NAMESPACE: self.namespace,
            names.K8S_POD: self.name,
            names.K8S_POD_UID: self.uid,
            names.K8S_CONTAINER: "app",
            **other,
        }

    def of_a_second_container(self, **other: object) -> dict[str, object]:
        """Two resources of one scope in a request are one."""
        return self.says(**{names.SCOPE_ID: self.scope_of("second"), **other})


def request(*resources: dict[str, object]) -> ExportMetricsServiceRequest:
    made = ExportMetricsServiceRequest()
    for attributes in resources:
        otlp.add_resource(made, attributes, time.time(), [(names.MEMORY_ANON, 1e8, {})])
    return made


def bearer(text: str) -> dict[str, str]:
    return {"authorization": f"Bearer {text}"}


@pytest.fixture
def pod(reviews: ReviewServer) -> Pod:
    return Pod(reviews)


@pytest.fixture
def client(running: tuple[Collector, str]) -> httpx.Client:
    return running[0].client


@pytest.fixture
def stored(running: tuple[Collector, str]) -> Callable[[str], bool]:
    def look(scope: str) -> bool:
        with psycopg.connect(running[1]) as connection:
            found = connection.execute("select 1 from memwarden.scope where name = %s", [scope])
            return found.fetchone() is not None

    return look


def test_a_pod_reports_about_itself(client: httpx.Client, pod: Pod, stored: Callable[[str], bool]) -> None:
    answer = otlp.metrics_answer(otlp.post_metrics(client, request(pod.says()), **bearer(pod.token)))
    assert not answer.HasField("partial_success")
    assert stored(pod.scope)


LIES: dict[str, Callable[[Pod, Pod], dict[str, object]]] = {
    "another pod": lambda me, other: other.says(),
    "another pod's scope": lambda me, other: me.says(**{names.SCOPE_ID: other.scope}),
    "another pod's uid": lambda me, other: me.of_a_second_container(**{names.K8S_POD_UID: other.uid}),
    "another pod's name": lambda me, other: me.of_a_second_container(**{names.K8S_POD: other.name}),
    "another namespace": lambda me, other: me.of_a_second_container(**{names.K8S_NAMESPACE: "bank"}),
    "a run on a laptop": lambda me, other: me.of_a_second_container(
        **{names.SCOPE_KIND: names.SCOPE_KIND_RUN}
    ),
    "no pod": lambda me, other: {names.SERVICE_NAME: "cart"},
    "a uid that is no text": lambda me, other: me.of_a_second_container(**{names.K8S_POD_UID: 7}),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_a_pod_says_of_others_is_rejected_and_its_own_is_kept(
    client: httpx.Client, reviews: ReviewServer, pod: Pod, stored: Callable[[str], bool], lie: str
) -> None:
    other = Pod(reviews)
    body = request(pod.says(), LIES[lie](pod, other))
    answer = otlp.metrics_answer(otlp.post_metrics(client, body, **bearer(pod.token)))
    assert answer.partial_success.rejected_data_points == 1
    assert f"not of the pod shop/{pod.name}" in answer.partial_success.error_message
    assert stored(pod.scope)
    assert not stored(other.scope)


def test_a_rejection_is_counted(client: httpx.Client, reviews: ReviewServer, pod: Pod) -> None:
    body = request(Pod(reviews).says())
    otlp.metrics_answer(otlp.post_metrics(client, body, **bearer(pod.token)))
    reviews.rights.add((pod.user, "list", "memoryprofiles", ""))
    text = client.get("/metrics", headers=bearer(pod.token)).text
    assert 'rejected_total{reason="not_own",signal="metrics"}' in text
    assert 'memwarden_collector_reviews_total{kind="token",result="answered"}' in text


def test_who_may_write_for_all_reports_for_others(
    client: httpx.Client, reviews: ReviewServer, pod: Pod, stored: Callable[[str], bool]
) -> None:
    reviews.rights.add((pod.user, "update", STATUS, ""))
    other = Pod(reviews)
    answer = otlp.metrics_answer(otlp.post_metrics(client, request(other.says()), **bearer(pod.token)))
    assert not answer.HasField("partial_success")
    assert stored(other.scope)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("only.two", "send a service account's token"),
        ("rubbish", "send a service account's token"),
        (token("a", audience="https://kubernetes.default.svc"), "not for the audience 'memwarden-collector'"),
        (token("a", seconds=-4000), "has expired"),
    ],
)
def test_what_can_not_be_right_costs_the_api_server_nothing(
    client: httpx.Client, reviews: ReviewServer, wrong: str, says: str
) -> None:
    before = reviews.asked["tokenreviews"]
    answer = otlp.post_metrics(client, request(), **bearer(wrong))
    assert answer.status_code == 401
    assert says in answer.text
    assert reviews.asked["tokenreviews"] == before


def test_an_unknown_token_is_refused_with_the_clusters_reason(client: httpx.Client) -> None:
    answer = client.get("/api/v1/scopes", headers=bearer(token("nobody")))
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert "unknown token" in answer.json()["detail"]


def test_a_token_of_no_pod_needs_the_right_to_report_for_others(
    client: httpx.Client, reviews: ReviewServer
) -> None:
    unbound = token("ci")
    reviews.tokens[unbound] = account("shop", "ci")
    answer = otlp.post_metrics(client, request(), **bearer(unbound))
    assert answer.status_code == 403
    assert "update memoryprofiles.memwarden.dev/status in the whole cluster" in answer.text


def test_a_reader_sees_the_namespaces_that_he_may(client: httpx.Client, reviews: ReviewServer) -> None:
    shop, bank = Pod(reviews, "shop"), Pod(reviews, "bank")
    for one in (shop, bank):
        otlp.metrics_answer(otlp.post_metrics(client, request(one.says()), **bearer(one.token)))
    reader = token("reader")
    reviews.tokens[reader] = account("tools", "reader")
    user = "system:serviceaccount:tools:reader"
    reviews.rights |= {(user, "list", "memoryprofiles", "shop"), (user, "get", "memoryprofiles", "shop")}

    def ask(path: str) -> httpx.Response:
        return client.get(f"/api/v1{path}", headers=bearer(reader))

    listed = [item["scope"] for item in ask("/scopes?namespace=shop&limit=500").json()["items"]]
    assert shop.scope in listed
    assert all(scope.startswith("shop/") for scope in listed)
    assert ask(f"/scopes/{shop.scope}/series").status_code == 200
    assert ask("/verdicts?namespace=shop").status_code == 200
    for path, missing in {
        "/scopes": "list memoryprofiles.memwarden.dev in the whole cluster",
        "/scopes?namespace=shop&namespace=": "list memoryprofiles.memwarden.dev in the whole cluster",
        "/scopes?namespace=bank": "list memoryprofiles.memwarden.dev in namespace bank",
        f"/scopes/{bank.scope}/series": "get memoryprofiles.memwarden.dev in namespace bank",
        "/scopes/run-1/series": "get memoryprofiles.memwarden.dev in the whole cluster",
        "/something/new": "update memoryprofiles.memwarden.dev/status in the whole cluster",
    }.items():
        answer = ask(path)
        assert answer.status_code == 403, path
        assert f"{user} may not {missing}" in answer.json()["detail"]
    assert client.get("/metrics", headers=bearer(reader)).status_code == 403

    profiles = {}
    for one in (shop, bank):
        sent = otlp.profiles(one.scope, time.time(), [((("/app.py", 1, "main"),), "inf", 5, 1, 1)])
        (resource,) = sent.resource_profiles
        del resource.resource.attributes[:]
        resource.resource.attributes.extend(otlp.pairs(one.says(**{names.PROCESS_PID: 1})))
        answer = otlp.profiles_answer(otlp.post_profiles(client, sent, **bearer(one.token)))
        assert not answer.HasField("partial_success")
        reviews.rights.add((one.user, "get", "memoryprofiles", one.namespace))
        listed_there = client.get(f"/api/v1/scopes/{one.scope}/profiles", headers=bearer(one.token)).json()
        (profiles[one.namespace],) = [item["id"] for item in listed_there["items"]]
    assert ask(f"/profiles/{profiles['shop']}").status_code == 200
    assert ask(f"/profiles/{profiles['bank']}").status_code == 403
    assert ask("/profiles/123456789").status_code == 403


def test_a_reader_of_a_namespace_sees_its_leaks_commands_and_changes(
    running: tuple[Collector, str], reviews: ReviewServer
) -> None:
    client = running[0].client
    there, elsewhere = Pod(reviews, "orders"), Pod(reviews, "vault")
    reader, user = token("orders-reader"), "system:serviceaccount:tools:orders-reader"
    reviews.tokens[reader] = account("tools", "orders-reader")
    reviews.rights |= {(user, verb, "memoryprofiles", "orders") for verb in ("get", "list")}
    controller = Pod(reviews, "memwarden")
    reviews.rights.add((controller.user, "update", STATUS, ""))
    leaks, commands, workloads = {}, {}, {}
    for one in (there, elsewhere):
        reviews.rights.add((one.user, "get", "memoryprofiles", one.namespace))
        otlp.metrics_answer(otlp.post_metrics(client, request(one.says()), **bearer(one.token)))
        judged = client.post(f"/api/v1/scopes/{one.scope}/judge", headers=bearer(one.token))
        assert judged.status_code == 200, judged.text
        made = client.post(
            "/api/v1/commands",
            json={"pod_uid": one.uid, "container": "app", "kind": "Flush", "expires_in_seconds": 60},
            headers=bearer(controller.token),
        )
        assert made.status_code == 201, made.text
        commands[one.namespace] = made.json()["id"]
        with psycopg.connect(running[1]) as connection:
            connection.execute("set search_path = memwarden")
            found = connection.execute(
                "insert into leak (workload_id, fingerprint, state, returns, first_seen, last_seen, changed_at,"
                " first_version, last_version, headline) select workload_id, 'f', 'open', 0, now(), now(), now(),"
                " '', '', '' from workload where namespace = %s returning leak_id,"
                " (select name from workload w where w.workload_id = leak.workload_id)",
                [one.namespace],
            ).fetchone()
        assert found is not None
        leaks[one.namespace], workloads[one.namespace] = found

    def ask(path: str, who: str = reader) -> httpx.Response:
        return client.get(f"/api/v1{path}", headers=bearer(who))

    def told(answer: httpx.Response) -> list[str]:
        assert answer.status_code == 200, answer.text
        return [item["workload"] for item in answer.json()["items"]]

    assert ask(f"/leaks/{leaks['orders']}").json()["workload"] == workloads["orders"]
    assert ask(f"/commands/{commands['orders']}").json()["pod_uid"] == there.uid
    assert ask(f"/commands/{commands['vault']}", elsewhere.token).status_code == 200, "its own"
    whole = ask("/workloads/changes?namespace=orders")
    assert told(whole) == [workloads["orders"]]
    behind = f"/workloads/changes?namespace=orders&after={whole.json()['cursor']}&wait=1"
    assert client.post(f"/api/v1/scopes/{elsewhere.scope}/judge", headers=bearer(elsewhere.token)).is_success
    assert told(ask(behind)) == []
    strange = uuid.uuid4()
    for path in (
        f"/leaks/{leaks['vault']}", "/leaks/987654321", f"/commands/{commands['vault']}", f"/commands/{strange}",
        "/workloads/changes", "/workloads/changes?namespace=vault",
    ):  # fmt: skip
        assert ask(path).status_code == 403, path
    assert ask(f"/commands/{commands['orders']}", elsewhere.token).status_code == 403


def test_a_pod_asks_for_its_own_commands_only(client: httpx.Client, reviews: ReviewServer, pod: Pod) -> None:
    path = "/api/v1/commands/next?pod_uid="
    assert client.get(path + str(uuid.uuid4()), headers=bearer(pod.token)).status_code == 403
    assert client.get(path, headers=bearer(pod.token)).status_code != 403  # the route refuses it
    assert client.get(f"{path}{pod.uid}&wait=0", headers=bearer(pod.token)).status_code not in (401, 403)


def test_many_at_once_are_one_review(client: httpx.Client, reviews: ReviewServer, pod: Pod) -> None:
    before = reviews.asked["tokenreviews"]
    reviews.delay = 0.5
    try:
        with ThreadPoolExecutor(12) as pool:
            done = [
                pool.submit(otlp.post_metrics, client, request(pod.says()), **bearer(pod.token))
                for _ in range(12)
            ]
            assert {one.result().status_code for one in done} == {200}
    finally:
        reviews.delay = 0.0
    assert reviews.asked["tokenreviews"] == before + 1


def test_while_the_api_server_is_away_known_tokens_go_on_and_unknown_ones_come_again(
    client: httpx.Client, reviews: ReviewServer, pod: Pod
) -> None:
    known = request(pod.says())
    assert otlp.post_metrics(client, known, **bearer(pod.token)).status_code == 200
    new = Pod(reviews)
    reviews.away = True
    try:
        assert otlp.post_metrics(client, known, **bearer(pod.token)).status_code == 200
        answer = otlp.post_metrics(client, request(new.says()), **bearer(new.token))
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert "no answer from the API server" in answer.text
        assert client.get("/api/v1/scopes", headers=bearer(new.token)).status_code == 503
    finally:
        reviews.away = False
    until = time.monotonic() + 60
    while otlp.post_metrics(client, request(new.says()), **bearer(new.token)).status_code != 200:
        assert time.monotonic() < until, "the API server is back and nobody asks it"
        time.sleep(0.2)


def test_the_same_holds_over_grpc(running: tuple[Collector, str], reviews: ReviewServer, pod: Pod) -> None:
    with grpc.insecure_channel(running[0].grpc_address()) as channel:
        stub = MetricsServiceStub(channel)
        own = stub.Export(request(pod.says()), timeout=60, metadata=list(bearer(pod.token).items()))
        assert not own.HasField("partial_success")
        body = request(Pod(reviews).says())
        other = stub.Export(body, timeout=60, metadata=list(bearer(pod.token).items()))
        assert other.partial_success.rejected_data_points == 1
        unbound = token("grpc")
        reviews.tokens[unbound] = account("shop", "grpc")
        for wrong, code in {
            "rubbish": grpc.StatusCode.UNAUTHENTICATED,
            unbound: grpc.StatusCode.PERMISSION_DENIED,
        }.items():
            with pytest.raises(grpc.RpcError) as caught:
                stub.Export(request(), timeout=60, metadata=list(bearer(wrong).items()))
            error: Any = caught.value
            assert error.code() is code


def test_one_way_of_access_only(start: Any, database_url: str) -> None:
    with pytest.raises(AssertionError, match="unset MEMWARDEN_TOKEN"):
        start(database_url, "--kubernetes", env={"MEMWARDEN_TOKEN": "secret"})


def test_outside_of_a_pod_the_api_server_has_to_be_named(start: Any, database_url: str) -> None:
    with pytest.raises(AssertionError, match="name the API server with --kubernetes-api"):
        start(database_url, "--kubernetes", env={"KUBERNETES_SERVICE_HOST": ""})


@pytest.mark.parametrize(
    ("method", "path", "wanted"),
    [
        ("GET", "/scopes/shop/cart-1/app@12345678-9/verdict", Need("get", namespace="shop")),
        ("POST", "/scopes/shop/cart-1/app@12345678-9/judge", Need("get", namespace="shop")),
        ("GET", "/scopes/service:shop/cart@x/series", Need("get")),
        ("GET", "/scopes/run-7/flame", Need("get")),
        ("GET", "/workloads/shop/Deployment/cart/app", Need("get", namespace="shop")),
        ("GET", "/workloads/run-7", Need("get")),
        ("GET", "/workloads/changes", Need("list")),
        ("GET", "/leaks/7", Anyone()),
        ("POST", "/alerts", Need("create", "memoryalertpolicies", subresource="alerts")),
        ("GET", "/alerts", Need("list")),
        ("GET", "/commands/7", Anyone()),
        ("DELETE", "/snapshots/7", Need("delete", SNAPSHOTS)),
        ("PUT", "/evidence/7", WRITE),
        ("DELETE", "/evidence/7", WRITE),
        ("GET", "/evidence", Need("list", SNAPSHOTS)),
        ("GET", "/evidence/7/recording", Anyone()),
        ("POST", "/decisions", WRITE),
        ("GET", "/decisions", Need("list")),
        ("PUT", "/alerts/current", WRITE),
        ("PUT", "/cluster/owners", WRITE),
        ("POST", "/commands", WRITE),
        ("POST", "/commands/7/result", OfPod("")),
        ("DELETE", "/scopes/shop/cart-1/app@12345678-9/verdict", WRITE),
        ("GET", "/nothing/known", WRITE),
    ],
)
def test_each_route_needs_its_right(method: str, path: str, wanted: object) -> None:
    assert demand(method, path, b"") == wanted
