"""What Alertmanager has of our alerts now, and which silences hold them back, as the collector is told. Pure.

An alert that is silenced from its beginning is posted to nobody: this is the only word of it. What can't be read is
left out.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

from pydantic import ValidationError

from memwarden_api.alerts import CurrentAlert, CurrentAlerts, Silence

MOST: Final = 1000
_MOST_SILENCES: Final = 16


def current(alerts: Iterable[Mapping[str, Any]], silences: Iterable[Mapping[str, Any]]) -> CurrentAlerts:
    """From Alertmanager's /api/v2/alerts and /api/v2/silences."""
    known = {str(one.get("id")): one for one in silences}
    found = [made for one in alerts if (made := _alert(one, known)) is not None]
    return CurrentAlerts(items=tuple(found[:MOST]), complete=len(found) <= MOST)


def _alert(given: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> CurrentAlert | None:
    held_by = (given.get("status") or {}).get("silencedBy") or ()
    held = [made for id in held_by if (made := _silence(str(id), known.get(str(id), {}))) is not None]
    with suppress(ValidationError):
        return CurrentAlert.model_validate(
            {
                "fingerprint": given.get("fingerprint"),
                "starts_at": given.get("startsAt"),
                "labels": given.get("labels") or {},
                "annotations": given.get("annotations") or {},
                "silences": tuple(held[:_MOST_SILENCES]),
            }
        )
    return None


def _silence(id: str, given: Mapping[str, Any]) -> Silence | None:
    with suppress(ValidationError):
        return Silence.model_validate(
            {
                "id": id,
                "created_by": str(given.get("createdBy", ""))[:253],
                "comment": str(given.get("comment", ""))[:1024],
                "ends_at": given.get("endsAt"),
            }
        )
    return None
