"""The routes of alerts: Alertmanager's webhook, and the history that it makes."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response

from memwarden_api import alerts as api
from memwarden_collector.serve import cursors
from memwarden_collector.store import alerts
from memwarden_collector.store.connection import Database

_MAX_PAGE: Final = 500
_WRITTEN: Final[dict[int | str, dict[str, Any]]] = {204: {"description": "Written, after the commit"}}
_Chosen = Annotated[str | None, Query(max_length=253, pattern="^[^\\x00]+$")]


def add_alert_routes(router: APIRouter, database: Database) -> None:
    @router.post("/alerts", operation_id="postAlerts", status_code=204, responses=_WRITTEN)
    def post_alerts(message: api.AlertMessage) -> Response:
        """For a `webhook_config` of Alertmanager. The same message again changes nothing."""
        if message.alerts:
            with database.lend() as connection:
                alerts.write(connection, message)
        return Response(status_code=204)

    @router.put("/alerts/current", operation_id="putCurrentAlerts", status_code=204, responses=_WRITTEN)
    def put_current(now: api.CurrentAlerts) -> Response:
        """For the controller: what fires now in Alertmanager, and which silences hold it back."""
        with database.lend() as connection:
            alerts.note_current(connection, now)
        return Response(status_code=204)

    @router.get("/alerts", operation_id="listAlerts")
    def list_alerts(
        namespace: _Chosen = None,
        fingerprint: _Chosen = None,
        status: Literal["firing", "resolved"] | None = None,
        cursor: Annotated[
            str | None, Query(description="Where the page before ended", max_length=200)
        ] = None,
        limit: Annotated[int, Query(ge=1, le=_MAX_PAGE, description="Items of a page")] = 100,
    ) -> api.AlertPage:
        """Alerts that were posted or silenced, the newest first."""
        with database.lend() as connection:
            found = alerts.page(
                connection,
                namespace=namespace,
                fingerprint=fingerprint,
                firing=None if status is None else status == "firing",
                before=None if cursor is None else cursors.decode_id(cursor),
                count=limit + 1,
            )
        following = cursors.encode(found[limit - 1]["alert_id"]) if len(found) > limit else None
        return api.AlertPage(items=tuple(map(_alert, found[:limit])), next_cursor=following)


def _alert(row: dict[str, Any]) -> api.Alert:
    number = row.pop("alert_id")
    status = "firing" if row["ends_at"] is None else "resolved"
    return api.Alert.model_validate(
        {
            **row,
            "id": str(number),
            "status": status,
            "receivers": tuple(row["receivers"]),
            "silences": tuple(row["silences"]),
        }
    )
