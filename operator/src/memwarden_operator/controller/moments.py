"""Times as the Kubernetes API writes them: RFC 3339, UTC."""

from datetime import UTC, datetime


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
