"""The routes of what profiles say over a scope: flame graph, growth, sites."""

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query

from memwarden_api import rest
from memwarden_collector.analysis.analyst import UnknownScope
from memwarden_collector.store import flames
from memwarden_collector.store.connection import Connection, Database
from memwarden_collector.store.recordings import read_times
from memwarden_collector.verdicts import report_frame

_FAR_FUTURE: Final = 32_503_680_000.0  # the year 3000

_Scope = Annotated[str, Path(description="The scope's id", max_length=256)]
_Moment = Annotated[float | None, Query(description="Unix seconds", ge=0, le=_FAR_FUTURE)]
_Pid = Annotated[int | None, Query(ge=0, le=2**31 - 1)]


def add_flame_routes(router: APIRouter, database: Database) -> None:
    """Left out, a moment is the scope's first or last one."""

    @router.get("/scopes/{scope:path}/flame", operation_id="getFlameGraph")
    def get_flame_graph(
        scope: _Scope,
        at: _Moment = None,
        pid: _Pid = None,
        nodes: Annotated[int, Query(ge=1, le=flames.MAX_NODES)] = flames.MAX_NODES,
    ) -> rest.FlameGraph:
        """Live bytes at a moment by call tree, of the newest profile of each process that lived."""
        with database.lend() as connection:
            scope_id, _, last = _times(connection, scope)
            moment = last if at is None else at
            found = flames.flame_graph(connection, scope_id, moment, pid, nodes)
        items = (
            rest.FlameNode(
                parent=one.parent,
                frame=None if one.frame is None else report_frame(one.frame),
                live_bytes=one.live_bytes,
                self_bytes=one.self_bytes,
                blocks=one.blocks,
                samples=one.samples,
            )
            for one in found
        )
        return rest.FlameGraph(at=_date(moment), nodes=tuple(items))

    @router.get("/scopes/{scope:path}/growth", operation_id="getGrowth")
    def get_growth(
        scope: _Scope,
        before: _Moment = None,
        after: _Moment = None,
        pid: _Pid = None,
        limit: Annotated[int, Query(ge=1, le=flames.MAX_STACKS)] = 100,
    ) -> rest.Growth:
        """Live bytes of stacks at two moments, those that changed most."""
        with database.lend() as connection:
            scope_id, first, last = _times(connection, scope)
            earlier, later = first if before is None else before, last if after is None else after
            found = flames.growth(connection, scope_id, earlier, later, pid, limit)
        items = (
            rest.StackGrowth(
                stack=tuple(report_frame(frame) for frame in one.stack),
                before_bytes=one.before_bytes,
                after_bytes=one.after_bytes,
                growth_bytes=one.growth,
            )
            for one in found
        )
        return rest.Growth(before=_date(earlier), after=_date(later), items=tuple(items))

    @router.get("/scopes/{scope:path}/sites", operation_id="getSites")
    def get_sites(
        scope: _Scope,
        start: _Moment = None,
        end: _Moment = None,
        pid: _Pid = None,
        limit: Annotated[int, Query(ge=1, le=flames.MAX_SITES)] = 20,
    ) -> rest.Sites:
        """The lines of the user's own code that held most bytes on average between two moments."""
        with database.lend() as connection:
            scope_id, first, last = _times(connection, scope)
            earlier, later = first if start is None else start, last if end is None else end
            found = flames.top_sites(connection, scope_id, earlier, later, pid, limit)
        items = (
            rest.SiteUse(
                frame=report_frame(one.frame),
                mean_bytes=one.mean_bytes,
                first_bytes=one.first_bytes,
                last_bytes=one.last_bytes,
            )
            for one in found
        )
        return rest.Sites(start=_date(earlier), end=_date(later), items=tuple(items))


def _times(connection: Connection, scope: str) -> tuple[int, float, float]:
    found = read_times(connection, scope)
    if found is None:
        raise UnknownScope(f"there is no scope {scope!r}; GET /api/v1/scopes lists them")
    return found


def _date(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
