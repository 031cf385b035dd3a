"""The routes of workloads, of what changes about them, and of their leaks."""

import time
from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from memwarden_api import report
from memwarden_api.workloads import (
    Leak,
    LeakPage,
    LeakState,
    LeakStateChange,
    Workload,
    WorkloadChanges,
    WorkloadPage,
)
from memwarden_collector.access.request import require
from memwarden_collector.access.rules import workload_need
from memwarden_collector.serve import cursors
from memwarden_collector.serve.problems import ProblemError
from memwarden_collector.serve.waiting import TooManyReaders, Waiting
from memwarden_collector.store import leaks, workloads
from memwarden_collector.store.connection import Connection, Database

_MAX_PAGE: Final = 500
_MAX_WAIT: Final = 60.0
_HISTORY: Final = 100

_Cursor = Annotated[str | None, Query(description="Where the page before ended", max_length=200)]
_Count = Annotated[int, Query(alias="limit", ge=1, le=_MAX_PAGE, description="Items of a page")]
_NO_NUL: Final = r"^[^\x00]*$"  # PostgreSQL has no such text
_Namespace = Annotated[str | None, Query(max_length=253, pattern=_NO_NUL)]
_Name = Annotated[str, Path(description="The workload's id", max_length=512, pattern=_NO_NUL)]
_Known = Annotated[str | None, Header(alias="If-None-Match", max_length=200)]
_UNCHANGED: Final[dict[int | str, dict[str, Any]]] = {
    304: {"description": "It is as the ETag in If-None-Match says"}
}


def add_workload_routes(router: APIRouter, database: Database) -> None:
    """Nobody who waits holds a thread or a connection."""
    waiting = Waiting(lambda: _last_change(database))

    @router.get("/workloads", operation_id="listWorkloads")
    def list_workloads(
        namespace: _Namespace = None,
        verdict: report.VerdictName | None = None,
        cursor: _Cursor = None,
        limit: _Count = 100,
    ) -> WorkloadPage:
        """Workloads in the order in which they were first seen; those without any container are left out."""
        after = cursors.decode_id(cursor)
        with database.lend() as connection:
            rows = workloads.page(connection, namespace=namespace, kind=verdict, after=after, count=limit + 1)
        following = cursors.encode(rows[limit - 1][0]) if len(rows) > limit else None
        items = tuple(Workload.model_validate(row[1], strict=False) for row in rows[:limit])
        return WorkloadPage(items=items, next_cursor=following)

    # Before the one of a single workload, whose id may have slashes.
    @router.get("/workloads/changes", operation_id="listWorkloadChanges")
    async def list_workload_changes(
        after: Annotated[
            str | None, Query(description="Where the answer before ended", max_length=200)
        ] = None,
        wait: Annotated[float, Query(ge=0, le=_MAX_WAIT, description="Seconds to wait for a change")] = 0.0,
        namespace: _Namespace = None,
        limit: _Count = 100,
    ) -> WorkloadChanges:
        """What changed behind a cursor, the oldest change first; see the schema."""
        until = time.monotonic() + wait
        found = await run_in_threadpool(_changes, database, cursors.decode_id(after), namespace, limit)
        try:
            # What changes may be of another namespace: then it is waited on, behind that change.
            while not found.items and (left := until - time.monotonic()) > 0:
                if not await waiting.beyond(_number(found), left):
                    break
                found = await run_in_threadpool(_changes, database, _number(found), namespace, limit)
        except TooManyReaders as error:
            raise ProblemError(503, str(error)) from None
        return found

    @router.get("/workloads/{workload:path}", operation_id="getWorkload", responses=_UNCHANGED)
    def get_workload(workload: _Name, response: Response, if_none_match: _Known = None) -> Any:
        """One workload as it was last judged."""
        with database.lend() as connection:
            row = workloads.one(connection, workload)
        if row is None:
            raise ProblemError(404, f"there is no workload {workload!r}; GET /api/v1/workloads lists them")
        return _tagged(response, f"{row[0]}", if_none_match) or Workload.model_validate(row[1], strict=False)

    @router.get("/leaks", operation_id="listLeaks")
    def list_leaks(
        namespace: _Namespace = None,
        workload: Annotated[str | None, Query(max_length=512, pattern=_NO_NUL)] = None,
        state: LeakState | None = None,
        cursor: _Cursor = None,
        limit: _Count = 100,
    ) -> LeakPage:
        """Leaks in the order in which they were first seen."""
        with database.lend() as connection:
            rows = leaks.page(
                connection,
                namespace=namespace,
                workload=workload,
                state=state,
                after=cursors.decode_id(cursor),
                count=limit + 1,
            )
            items = _with_history(connection, rows[:limit])
        following = cursors.encode(rows[limit - 1].leak_id) if len(rows) > limit else None
        return LeakPage(items=items, next_cursor=following)

    @router.get("/leaks/{id}", operation_id="getLeak", responses=_UNCHANGED)
    def get_leak(
        id: Annotated[str, Path(pattern="^[0-9]{1,18}$")],
        request: Request,
        response: Response,
        if_none_match: _Known = None,
    ) -> Any:
        """One leak with the newest hundred changes of its state."""
        with database.lend() as connection:
            row = leaks.one(connection, int(id))
        # Who may not see all namespaces is not told whether it is there.
        require(request, workload_need("" if row is None else row.workload))
        if row is None:
            raise ProblemError(404, f"there is no leak {id}")
        with database.lend() as connection:
            (leak,) = _with_history(connection, [row])
        tag = f"{id}-{row.changed_at.timestamp():.6f}-{row.last_seen.timestamp():.6f}"
        return _tagged(response, tag, if_none_match) or leak


