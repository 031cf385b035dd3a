"""What the controller writes is read back, is written once however often it comes, and names what is wrong with it."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import collector_requests as otlp
import pytest
from collector_processes import Shared

from memwarden_api import cluster, names, rest
from memwarden_collector.store import cluster as store
from memwarden_collector.store.connection import Database
from memwarden_collector.store.migrate import migrate

NOON = "2026-11-20T12:00:00Z"


def owner(number: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "namespace": "shop",
        "pod": f"web-{number}",
        "pod_uid": f"uid-{number:04}",
        "kind": "Deployment",
        "name": "web",
        "version": "7d9f",
        "image": {"app": "shop:1"},
        "profile": "default",
    } | more


def restart(count: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "namespace": "shop",
        "pod": "web-0",
        "pod_uid": "uid-0",
        "container": "app",
        "restart_count": count,
        "reason": "OOMKilled",
        "exit_code": 137,
        "started_at": None,
        "finished_at": NOON,
    } | more


def rollout(version: str = "7d9f", **more: Any) -> dict[str, Any]:
    return {
        "namespace": "shop",
        "kind": "Deployment",
        "name": "web",
        "version": version,
        "revision": 3,
        "images": {"app": "shop:1"},
        "started_at": NOON,
        "finished_at": None,
    } | more


LISTS = (("owners", owner), ("restarts", restart), ("rollouts", rollout))


@pytest.mark.parametrize(("path", "make"), LISTS)
def test_what_is_written_is_read_back_and_replaced(shared: Shared, path: str, make: Any) -> None:
    namespace = shared.scope
    first = make(namespace=namespace, pod_uid=namespace) if path != "rollouts" else make(namespace=namespace)
    url = f"/api/v1/cluster/{path}"
    for items in ([first], [first], [first, {**first, **CHANGED[path]}], []):
        assert shared.client.put(url, json={"items": items}).status_code == 204
    found = shared.client.get(url, params={"namespace": namespace}).json()
    kept = {**first, **CHANGED[path]}
    assert found == {"items": [kept], "next_cursor": None}
    again = shared.client.put(url, json={"items": found["items"]})  # its own words
    assert again.status_code == 204, again.text


CHANGED: dict[str, dict[str, Any]] = {
    "owners": {"version": "8e", "image": {"app": "shop:2", "proxy": "é:3"}},
    "restarts": {"reason": "Error", "exit_code": -1, "started_at": "2026-11-20T11:00:00Z"},
    "rollouts": {"finished_at": "2026-11-20T12:05:00Z", "revision": None},
}


@pytest.mark.parametrize(("path", "make"), LISTS)
def test_pages_hold_everything_once(shared: Shared, path: str, make: Any) -> None:
    namespace = shared.scope
    keys = ("pod_uid", "restart_count", "version")
    items = [
        make(namespace=namespace)
        | ({"version": f"v{n}"} if path == "rollouts" else {"pod_uid": f"{namespace}-{n:02}"})
        for n in range(25)
    ]
    assert shared.client.put(f"/api/v1/cluster/{path}", json={"items": items[::-1]}).status_code == 204
    seen: list[Any] = []
    cursor: str | None = None
    while cursor is not None or not seen:
        query = {"namespace": namespace, "limit": 10} | ({"cursor": cursor} if cursor else {})
        page = shared.client.get(f"/api/v1/cluster/{path}", params=query).json()
        seen += page["items"]
        cursor = page["next_cursor"]
    assert sorted(seen, key=lambda one: [str(one.get(key)) for key in keys]) == sorted(
        items, key=lambda one: [str(one.get(key)) for key in keys]
    )


@pytest.mark.parametrize(
    ("path", "item", "field"),
    [
        ("owners", owner(pod="a\x00b"), "items.0.pod"),
        ("owners", owner(image={"a\x00": "x"}), "items.0.image"),
        ("owners", owner(image={"app": "x" * 1025}), "items.0.image.app"),
        ("owners", owner(name=""), "items.0.name"),
        ("owners", owner(surplus=1), "items.0.surplus"),
        ("restarts", restart(-1), "items.0.restart_count"),
        ("restarts", restart(2**31), "items.0.restart_count"),
        ("restarts", restart(exit_code=2**31), "items.0.exit_code"),
        ("restarts", restart(finished_at="9999-12-31T23:59:59-14:00"), "items.0.finished_at"),
        ("restarts", restart(finished_at="1969-12-31T23:59:59Z"), "items.0.finished_at"),
        ("rollouts", rollout(revision=2**63), "items.0.revision"),
        ("rollouts", rollout(started_at="yesterday"), "items.0.started_at"),
    ],
)
def test_what_can_not_be_kept_is_named(shared: Shared, path: str, item: dict[str, Any], field: str) -> None:
    good = {"items": [item, {**item}]}
    answer = shared.client.put(f"/api/v1/cluster/{path}", json=good)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert field in rest.Problem.model_validate_json(answer.content).detail


def test_lists_and_bodies_are_bounded(shared: Shared) -> None:
    many = [owner(number, namespace=shared.scope) for number in range(1001)]
    assert shared.client.put("/api/v1/cluster/owners", json={"items": many}).status_code == 422
    body = b'{"items": [' + b" " * (8 << 20) + b"]}"
    answers = [
        shared.client.put("/api/v1/cluster/owners", content=body),
        shared.client.put("/api/v1/cluster/owners", content=iter([body[: 5 << 20], body[5 << 20 :]])),
    ]
    for answer in answers:
        assert answer.status_code == 413
        assert "max_interface_bytes=8388608" in answer.json()["detail"]
    counted = (
        'refused_total{door="interface",limit="max_interface_bytes",reason="interface_bytes",status="413"'
    )
    assert counted in shared.client.get("/metrics").text
    assert shared.client.get("/api/v1/cluster/owners?cursor=%21").status_code == 400
    assert shared.client.get("/api/v1/cluster/owners?cursor=AA").status_code == 400
    assert shared.client.get("/api/v1/cluster/restarts?namespace=%00").status_code == 422


def test_coverage_says_how_many_pods_report(shared: Shared) -> None:
    namespace = shared.scope
    owners = [owner(n, namespace=namespace, pod_uid=f"{namespace}-{n}") for n in range(3)]
    owners.append(owner(9, namespace=namespace, pod_uid=f"{namespace}-9", profile="other"))
    shared.client.put("/api/v1/cluster/owners", json={"items": owners})
    for number, age in ((0, 0), (1, 600), (9, 0)):
        uid = f"{namespace}-{number}"
        for container in ("app", "worker"):
            more = {
                names.SCOPE_KIND: names.SCOPE_KIND_CONTAINER,
                names.K8S_POD_UID: uid,
                names.K8S_CONTAINER: container,
            }
            scope = f"{namespace}/web-{number}/{container}@{uid}"
            request = otlp.metrics(scope, time.time() - age)
            for resource in request.resource_metrics:
                resource.resource.attributes.extend(otlp.pairs(more))
            assert otlp.post_metrics(shared.client, request).status_code == 200
    url = f"/api/v1/cluster/coverage/{namespace}/default"
    skipped = [{"pod": "old", "reason": "NotCPython", "message": "no probe for it"}]
    coverage = {"matched": 4, "injected": 3, "skipped": [], "at": NOON}
    for more in ({}, {"skipped": skipped}):
        assert shared.client.put(url, json=coverage | more).status_code == 204
    other = f"/api/v1/cluster/coverage/{namespace}/empty"
    assert shared.client.put(other, json=coverage | {"matched": 0, "injected": 0}).status_code == 204
    page = shared.client.get("/api/v1/cluster/coverage", params={"namespace": namespace, "limit": 1}).json()
    found = cluster.CoveragePage.model_validate(page)
    assert [(one.profile, one.matched, one.reporting, len(one.skipped)) for one in found.items] == [
        ("default", 4, 1, 1)
    ]
    rest_of_it = {"namespace": namespace, "cursor": found.next_cursor}
    following = shared.client.get("/api/v1/cluster/coverage", params=rest_of_it).json()
    assert [(one["profile"], one["reporting"]) for one in following["items"]] == [("empty", 0)]
    assert shared.client.delete(url).status_code == 204
    assert shared.client.delete(url).status_code == 404
    assert shared.client.put(url, json=coverage | {"matched": -1}).status_code == 422


def test_what_nobody_writes_any_more_goes_but_owners_of_pods_that_live(database_url: str) -> None:
    with Database(database_url).connect("test") as connection:
        migrate(connection)
        for kind, items in (
            (store.OWNERS, [owner(0), owner(1), owner(2)]),
            (store.RESTARTS, [restart(1), restart(2)]),
            (store.ROLLOUTS, [rollout()]),
        ):
            store.write(connection, kind, items)
        ago = datetime.now(UTC) - timedelta(days=100)
        for table, where in (
            ("pod_owner", "pod <> 'web-2'"),
            ("restart", "restart_count = 1"),
            ("rollout", "true"),
        ):
            connection.execute(f"update {table} set updated_at = %s where {where}".encode(), [ago])
        connection.execute(
            "with s as (insert into scope (name, kind, seen_first, seen_last)"
            " values ('shop/web-1/app@1', 'container', now(), now()) returning scope_id)"
            " insert into resource (scope_id, fp, attrs, attrs_at, seen_first, seen_last)"
            " select scope_id, 'fp', '{\"k8s.pod.uid\": \"uid-0001\"}', now(), now(), now() from s"
        )
        assert store.delete_old(connection, timedelta(days=90)) == 3
        assert store.delete_old(connection, timedelta(days=90)) == 0
        left = [row["pod"] for _, row in store.page(connection, store.OWNERS, {}, None, 10)]
        assert left == ["web-1", "web-2"]
        counts = [row["restart_count"] for _, row in store.page(connection, store.RESTARTS, {}, None, 10)]
        assert counts == [2]
