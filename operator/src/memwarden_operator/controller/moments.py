"""Times as the Kubernetes API writes them: RFC 3339, UTC."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def moment(text: str) -> datetime:
    """`2026-11-21T20:00:00Z` and with fractions to an aware datetime; ValueError for anything else."""
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def moment_or_none(text: str | None) -> datetime | None:
    return moment(text) if text else None


def written(at: datetime) -> str:
    """Whole seconds, as metav1.Time is."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def written_exactly(at: datetime) -> str:
    """With microseconds, as metav1.MicroTime is."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def last_seen(event: Mapping[str, Any]) -> datetime:
    """Of events.k8s.io: of new events and of those in the old form, which most controllers still write."""
    series = event.get("series") or {}
    for text in (
        series.get("lastObservedTime"),
        event.get("deprecatedLastTimestamp"),
        event.get("eventTime"),
    ):
        if text:
            return moment(text)
    made = moment_or_none(event["metadata"].get("creationTimestamp"))
    return made if made is not None else moment("1970-01-01T00:00:00Z")