def _changes(database: Database, after: int, namespace: str | None, limit: int) -> WorkloadChanges:
    with database.lend() as connection:
        # Read first: numbers appear in their order, so every change up to this one is among the rows.
        last = workloads.last_change(connection)
        if after > last:
            after = 0  # of another database: it hears everything of this one
        rows = workloads.changes(connection, after, namespace, limit + 1)
    more = len(rows) > limit
    reached = rows[limit - 1][0] if more else max([last, *(row[0] for row in rows)])
    return WorkloadChanges(
        items=tuple(Workload.model_validate(row[1], strict=False) for row in rows[:limit]),
        cursor=cursors.encode(reached),
        more=more,
    )


def _last_change(database: Database) -> int:
    with database.lend() as connection:
        return workloads.last_change(connection)


def _number(changes: WorkloadChanges) -> int:
    return cursors.decode_id(changes.cursor)


def _tagged(response: Response, tag: str, known: str | None) -> Response | None:
    """The answer to who has it already; else the answer to come has the tag."""
    value = f'"{tag}"'
    if known is not None and value in (one.strip().removeprefix("W/") for one in known.split(",")):
        return Response(status_code=304, headers={"etag": value})
    response.headers["etag"] = value
    return None


def _with_history(connection: Connection, rows: Sequence[leaks.LeakRow]) -> tuple[Leak, ...]:
    changes = leaks.changes(connection, [row.leak_id for row in rows], _HISTORY)
    return tuple(_leak(row, changes[row.leak_id]) for row in rows)


def _leak(row: leaks.LeakRow, changes: Sequence[leaks.ChangeRow]) -> Leak:
    return Leak.model_validate(
        {
            "leak": str(row.leak_id),
            "workload": row.workload,
            "fingerprint": row.fingerprint,
            "state": row.state,
            "returns": row.returns,
            "first_seen": row.first_seen,
            "last_seen": row.last_seen,
            "closed_at": row.closed_at,
            "first_version": row.first_version,
            "last_version": row.last_version,
            "site": row.site,
            "growth_bytes_per_second": row.growth,
            "headline": row.headline,
            "history": tuple(
                LeakStateChange.model_validate(
                    {"at": one.at, "state": one.state, "version": one.version, "reason": one.reason}
                )
                for one in changes
            ),
        }
    )
