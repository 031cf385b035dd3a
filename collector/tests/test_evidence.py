"""Evidence: begun once, taken by the pod's sidecar, kept as it was at that moment; or refused, with the reason."""

import hashlib
import io
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from collector_processes import Collector, Shared
from reporting_pod import MIB, Pod

from memwarden_api import names
from memwarden_core.recording_file import read_recording


@pytest.fixture
def pod(shared: Shared) -> Pod:
    made = Pod(shared.client, shared.scope)
    made.tick()
    made.profile()
    return made


def test_what_is_asked_for_comes_and_is_kept_as_it_was(pod: Pod) -> None:
    client, id = pod.client, str(uuid4())
    begun = pod.ask(id)
    assert (begun["state"], begun["scope"]) == ("Capturing", pod.scope)
    assert client.get(f"/api/v1/evidence/{id}/recording").status_code == 409
    commands = pod.commands()
    assert sorted(one["kind"] for one in commands) == ["Census", "Profile"]
    for one in commands:
        pod.answer(one)
    assert pod.ask(id)["state"] == "Capturing", "what the sidecar sent has not come yet"
    pod.profile(2)
    assert pod.ask(id)["state"] == "Capturing", "nor has the histogram"
    pod.tick()
    done = pod.ask(id, container="other")
    assert (done["state"], done["reason"], done["container"]) == ("Done", names.CAPTURED, "app")
    assert pod.commands() == [], "nothing is asked for twice"

    content = client.get(f"/api/v1/evidence/{id}/recording").content
    assert (len(content), hashlib.sha256(content).hexdigest()) == (done["size"], done["sha256"])
    recording = read_recording(io.BytesIO(content))
    assert recording.scope == pod.scope
    newest = max(recording.profiles, key=lambda one: one.time)
    assert recording.stacks[newest.stacks[0]][0].line == 2
    pod.tick()
    assert client.get(f"/api/v1/evidence/{id}/recording").content == content
    assert client.get(f"/api/v1/evidence/{id}").json() == pod.ask(id)

    listed = client.get("/api/v1/evidence", params={"namespace": "shop", "limit": 1}).json()
    assert [one["id"] for one in listed["items"]] == [id]
    for _ in range(2):
        assert client.delete(f"/api/v1/evidence/{id}").status_code == 204
    assert client.get(f"/api/v1/evidence/{id}").status_code == 404


def test_one_kind_is_one_command(pod: Pod) -> None:
    for kind, command in (("Profile", "Profile"), ("Histogram", "Census")):
        id = str(uuid4())
        pod.ask(id, kinds=[kind])
        assert [one["kind"] for one in pod.commands()] == [command]
        pod.client.delete(f"/api/v1/evidence/{id}")


def test_what_a_sidecar_could_not_do_and_what_is_not_heard_of(shared: Shared, pod: Pod) -> None:
    id = str(uuid4())
    pod.ask(id)
    for one in pod.commands():
        pod.answer(one, False, "no process whose allocation sites are known")
    failed = pod.ask(id)
    assert (failed["state"], failed["reason"]) == ("Failed", names.CAPTURE_NOT_DONE)
    assert "no process whose allocation sites are known" in failed["message"]

    unknown = Pod(shared.client, f"unknown-{shared.scope}").ask(str(uuid4()))
    assert (unknown["state"], unknown["reason"]) == ("Refused", names.CAPTURE_SILENT)

    id = str(uuid4())
    pod.ask(id)
    shared.rows(
        "update evidence set made_at = made_at - interval '2 minutes' where evidence_id = %s returning 1", id
    )
    late = pod.ask(id)
    assert (late["state"], late["reason"]) == ("Failed", names.CAPTURE_LATE)
    assert "its sidecar did not fetch the command" in late["message"]


def test_without_room_a_histogram_is_refused_and_a_profile_is_not(pod: Pod) -> None:
    pod.tick(anon=2**30 - MIB)  # its limit is a GiB
    refused = pod.ask(str(uuid4()))
    assert (refused["state"], refused["reason"]) == ("Refused", names.CAPTURE_NO_HEADROOM)
    assert "1 MiB left" in refused["message"]
    assert pod.commands() == []
    assert pod.ask(str(uuid4()), kinds=["Profile"])["state"] == "Capturing"


def test_budgets_and_the_end(
    start: Callable[..., Collector], database_url: str, rows: Callable[..., list[Any]]
) -> None:
    """Of a pod in an hour, of all bytes, of one recording; and what has expired is deleted."""
    options = ("--max-pod-evidence", "1", "--max-evidence-bytes", "2048", "--max-all-evidence-bytes", "4096")
    collector = start(database_url, *options, "--upkeep-seconds", "0.2")
    pods = [Pod(collector.client, f"web-{number}") for number in range(3)]
    for one in pods:
        one.tick()
        one.profile()
    first = str(uuid4())
    pods[0].ask(first)
    pods[0].obey()
    done = pods[0].ask(first)
    assert done["state"] == "Done", done
    spent = pods[0].ask(str(uuid4()))
    assert (spent["reason"], "max_pod_evidence=1" in spent["message"]) == (names.CAPTURE_BUDGET, True)
    rows("update evidence set size = 3000 where evidence_id = %s returning 1", first)
    full = pods[1].ask(str(uuid4()))
    assert (full["reason"], "max_all_evidence_bytes=4096" in full["message"]) == (
        names.CAPTURE_NO_SPACE,
        True,
    )

    rows("update evidence set expires_at = now() returning 1")
    decision = dict.fromkeys(
        ("id", "namespace", "profile", "kind", "name", "action", "result", "reason"), "x"
    )
    told = collector.client.post(
        "/api/v1/decisions", json={"items": [decision | {"at": "2020-01-01T00:00:00Z"}]}
    )
    assert told.status_code == 204, told.text
    until = time.monotonic() + 60
    while rows("select 1 from evidence") or rows("select 1 from decision"):
        assert time.monotonic() < until, "what has expired is not deleted"
        time.sleep(0.05)

    for number in range(400):
        pods[2].tick(anon=100 * MIB + 12345.678 * number**1.7)
    large = str(uuid4())
    pods[2].ask(large)
    pods[2].obey()
    found = pods[2].ask(large)
    assert (found["state"], found["reason"]) == ("Failed", names.CAPTURE_TOO_LARGE)


def test_what_is_wrong_is_named(shared: Shared) -> None:
    pod = Pod(shared.client, shared.scope)
    for more, field in (
        ({"kinds": []}, "kinds"),
        ({"kinds": ["HeapGraph"]}, "kinds"),
        ({"keep_seconds": 1}, "keep_seconds"),
        ({"container": ""}, "container"),
        ({"pid": 0}, "pid"),
    ):
        answer = shared.client.put(f"/api/v1/evidence/{uuid4()}", json=pod.wanted(**more))
        assert (answer.status_code, field in answer.json()["detail"]) == (422, True)
    assert shared.client.get(f"/api/v1/evidence/{uuid4()}").status_code == 404
    assert shared.client.get("/api/v1/evidence/no-id").status_code == 422
