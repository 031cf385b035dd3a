"""The routes. They translate: queries are in `store`, decisions in `analysis`; each runs in a thread of
the pool.
"""

import tempfile
from collections.abc import Iterator
from typing import IO, Annotated, Any, Final, cast

from fastapi import APIRouter, FastAPI, Path, Query, Request
from fastapi.responses import StreamingResponse

from memwarden_api import report, rest
from memwarden_collector.access.request import require
from memwarden_collector.access.rules import scope_need
from memwarden_collector.analysis.analyst import Analyst, UnknownScope, document_of, history_entries
from memwarden_collector.serve import cursors
from memwarden_collector.serve.alerts import add_alert_routes
from memwarden_collector.serve.cluster import add_cluster_routes
from memwarden_collector.serve.commands import add_command_routes
from memwarden_collector.serve.decisions import add_decision_routes
from memwarden_collector.serve.downsample import downsample
from memwarden_collector.serve.evidence import add_evidence_routes
from memwarden_collector.serve.flames import add_flame_routes
from memwarden_collector.serve.problems import MEDIA_TYPE, ProblemError, install
from memwarden_collector.serve.services import Services
from memwarden_collector.serve.snapshots import add_snapshot_routes
from memwarden_collector.serve.workloads import add_workload_routes
from memwarden_collector.store import lists, verdicts
from memwarden_collector.store.connection import Connection, Database
from memwarden_collector.store.recordings import read_scope
from memwarden_collector.verdicts import report_frame
from memwarden_core.recording_file import write_recording

PREFIX: Final = "/api/v1"
_MAX_PAGE: Final = 500
_MAX_POINTS: Final = 11_000
_FAR_FUTURE: Final = 32_503_680_000.0  # the year 3000
_IN_MEMORY_BYTES: Final = 8 << 20
_CHUNK_BYTES: Final = 256 << 10

ScopeName = Annotated[str, Path(description="The scope's id", max_length=256)]
Cursor = Annotated[str | None, Query(description="Where the page before ended", max_length=200)]
Count = Annotated[int, Query(alias="limit", ge=1, le=_MAX_PAGE, description="Items of a page")]
Namespace = Annotated[str, Query(description="Of Kubernetes; without it, all", max_length=253)]
Moment = Annotated[float | None, Query(description="Unix seconds", ge=0, le=_FAR_FUTURE)]
_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    "4XX": {
        "description": "What is wrong with the request",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    },
    "503": {
        "description": "The database is away; try again",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    },
}


def make_interface(database: Database, analyst: Analyst, services: Services) -> FastAPI:
    """The ASGI app of `/api/v1`."""
    app = FastAPI(
        title="Memwarden collector",
        version="v1",
        description="Scopes, verdicts, series, profiles. Lists are pages with a cursor, errors problem+json.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=_ERRORS,
    )
    install(app, services.telemetry)
    app.include_router(_routes(database, analyst, services))
    _describe_problem(app)
    return app


def _describe_problem(app: FastAPI) -> None:
    make = app.openapi

    def openapi() -> dict[str, Any]:
        schema = make()
        schemas = schema["components"]["schemas"]
        schemas["Problem"] = rest.Problem.model_json_schema()
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        for operations in schema["paths"].values():
            for operation in operations.values():
                operation["responses"].pop("422", None)  # a problem, as every 4XX
        return schema

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's documented way to change the schema


