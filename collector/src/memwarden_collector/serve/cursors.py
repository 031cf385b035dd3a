"""Cursors: where a page ended, as a text that clients don't look into."""

import base64
import binascii
from datetime import UTC, datetime

from memwarden_collector.serve.problems import ProblemError


def encode(*parts: object) -> str:
    """A cursor from its parts."""
    return base64.urlsafe_b64encode("|".join(map(str, parts)).encode()).decode().rstrip("=")


def decode_id(cursor: str | None) -> int:
    """The id in a cursor, 0 without one; raises ProblemError (400)."""
    return 0 if cursor is None else _integer(_parts(cursor, 1)[0])


def decode_text(cursor: str) -> str:
    """The one text in a cursor; raises ProblemError (400)."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, UnicodeError, ValueError):
        raise bad() from None
    if not text or "\x00" in text:
        raise bad()
    return text


def decode_moment(cursor: str | None) -> tuple[datetime, int] | None:
    """The microseconds and the id in a cursor, None without one; raises ProblemError (400)."""
    if cursor is None:
        return None
    microseconds, number = (_integer(part) for part in _parts(cursor, 2))
    try:
        return datetime.fromtimestamp(microseconds / 1e6, UTC), number
    except (OverflowError, ValueError, OSError):
        raise bad() from None


def encode_moment(at: datetime, number: int) -> str:
    """A cursor from a time and an id."""
    return encode(round(at.timestamp() * 1e6), number)


def _parts(cursor: str, count: int) -> list[str]:
    try:
        parts = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split("|")
    except (binascii.Error, UnicodeError, ValueError):
        raise bad() from None
    if len(parts) != count:
        raise bad()
    return parts


def _integer(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise bad()
    return int(text)


def bad() -> ProblemError:
    """The answer to a cursor that is none."""
    return ProblemError(400, "the cursor is not one that a page gave: leave it out to start again")
