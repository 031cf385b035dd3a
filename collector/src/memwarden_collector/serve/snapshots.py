"""The routes of snapshots: their state for who uploads them, their bytes for who may read them."""

from collections.abc import Iterable
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, Response

from memwarden_api import snapshots as api
from memwarden_api.scopes import is_scope_of_pod
from memwarden_collector.access.caller import SNAPSHOTS, Need
from memwarden_collector.access.request import caller, require
from memwarden_collector.serve import cursors
from memwarden_collector.serve.problems import ProblemError
from memwarden_collector.serve.services import Services
from memwarden_collector.snapshot_keeper import SnapshotKeeper
from memwarden_collector.store import events, snapshots
from memwarden_collector.store.connection import Database
from memwarden_collector.store.snapshots import SnapshotRow

_MAX_PAGE: Final = 100
_MAX_RANGES: Final = 1000
_MAX_EVENTS: Final = 500
_Cursor = Annotated[str | None, Query(description="Where the page before ended", max_length=200)]
_Count = Annotated[int, Query(alias="limit", ge=1, le=_MAX_PAGE, description="Items of a page")]
_Scope = Annotated[str | None, Query(max_length=256, pattern="^[^\\x00]+$")]
_DELETED: Final[dict[int | str, dict[str, Any]]] = {204: {"description": "Gone, with its bytes"}}
_BYTES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The bytes", "content": {"application/octet-stream": {}}}
}


def add_snapshot_routes(router: APIRouter, database: Database, services: Services) -> None:
    """Bytes are where the collector is that took them."""
    keeper = services.keeper

    def find(snapshot_id: UUID) -> SnapshotRow:
        with database.lend() as connection:
            found = snapshots.find(connection, snapshot_id)
        if found is None:
            raise ProblemError(404, f"there is no snapshot {snapshot_id}")
        return found

    @router.get("/snapshots", operation_id="listSnapshots")
    def list_snapshots(scope: _Scope = None, cursor: _Cursor = None, limit: _Count = 50) -> api.SnapshotPage:
        """Snapshots, the newest first."""
        with database.lend() as connection:
            found = snapshots.page(connection, scope, _before(cursor), limit + 1)
        following = cursors.encode(found[limit - 1].snapshot_id) if len(found) > limit else None
        return api.SnapshotPage(
            items=tuple(_snapshot(row, keeper) for row in found[:limit]), next_cursor=following
        )

    @router.get("/snapshots/{id}", operation_id="getSnapshot")
    def get_snapshot(id: UUID, request: Request) -> api.Snapshot:
        """Its state, and the chunks that are missing: an upload that was cut off goes on with them."""
        found = find(id)
        pod = caller(request).pod
        if pod is None or not is_scope_of_pod(found.scope, pod.namespace, pod.name, pod.uid):
            require(request, Need("get", SNAPSHOTS))
        return _snapshot(found, keeper)

    @router.get(
        "/snapshots/{id}/content",
        operation_id="getSnapshotContent",
        response_class=FileResponse,
        responses=_BYTES,
    )
    def get_content(id: UUID) -> FileResponse:
        """The bytes of a complete snapshot; ranges can be asked for."""
        found = find(id)
        file = None if keeper is None else keeper.content(found)
        if file is None:
            state = "is at another collector" if found.state == snapshots.COMPLETE else f"is {found.state}"
            raise ProblemError(409, f"snapshot {id} {state}: its bytes can't be read here")
        return FileResponse(file, media_type="application/octet-stream", filename=file.name)

    @router.delete("/snapshots/{id}", operation_id="deleteSnapshot", status_code=204, responses=_DELETED)
    def delete_snapshot(id: UUID) -> Response:
        """Row and bytes; what is on its way begins anew."""
        found = find(id)
        if keeper is None or found.folder != keeper.folder.name:
            raise ProblemError(409, f"snapshot {id} is at another collector: delete it there")
        keeper.delete(found.snapshot_id)
        return Response(status_code=204)

    @router.get("/events", operation_id="listEvents")
    def list_events(
        scope: _Scope = None,
        name: _Scope = None,
        cursor: _Cursor = None,
        limit: Annotated[int, Query(ge=1, le=_MAX_EVENTS, description="Items of a page")] = 100,
    ) -> api.EventPage:
        """What sidecars told that is no number, in the order in which it came."""
        with database.lend() as connection:
            found = events.page(connection, scope, name, cursors.decode_id(cursor), limit + 1)
        following = cursors.encode(found[limit - 1].event_id) if len(found) > limit else None
        return api.EventPage(items=tuple(_event(item) for item in found[:limit]), next_cursor=following)


def _before(cursor: str | None) -> UUID | None:
    if cursor is None:
        return None
    try:
        return UUID(cursors.decode_text(cursor))
    except ValueError:
        raise cursors.bad() from None


def _event(item: events.EventItem) -> api.Event:
    return api.Event(
        at=item.at,
        scope=item.scope,
        pid=item.pid,
        name=item.name,
        body=item.body,
        attributes=item.attributes,
    )


def _snapshot(row: SnapshotRow, keeper: SnapshotKeeper | None) -> api.Snapshot:
    missing = None if keeper is None else keeper.missing(row)
    return api.Snapshot.model_validate(
        {
            "id": str(row.snapshot_id),
            "scope": row.scope,
            "kind": row.kind,
            "size": row.size,
            "sha256": bytes(row.sha256).hex(),
            "chunks": row.chunks,
            "state": row.state,
            "message": row.message,
            "missing": None if missing is None else tuple(_ranges(sorted(missing))[:_MAX_RANGES]),
            "made_at": row.made_at,
            "updated_at": row.updated_at,
        }
    )


def _ranges(indices: Iterable[int]) -> list[api.ChunkRange]:
    found: list[list[int]] = []
    for index in indices:
        if found and found[-1][1] == index - 1:
            found[-1][1] = index
        else:
            found.append([index, index])
    return [api.ChunkRange(first=first, last=last) for first, last in found]
