"""The history of alerts: what Alertmanager posts is kept once, with who was told, and read back by namespace."""

from typing import Any

from collector_processes import Shared

NOON, ONE = "2026-11-22T12:00:00Z", "2026-11-22T13:00:00Z"
NEVER = "0001-01-01T00:00:00Z"


def alert(namespace: str, number: int = 1, **more: Any) -> dict[str, Any]:
    """As Alertmanager writes one."""
    return {
        "status": "firing",
        "labels": {"alertname": "MemwardenLeaking", "namespace": namespace, "workload": f"web-{number}"},
        "annotations": {"summary": "Memory leaks"},
        "startsAt": NOON,
        "endsAt": NEVER,
        "generatorURL": "http://prometheus/graph",
        "fingerprint": f"{namespace}-{number}",
    } | more


def message(*alerts: dict[str, Any], receiver: str = "shop/chat") -> dict[str, Any]:
    """A webhook's body, version 4."""
    return {
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": receiver,
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager",
        "alerts": list(alerts),
    }


def post(shared: Shared, *alerts: dict[str, Any], receiver: str = "shop/chat") -> None:
    answer = shared.client.post("/api/v1/alerts", json=message(*alerts, receiver=receiver))
    assert answer.status_code == 204, answer.text


def read(shared: Shared, **query: Any) -> list[dict[str, Any]]:
    answer = shared.client.get("/api/v1/alerts", params={"namespace": shared.scope, **query})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def test_an_alert_is_one_entry_however_often_and_for_whomever_it_is_posted(shared: Shared) -> None:
    firing = alert(shared.scope)
    resolved = firing | {"status": "resolved", "endsAt": ONE}
    for one, receiver in ((firing, "a"), (firing, "a"), (resolved, "a"), (resolved, "a"), (firing, "b")):
        post(shared, one, one, receiver=receiver)
    [found] = read(shared)
    assert (found["status"], found["starts_at"], found["ends_at"]) == ("resolved", NOON, ONE)
    assert found["receivers"] == ["a", "b"]
    assert found["name"] == "MemwardenLeaking"
    assert found["labels"] == firing["labels"]
    assert found["annotations"] == firing["annotations"]
    assert found["first_posted_at"] < found["last_posted_at"]


def test_one_that_fires_again_is_another_entry_with_the_same_fingerprint(shared: Shared) -> None:
    first = alert(shared.scope, status="resolved", endsAt=ONE)
    post(shared, first)
    post(shared, alert(shared.scope, startsAt="2026-11-22T14:00:00Z"), alert(shared.scope, 2))
    found = read(shared, fingerprint=first["fingerprint"])
    assert [(one["status"], one["starts_at"][11:13]) for one in found] == [
        ("firing", "14"),
        ("resolved", "12"),
    ]
    assert len(read(shared, status="firing")) == 2
    assert [one["fingerprint"] for one in read(shared, status="resolved")] == [first["fingerprint"]]


SILENCE = {"id": "s-1", "created_by": "ada", "comment": "the fix is on its way", "ends_at": ONE}


def current(shared: Shared, *items: dict[str, Any], complete: bool = True) -> None:
    answer = shared.client.put("/api/v1/alerts/current", json={"items": list(items), "complete": complete})
    assert answer.status_code == 204, answer.text


def firing(shared: Shared, number: int, *silences: dict[str, Any]) -> dict[str, Any]:
    """As the controller tells one that Alertmanager has."""
    found = alert(shared.scope, number)
    about = {"fingerprint": found["fingerprint"], "starts_at": NOON, "labels": found["labels"]}
    return {**about, "annotations": found["annotations"], "silences": list(silences)}


def test_what_is_silenced_stands_in_the_history_with_who_did_it(shared: Shared) -> None:
    post(shared, alert(shared.scope, 1))
    for _ in range(2):
        current(shared, firing(shared, 1, SILENCE), firing(shared, 2, SILENCE))
    never_told, told = read(shared)
    assert (told["silences"], told["receivers"]) == ([SILENCE], ["shop/chat"])
    assert (never_told["silences"], never_told["receivers"], never_told["status"]) == (
        [SILENCE],
        [],
        "firing",
    )
    assert never_told["labels"]["workload"] == "web-2"
    current(shared, firing(shared, 1))
    current(shared, firing(shared, 2), complete=False)
    assert [one["silences"] for one in read(shared)] == [[], []], "the silence has ended"
    over, firing_still = read(shared)
    assert (over["status"], firing_still["status"]) == ("resolved", "firing"), (
        "its end is for Alertmanager to post"
    )


def test_pages_go_from_the_newest_to_the_oldest(shared: Shared) -> None:
    post(shared, *(alert(shared.scope, number) for number in range(5)))
    seen, cursor = [], None
    while True:
        query = {"namespace": shared.scope, "limit": 2} | ({"cursor": cursor} if cursor else {})
        page = shared.client.get("/api/v1/alerts", params=query).json()
        seen += [one["fingerprint"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(seen) == sorted({f"{shared.scope}-{number}" for number in range(5)})
    assert len(seen) == 5


def test_what_is_no_message_is_refused_by_its_field(shared: Shared) -> None:
    for wrong, field in (
        ({"alerts": "many"}, "alerts"),
        (message(alert("x", fingerprint="")), "fingerprint"),
        (message(alert("x", labels={"a": "\x00"})), "labels"),
        (message(alert("x", startsAt="today")), "startsAt"),
        (message(alert("x", status="silent")), "status"),
    ):
        answer = shared.client.post("/api/v1/alerts", json=wrong)
        assert answer.status_code == 422, answer.text
        assert field in answer.json()["detail"]
    assert shared.client.get("/api/v1/alerts", params={"status": "silent"}).status_code == 422
    assert shared.client.get("/api/v1/alerts", params={"cursor": "!"}).status_code == 400
