"""Events of the Prometheus operator: which of them is about what stands there now."""

from typing import Any

import pytest

from memwarden_operator.alerts import left_out

MADE = {
    "metadata": {
        "name": "memwarden-shop",
        "uid": "4711",
        "managedFields": [
            {"manager": "somebody", "time": "2026-11-22T15:00:00Z"},
            {"manager": "memwarden-controller", "time": "2026-11-22T12:00:00Z"},
        ],
    }
}


def event(at: str, note: str = "no\n such Secret", uid: str = "4711", **more: Any) -> dict[str, Any]:
    regarding = {"name": "memwarden-shop", "uid": uid}
    about = {"name": "x", "creationTimestamp": at}
    return {"metadata": about, "regarding": regarding, "note": note, "deprecatedLastTimestamp": at} | more


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([], ""),
        ([event("2026-11-22T12:00:00Z")], "no such Secret"),
        ([event("2026-11-22T11:59:30Z")], "no such Secret"),  # by another clock
        ([event("2026-11-22T11:00:00Z")], ""),  # of what it was before
        ([event("2026-11-22T13:00:00Z", uid="of one of the same name before")], ""),
        ([event("2026-11-22T13:00:00Z", "last"), event("2026-11-22T12:30:00Z", "first")], "last"),
        ([event("2026-11-22T11:00:00Z", series={"lastObservedTime": "2026-11-22T13:00:00.5Z"})], "no such Secret"),
        ([event("2026-11-22T13:00:00Z", regarding=None)], ""),
    ],
)  # fmt: skip
def test_its_last_words_on_the_object_as_it_is(events: list[dict[str, Any]], words: str) -> None:
    assert left_out.why(MADE, events) == words


def test_an_object_that_does_not_say_when_it_was_written_is_as_it_always_was() -> None:
    made = {"metadata": {"name": "memwarden-shop", "uid": "4711"}}
    assert left_out.why(made, [event("2026-11-22T11:00:00Z")]) == "no such Secret"
    assert left_out.is_on(event("2026-11-22T11:00:00Z"), "memwarden-shop")
    assert not left_out.is_on({"regarding": None}, "memwarden-shop")
