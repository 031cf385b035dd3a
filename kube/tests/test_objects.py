"""Lists, watches, apply, events and eviction, against answers as an API server gives them, also bad ones."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from memwarden_kube.apply import MANAGER_STATUS, apply
from memwarden_kube.client import Client, connect
from memwarden_kube.errors import Conflict, Forbidden, KubeError, Unreachable
from memwarden_kube.events import Regarding, Told, post
from memwarden_kube.eviction import evict
from memwarden_kube.lists import get, pages
from memwarden_kube.objects import NAMESPACES, PODS, PROFILES
from memwarden_kube.watch import Alive, Changed, Followed, Listed, Listing, follow

NOW = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
Answer = web.StreamResponse | dict[str, Any] | tuple[int, dict[str, Any]]
Handler = Callable[[web.Request], Awaitable[Answer]]


def pod(name: str, version: int = 1) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "shop", "resourceVersion": str(version)}}


def page(*names: str, version: int = 10, following: str = "") -> dict[str, Any]:
    return {
        "metadata": {"resourceVersion": str(version)} | ({"continue": following} if following else {}),
        "items": [pod(name) for name in names],
    }


def failure(code: int, message: str = "no") -> tuple[int, dict[str, Any]]:
    return code, {"kind": "Status", "code": code, "message": message}


def with_server(folder: Path, handler: Handler, run: Callable[[Client], Awaitable[Any]]) -> Any:
    """Run against a server that answers as `handler` says."""

    async def answered(request: web.Request) -> web.StreamResponse:
        answer = await handler(request)
        if isinstance(answer, web.StreamResponse):
            return answer
        status, body = answer if isinstance(answer, tuple) else (200, answer)
        headers = {"Retry-After": "0"} if status == 429 else {}
        return web.json_response(body, status=status, headers=headers)

    async def whole() -> Any:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answered)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        path = folder / "kubeconfig"
        path.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "x",
                    "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
                    "clusters": [
                        {"name": "x", "cluster": {"server": f"http://127.0.0.1:{runner.addresses[0][1]}"}}
                    ],
                    "users": [{"name": "x", "user": {"token": "a-token"}}],
                }
            )
        )
        try:
            async with await connect(path) as client:
                return await asyncio.wait_for(run(client), 60)
        finally:
            await runner.cleanup()

    return asyncio.run(whole())


async def stream(request: web.Request, *parts: bytes) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for part in parts:
        await response.write(part)
        await asyncio.sleep(0.01)
    return response


def line(kind: str, found: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": found}).encode() + b"\n"


async def collected(client: Client, count: int, errors: list[KubeError] | None = None) -> list[Followed]:
    """The first steps of a watch, signs of life left out."""
    found: list[Followed] = []
    note = errors.append if errors is not None else (lambda error: None)
    async for step in follow(client, PODS, "shop", labels="ours", on_error=note):
        if not isinstance(step, Alive):
            found.append(step)
        if len(found) == count:
            break
    return found


def told(steps: list[Followed]) -> list[str]:
    found = []
    for step in steps:
        if isinstance(step, Listing):
            found.append("page " + ",".join(one["metadata"]["name"] for one in step.objects))
        elif isinstance(step, Listed):
            found.append("listed")
        elif isinstance(step, Changed):
            found.append(("gone " if step.gone else "changed ") + step.object["metadata"]["name"])
    return found


def test_paths_and_names_of_resources() -> None:
    assert PODS.path("shop", "web-1", "eviction") == "/api/v1/namespaces/shop/pods/web-1/eviction"
    assert PODS.path() == "/api/v1/pods"
    assert NAMESPACES.path("", "a/b") == "/api/v1/namespaces/a%2Fb"
    assert (
        PROFILES.path("shop", "x", "status")
        == "/apis/memwarden.dev/v1alpha1/namespaces/shop/memoryprofiles/x/status"
    )
    assert PROFILES.named("status") == "memoryprofiles.memwarden.dev/status"


def test_a_list_is_read_page_by_page_with_our_token(tmp_path: Path) -> None:
    seen: list[tuple[dict[str, str], str, str]] = []

    async def handler(request: web.Request) -> Answer:
        seen.append((dict(request.query), request.headers["Accept"], request.headers["Authorization"]))
        return page("b") if "continue" in request.query else page("a", following="next/=")

    async def run(client: Client) -> list[str]:
        found = pages(client, PODS, "shop", labels="!ours", fields="x=y", metadata=True, size=1)
        return [one["metadata"]["name"] async for items, _ in found for one in items]

    assert with_server(tmp_path, handler, run) == ["a", "b"]
    assert seen[0][0] == {"limit": "1", "labelSelector": "!ours", "fieldSelector": "x=y"}
    assert seen[1][0]["continue"] == "next/="
    assert all("PartialObjectMetadataList" in accept for _, accept, _ in seen)
    assert {token for _, _, token in seen} == {"Bearer a-token"}


def test_a_list_that_outlives_its_snapshot_begins_anew(tmp_path: Path) -> None:
    answers: list[Answer] = [page("a", following="x"), failure(410, "expired"), page("a", "b")]

    async def handler(request: web.Request) -> Answer:
        return answers.pop(0)

    async def run(client: Client) -> list[str]:
        return [one["metadata"]["name"] async for items, _ in pages(client, PODS, "shop") for one in items]

    assert with_server(tmp_path, handler, run) == ["a", "a", "b"]


def test_a_missing_right_is_named(tmp_path: Path) -> None:
    async def handler(request: web.Request) -> Answer:
        return failure(403, 'pods is forbidden: User "x" cannot get')

    with pytest.raises(Forbidden, match="grant the verb 'get' on 'pods' in namespace shop"):
        with_server(tmp_path, handler, lambda client: get(client, PODS, "shop", "web"))


def test_an_answer_that_is_no_json_may_be_asked_for_again(tmp_path: Path) -> None:
    async def handler(request: web.Request) -> Answer:
        return web.Response(text="<html>a proxy's page</html>")

    with pytest.raises(Unreachable, match="no JSON"):
        with_server(tmp_path, handler, lambda client: get(client, PODS, "shop", "web"))


def test_a_watch_lists_then_follows_and_goes_on_where_it_was(tmp_path: Path) -> None:
    versions: list[str] = []

    async def handler(request: web.Request) -> Answer:
        if "watch" not in request.query:
            return page("a", following="" if "continue" in request.query else "x")
        versions.append(request.query["resourceVersion"])
        if len(versions) == 1:
            whole = line("MODIFIED", pod("a", 11)) + line("BOOKMARK", pod("", 15))
            return await stream(request, whole[:25], whole[25:])  # a line comes in parts
        return await stream(request, line("DELETED", pod("a", 16)))

    steps = with_server(tmp_path, handler, lambda client: collected(client, 5))
    assert told(steps) == ["page a", "page a", "listed", "changed a", "gone a"]
    assert versions == ["10", "15"], "it goes on from the bookmark"


def test_a_forgotten_version_is_listed_again(tmp_path: Path) -> None:
    lists = [page("a"), page("b", version=20)]
    versions: list[str] = []

    async def handler(request: web.Request) -> Answer:
        if "watch" not in request.query:
            return lists.pop(0)
        versions.append(request.query["resourceVersion"])
        if len(versions) == 1:
            return await stream(request, line("ERROR", {"kind": "Status", "code": 410, "message": "too old"}))
        return await stream(request, line("ADDED", pod("c", 21)))

    steps = with_server(tmp_path, handler, lambda client: collected(client, 5))
    assert told(steps) == ["page a", "listed", "page b", "listed", "changed c"]
    assert versions == ["10", "20"]


def test_a_list_that_breaks_off_is_not_taken_for_whole(tmp_path: Path) -> None:
    answers: list[Answer] = [page("a", following="x"), failure(500), page("a", following="x"), page("b")]

    async def handler(request: web.Request) -> Answer:
        return await stream(request, line("ADDED", pod("c"))) if "watch" in request.query else answers.pop(0)

    errors: list[KubeError] = []
    steps = with_server(tmp_path, handler, lambda client: collected(client, 5, errors))
    assert told(steps) == ["page a", "page a", "page b", "listed", "changed c"]
    assert len(errors) == 1


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_watch_survives_refusals_and_says_them(tmp_path: Path, status: int) -> None:
    count = 0

    async def handler(request: web.Request) -> Answer:
        nonlocal count
        count += 1
        if count == 1:
            return failure(status)
        return page("a") if "watch" not in request.query else await stream(request, b"")

    errors: list[KubeError] = []
    assert told(with_server(tmp_path, handler, lambda client: collected(client, 2, errors))) == [
        "page a",
        "listed",
    ]
    assert len(errors) == 1


def test_a_connection_cut_in_the_middle_of_a_line_loses_nothing(tmp_path: Path) -> None:
    versions: list[str] = []

    async def handler(request: web.Request) -> Answer:
        if "watch" not in request.query:
            return page("a")
        versions.append(request.query["resourceVersion"])
        whole = line("MODIFIED", pod("a", 11)), line("MODIFIED", pod("b", 12))
        if len(versions) == 1:
            response = await stream(request, whole[0], whole[1][:20])
            assert request.transport is not None
            request.transport.abort()
            return response
        return await stream(request, whole[1])

    steps = with_server(tmp_path, handler, lambda client: collected(client, 4))
    assert told(steps) == ["page a", "listed", "changed a", "changed b"]
    assert versions == ["10", "11"]


def test_apply_names_its_manager_and_sends_nothing_but_its_fields(tmp_path: Path) -> None:
    sent: list[tuple[str, str, dict[str, str], Any]] = []

    async def handler(request: web.Request) -> Answer:
        sent.append(
            (request.path, request.headers["Content-Type"], dict(request.query), await request.json())
        )
        return sent[0][3]  # type: ignore[no-any-return] # what came

    with_server(
        tmp_path,
        handler,
        lambda client: apply(
            client, PROFILES, "shop", "x", {"status": {"leaks": 1}}, MANAGER_STATUS, "status", "u1"
        ),
    )
    ((path, content_type, query, body),) = sent
    assert path.endswith("/memoryprofiles/x/status")
    assert content_type == "application/apply-patch+yaml"
    assert query == {"fieldManager": "memwarden-status", "force": "true"}
    assert body == {
        "apiVersion": "memwarden.dev/v1alpha1",
        "kind": "MemoryProfile",
        "metadata": {"name": "x", "namespace": "shop", "uid": "u1"},
        "status": {"leaks": 1},
    }


def test_an_object_made_anew_is_not_written(tmp_path: Path) -> None:
    async def handler(request: web.Request) -> Answer:
        return failure(409, "uid mismatch")

    with pytest.raises(Conflict):
        with_server(tmp_path, handler, lambda client: apply(client, PROFILES, "shop", "x", {}, "m", uid="u1"))


TOLD = Told(Regarding("apps/v1", "Deployment", "shop", "web", "u1"), "MemoryLeakSuspected", "it leaks" * 1000)


def test_an_event_told_again_is_counted_up(tmp_path: Path) -> None:
    events: dict[str, Any] = {}

    async def handler(request: web.Request) -> Answer:
        name = request.path.rsplit("/", 1)[1]
        if request.method == "POST":
            body = await request.json()
            if body["metadata"]["name"] in events:
                return failure(409)
            events[body["metadata"]["name"]] = body
            return 201, body
        if request.method == "PATCH":
            events[name] |= await request.json()
        return events[name]  # type: ignore[no-any-return] # what was sent

    async def run(client: Client) -> None:
        for _ in range(3):
            await post(client, TOLD, "memwarden.dev/controller", "c-1", NOW)

    with_server(tmp_path, handler, run)
    (event,) = events.values()
    assert event["series"]["count"] == 3
    assert (event["regarding"]["kind"], event["regarding"]["uid"], event["type"]) == (
        "Deployment",
        "u1",
        "Warning",
    )
    assert len(event["note"].encode()) <= 1024


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(201, "Evicted"), (404, "Gone"), (409, "Gone"), (429, "Blocked"), (500, "Refused")],
)
def test_an_eviction_says_what_became_of_it(tmp_path: Path, status: int, outcome: str) -> None:
    bodies: list[Any] = []

    async def handler(request: web.Request) -> Answer:
        bodies.append(await request.json())
        return failure(status) if status >= 400 else (status, {})

    found = with_server(tmp_path, handler, lambda client: evict(client, "shop", "web", "u1"))
    assert found.outcome == outcome
    assert bodies[0]["deleteOptions"] == {"preconditions": {"uid": "u1"}}
