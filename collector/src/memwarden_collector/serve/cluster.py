"""The routes that the controller writes to, and reads back: owners of pods, rollouts, restarts, coverage."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from memwarden_api import cluster as api
from memwarden_collector.serve import cursors
from memwarden_collector.serve.problems import ProblemError
from memwarden_collector.store import cluster
from memwarden_collector.store.connection import Database

_PREFIX: Final = "/cluster"
_MAX_PAGE: Final = 1000
_MAX_COVERAGE: Final = 20  # each may name 20 000 pods
_Cursor = Annotated[str | None, Query(description="Where the page before ended", max_length=2000)]
_Count = Annotated[int, Query(alias="limit", ge=1, le=_MAX_PAGE, description="Items of a page")]
_Chosen = Annotated[api.Name | None, Query()]
_Part = Annotated[api.Name, Path()]
_WRITTEN: Final[dict[int | str, dict[str, Any]]] = {204: {"description": "Written, after the commit"}}


def add_cluster_routes(router: APIRouter, database: Database) -> None:
    """Writing takes lists and is idempotent; a list is written whole or not at all."""

    def write(kind: cluster.Kind, items: list[cluster.Row]) -> Response:
        if items:
            with database.lend() as connection:
                cluster.write(connection, kind, items)
        return Response(status_code=204)

    def read(
        kind: cluster.Kind, where: dict[str, str | None], limit: int, cursor: str | None
    ) -> tuple[list[cluster.Row], str | None]:
        after: object = None
        if cursor is not None:
            after = cursors.decode_text(cursor) if kind is cluster.OWNERS else cursors.decode_id(cursor)
        with database.lend() as connection:
            found = cluster.page(connection, kind, where, after, limit + 1)
        following = cursors.encode(found[limit - 1][0]) if len(found) > limit else None
        return [row for _, row in found[:limit]], following

    @router.put(f"{_PREFIX}/owners", operation_id="putOwners", status_code=204, responses=_WRITTEN)
    def put_owners(owners: api.Owners) -> Response:
        """Whose the pods are; what is there of the same pod is replaced."""
        return write(cluster.OWNERS, [item.model_dump(mode="json") for item in owners.items])

    @router.get(f"{_PREFIX}/owners", operation_id="listOwners")
    def list_owners(
        namespace: _Chosen = None, pod_uid: _Chosen = None, cursor: _Cursor = None, limit: _Count = 100
    ) -> api.OwnerPage:
        """Owners of pods, in the order of the pods' unique ids."""
        rows, following = read(cluster.OWNERS, {"namespace": namespace, "pod_uid": pod_uid}, limit, cursor)
        return api.OwnerPage(items=tuple(api.Owner(**row) for row in rows), next_cursor=following)

    @router.put(f"{_PREFIX}/rollouts", operation_id="putRollouts", status_code=204, responses=_WRITTEN)
    def put_rollouts(rollouts: api.Rollouts) -> Response:
        """Versions of workloads; what is there of the same workload and version is replaced."""
        return write(cluster.ROLLOUTS, [item.model_dump(mode="json") for item in rollouts.items])

    @router.get(f"{_PREFIX}/rollouts", operation_id="listRollouts")
    def list_rollouts(
        namespace: _Chosen = None,
        kind: _Chosen = None,
        name: _Chosen = None,
        cursor: _Cursor = None,
        limit: _Count = 100,
    ) -> api.RolloutPage:
        """Versions of workloads, in the order in which they were first written."""
        rows, following = read(
            cluster.ROLLOUTS, {"namespace": namespace, "kind": kind, "name": name}, limit, cursor
        )
        return api.RolloutPage(items=tuple(api.Rollout(**row) for row in rows), next_cursor=following)

    @router.put(f"{_PREFIX}/restarts", operation_id="putRestarts", status_code=204, responses=_WRITTEN)
    def put_restarts(restarts: api.Restarts) -> Response:
        """How containers ended; what is there of the same container and count of restarts is replaced."""
        return write(cluster.RESTARTS, [item.model_dump(mode="json") for item in restarts.items])

    @router.get(f"{_PREFIX}/restarts", operation_id="listRestarts")
    def list_restarts(
        namespace: _Chosen = None,
        pod_uid: _Chosen = None,
        reason: _Chosen = None,
        cursor: _Cursor = None,
        limit: _Count = 100,
    ) -> api.RestartPage:
        """How containers ended, in the order in which it was first written."""
        rows, following = read(
            cluster.RESTARTS, {"namespace": namespace, "pod_uid": pod_uid, "reason": reason}, limit, cursor
        )
        return api.RestartPage(items=tuple(api.Restart(**row) for row in rows), next_cursor=following)

    one = f"{_PREFIX}/coverage/{{namespace}}/{{profile}}"

    @router.put(one, operation_id="putCoverage", status_code=204, responses=_WRITTEN)
    def put_coverage(namespace: _Part, profile: _Part, coverage: api.Coverage) -> Response:
        """What a MemoryProfile reaches; replaces what was there."""
        row = {"namespace": namespace, "profile": profile, **coverage.model_dump(mode="json")}
        return write(cluster.COVERAGE, [row])

    @router.delete(one, operation_id="deleteCoverage", status_code=204, responses=_WRITTEN)
    def delete_coverage(namespace: _Part, profile: _Part) -> Response:
        """The MemoryProfile is gone."""
        with database.lend() as connection:
            if not cluster.forget_coverage(connection, namespace, profile):
                raise ProblemError(404, f"there is no coverage of {namespace}/{profile}")
        return Response(status_code=204)

    @router.get(f"{_PREFIX}/coverage", operation_id="listCoverage")
    def list_coverage(
        namespace: _Chosen = None,
        profile: _Chosen = None,
        cursor: _Cursor = None,
        limit: Annotated[int, Query(ge=1, le=_MAX_COVERAGE, description="Items of a page")] = _MAX_COVERAGE,
    ) -> api.CoveragePage:
        """What MemoryProfiles reach, and from how many of their pods samples come."""
        rows, following = read(cluster.COVERAGE, {"namespace": namespace, "profile": profile}, limit, cursor)
        with database.lend() as connection:
            heard = cluster.reporting(connection, list({row["namespace"] for row in rows})) if rows else {}
        return api.CoveragePage(
            items=tuple(
                api.ProfileCoverage(**row, reporting=heard.get((row["namespace"], row["profile"]), 0))
                for row in rows
            ),
            next_cursor=following,
        )
