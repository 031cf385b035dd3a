"""The routes of decisions about pods that leak: the controller tells them, whoever may see profiles reads them."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import Response

from memwarden_api import decisions as api
from memwarden_api.cluster import Name
from memwarden_collector.serve import cursors
from memwarden_collector.store import decisions
from memwarden_collector.store.connection import Database

_MAX_PAGE: Final = 500
_WRITTEN: Final[dict[int | str, dict[str, Any]]] = {204: {"description": "Written, after the commit"}}
_Chosen = Annotated[Name | None, Query()]


def add_decision_routes(router: APIRouter, database: Database) -> None:
    @router.post("/decisions", operation_id="postDecisions", status_code=204, responses=_WRITTEN)
    def post_decisions(told: api.Decisions) -> Response:
        """For the controller. One that is there already is left as it is."""
        if told.items:
            with database.lend() as connection:
                decisions.write(connection, told.items)
        return Response(status_code=204)

    @router.get("/decisions", operation_id="listDecisions")
    def list_decisions(
        namespace: _Chosen = None,
        kind: _Chosen = None,
        name: _Chosen = None,
        cursor: Annotated[
            str | None, Query(description="Where the page before ended", max_length=200)
        ] = None,
        limit: Annotated[int, Query(ge=1, le=_MAX_PAGE, description="Items of a page")] = 100,
    ) -> api.DecisionPage:
        """What was decided about a workload's pods, the newest first; `kind` and `name` choose the workload."""
        with database.lend() as connection:
            found = decisions.page(
                connection,
                namespace=namespace,
                kind=kind,
                name=name,
                before=cursors.decode_moment(cursor),
                count=limit + 1,
            )
        numbers = [row.pop("number") for row in found]
        more = len(found) > limit
        following = cursors.encode_moment(found[limit - 1]["at"], numbers[limit - 1]) if more else None
        items = tuple(api.Decision.model_validate(row) for row in found[:limit])
        return api.DecisionPage(items=items, next_cursor=following)