def _routes(database: Database, analyst: Analyst, services: Services) -> APIRouter:
    router = APIRouter(prefix=PREFIX)

    @router.get("/scopes", operation_id="listScopes")
    def list_scopes(cursor: Cursor = None, limit: Count = 100, namespace: Namespace = "") -> rest.ScopePage:
        """All scopes in the order in which they were first seen; `namespace` chooses its containers."""
        with database.lend() as connection:
            items = lists.scopes(connection, cursors.decode_id(cursor), limit + 1, namespace)
        following = cursors.encode(items[limit - 1].scope_id) if len(items) > limit else None
        return rest.ScopePage(items=tuple(_scope(item) for item in items[:limit]), next_cursor=following)

    @router.get("/verdicts", operation_id="listVerdicts")
    def list_verdicts(
        verdict: report.VerdictName | None = None,
        cursor: Cursor = None,
        limit: Count = 100,
        namespace: Namespace = "",
    ) -> rest.VerdictPage:
        """The last verdict of each scope; `verdict` chooses one kind, `namespace` its containers."""
        with database.lend() as connection:
            found = verdicts.page(connection, verdict, cursors.decode_id(cursor), limit + 1, namespace)
            items = _with_history(connection, found[:limit])
        following = cursors.encode(found[limit - 1].scope_id) if len(found) > limit else None
        return rest.VerdictPage(items=items, next_cursor=following)

    @router.get("/scopes/{scope:path}/verdict", operation_id="getVerdict")
    def get_verdict(scope: ScopeName) -> report.Verdict:
        """The last verdict of a scope."""
        with database.lend() as connection:
            found = verdicts.last(connection, scope)
            if found is None:
                _scope_id(connection, scope)
                raise ProblemError(404, f"{scope!r} was not judged yet; POST …/judge does it now")
            return _with_history(connection, [found])[0]

    @router.post("/scopes/{scope:path}/judge", operation_id="judge")
    def judge(scope: ScopeName) -> report.Verdict:
        """Judge now, with everything that is committed; the verdict is kept."""
        return analyst.judge_now(scope)

    @router.get("/scopes/{scope:path}/series", operation_id="listSeries")
    def list_series(
        scope: ScopeName,
        metric: Annotated[str | None, Query(max_length=256)] = None,
        pid: Annotated[int | None, Query(ge=0, le=2**31 - 1)] = None,
        start: Moment = None,
        end: Moment = None,
        points: Annotated[int, Query(ge=2, le=_MAX_POINTS, description="Most points of a series")] = 1000,
    ) -> rest.SeriesList:
        """Samples of a scope and its processes; of more points the lowest and highest of each stretch of
        time.
        """
        with database.lend() as connection:
            found = lists.series(
                connection,
                _scope_id(connection, scope),
                metric=metric,
                pid=pid,
                start=start or 0.0,
                end=_FAR_FUTURE if end is None else end,
                points=points,
            )
        items = tuple(_series(item, points) for item in found)
        return rest.SeriesList(
            items=items, downsampled=any(item.rolled or len(item.time) > points for item in found)
        )

    @router.get("/scopes/{scope:path}/profiles", operation_id="listProfiles")
    def list_profiles(scope: ScopeName, cursor: Cursor = None, limit: Count = 100) -> rest.ProfilePage:
        """Allocation profiles of a scope, the newest first."""
        with database.lend() as connection:
            found = lists.profiles(
                connection, _scope_id(connection, scope), cursors.decode_moment(cursor), limit + 1
            )
        more = len(found) > limit
        following = cursors.encode_moment(found[limit - 1].at, found[limit - 1].profile_id) if more else None
        return rest.ProfilePage(items=tuple(_profile(item) for item in found[:limit]), next_cursor=following)

    add_flame_routes(router, database)
    add_cluster_routes(router, database)
    add_alert_routes(router, database)
    add_decision_routes(router, database)
    add_command_routes(router, database, services)
    add_snapshot_routes(router, database, services)
    add_evidence_routes(router, database, analyst, services)
    add_workload_routes(router, database)

    @router.get("/profiles/{id}", operation_id="getProfile")
    def get_profile(id: Annotated[str, Path(pattern="^[0-9]{1,18}$")], request: Request) -> rest.Profile:
        """One profile with its stacks, the heaviest first."""
        with database.lend() as connection:
            scope = lists.scope_of_profile(connection, int(id))
        # Who may not see all namespaces is not told whether it is there.
        require(request, scope_need(scope or ""))
        with database.lend() as connection:
            found = lists.profile(connection, int(id))
        if found is None:
            raise ProblemError(404, f"there is no profile {id}")
        return rest.Profile(**dict(_profile(found[0])), stacks=tuple(_stack(item) for item in found[1]))

    @router.get(
        "/scopes/{scope:path}/recording",
        operation_id="getRecording",
        response_class=StreamingResponse,
        responses={200: {"description": "The kept file", "content": {"application/octet-stream": {}}}},
    )
    def get_recording(scope: ScopeName) -> StreamingResponse:
        """The scope as a kept file, to be judged again elsewhere."""
        file = cast(IO[bytes], tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES))  # noqa: SIM115 - closed by _chunks
        write_recording(analyst.recording(scope), file)
        file.seek(0)
        return StreamingResponse(_chunks(file), media_type="application/octet-stream")

    return router


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def _scope_id(connection: Connection, scope: str) -> int:
    row = read_scope(connection, scope)
    if row is None:
        raise UnknownScope(f"there is no scope {scope!r}; GET {PREFIX}/scopes lists them")
    return row.scope_id


def _with_history(connection: Connection, found: list[verdicts.LastVerdict]) -> tuple[report.Verdict, ...]:
    entries = verdicts.history(connection, [one.scope_id for one in found])
    return tuple(
        document_of(one).model_copy(update={"history": history_entries(entries[one.scope_id])})
        for one in found
    )


def _scope(item: lists.ScopeItem) -> rest.Scope:
    limit = None
    if item.limit_bytes is not None:
        limit = report.Limit.model_validate(
            {"bytes": round(item.limit_bytes), "source": item.limit_source or "cgroup"}
        )
    return rest.Scope.model_validate(
        {
            "scope": item.name,
            "kind": item.kind,
            "command": item.command,
            "host": item.host,
            "interval_seconds": item.interval or 0.0,
            "first_seen": item.seen_first,
            "last_seen": item.seen_last,
            "limit": limit,
            "attributes": item.attributes,
        }
    )


def _series(item: lists.SeriesItem, points: int) -> rest.SeriesPoints:
    time, value = downsample(item.time, item.value, points)
    return rest.SeriesPoints(
        metric=item.metric,
        pid=item.pid,
        attribute=item.attribute,
        unit=item.unit,
        times=tuple(time.tolist()),
        values=tuple(value.tolist()),
    )


def _profile(item: lists.ProfileItem) -> rest.ProfileInfo:
    return rest.ProfileInfo(
        id=str(item.profile_id), at=item.at, pid=item.pid, live_bytes=item.live_bytes, samples=item.samples
    )


def _stack(item: lists.StackItem) -> rest.StackValue:
    return rest.StackValue(
        stack=tuple(report_frame(frame) for frame in item.stack),
        live_bytes=item.live_bytes,
        blocks=item.blocks,
        samples=item.samples,
        ages=item.ages,
    )
