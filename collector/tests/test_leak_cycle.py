"""The life of a leak as a table: what is there, what is seen, what becomes of it."""

from dataclasses import replace

import pytest

from memwarden_collector.analysis.leak_cycle import Leak, Sighting, step

NOW, HOUR = 1_000_000.0, 3600.0
LEAK = Leak("f", "growing", 0, NOW - 9 * HOUR, NOW - HOUR, NOW - HOUR, None, "v1", "v1")
NOTHING = Sighting(False, False, NOW, "v1", True, None)
PAUSES = replace(NOTHING, leaking=True)
GROWS = replace(PAUSES, growing=True)
GONE = replace(NOTHING, living=False)
MENDED = replace(NOTHING, clean_version="v2")
AGAIN = replace(GROWS, version="v3")


@pytest.mark.parametrize(
    ("before", "seen", "after", "returns", "reason"),
    [
        (None, NOTHING, None, 0, ""),
        (None, GROWS, "growing", 0, "called a leak for the first time"),
        (None, PAUSES, "open", 0, "called a leak for the first time"),
        ("open", GROWS, "growing", 0, "its growth is seen"),
        ("open", PAUSES, "open", 0, ""),
        ("open", NOTHING, "quiet", 0, "it is no longer called a leak"),
        ("growing", GROWS, "growing", 0, ""),
        ("growing", PAUSES, "open", 0, "its growth is not seen at the moment"),
        ("growing", NOTHING, "quiet", 0, "it is no longer called a leak"),
        ("growing", GONE, "quiet", 0, "no container of the workload sends any more"),
        ("growing", MENDED, "quiet", 0, "it is no longer called a leak"),
        ("quiet", NOTHING, "quiet", 0, ""),
        ("quiet", GONE, "quiet", 0, ""),
        ("quiet", MENDED, "closed", 0, "version v2 runs without it"),
        ("quiet", GROWS, "growing", 1, "it is back after it was quiet"),
        ("quiet", PAUSES, "open", 1, "it is back after it was quiet"),
        ("closed", NOTHING, "closed", 0, ""),
        ("closed", MENDED, "closed", 0, ""),
        ("closed", AGAIN, "growing", 1, "it is back after it was closed, now with version v3"),
    ],
)
def test_what_becomes_of_a_leak(
    before: str | None, seen: Sighting, after: str | None, returns: int, reason: str
) -> None:
    leak = None if before is None else replace(LEAK, state=before)  # type: ignore[arg-type]
    went = step(leak, "f", seen, NOW, 24 * HOUR)
    if after is None:
        assert went is None
        return
    assert went is not None
    assert (went.leak.state, went.leak.returns, went.reason) == (after, returns, reason)
    moved = leak is None or leak.state != after
    assert went.leak.changed_at == (NOW if moved else LEAK.changed_at)
    assert (went.leak.closed_at is not None) == (after == "closed" and before != "closed")


@pytest.mark.parametrize(("quiet_hours", "after"), [(23.9, "quiet"), (24.0, "closed"), (1000.0, "closed")])
def test_quiet_for_long_enough_is_closed(quiet_hours: float, after: str) -> None:
    leak = replace(LEAK, state="quiet", changed_at=NOW - quiet_hours * HOUR)
    went = step(leak, "f", NOTHING, NOW, 24 * HOUR)
    assert went is not None
    assert went.leak.state == after


def test_a_leak_remembers_its_first_version_and_when_it_was_seen_last() -> None:
    went = step(replace(LEAK, state="closed", closed_at=NOW), "f", replace(AGAIN, at=NOW + 5), NOW, HOUR)
    assert went is not None
    assert (went.leak.first_version, went.leak.last_version) == ("v1", "v3")
    assert (went.leak.first_seen, went.leak.last_seen, went.leak.closed_at) == (
        LEAK.first_seen,
        NOW + 5,
        None,
    )
    older = step(LEAK, "f", replace(GROWS, at=NOW - 8 * HOUR), NOW, HOUR)
    assert older is not None
    assert older.leak.last_seen == LEAK.last_seen, "late data takes nothing back"
