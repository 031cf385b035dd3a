"""The routes of evidence: who may write for all asks for it, who may read the namespace's HeapSnapshots reads it."""

import io
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse

from memwarden_api import evidence as api
from memwarden_collector.access.caller import SNAPSHOTS, Need
from memwarden_collector.access.request import require
from memwarden_collector.analysis.analyst import Analyst
from memwarden_collector.analysis.evidence import Capturing
from memwarden_collector.serve import cursors
from memwarden_collector.serve.problems import ProblemError
from memwarden_collector.serve.services import Services
from memwarden_collector.store import evidence
from memwarden_collector.store.connection import Database
from memwarden_collector.store.evidence import EvidenceRow

_MAX_PAGE: Final = 100
_DELETED: Final[dict[int | str, dict[str, Any]]] = {204: {"description": "Gone, with its bytes"}}
_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The kept file, as `memwarden report` reads it",
        "content": {"application/octet-stream": {}},
    }
}


def add_evidence_routes(router: APIRouter, database: Database, analyst: Analyst, services: Services) -> None:
    capturing = Capturing(database, analyst.recording, services.limits, services.desk.poke)

    def find(id: UUID, request: Request) -> EvidenceRow:
        with database.lend() as connection:
            found = evidence.find(connection, id)
        # Who may not see all namespaces is not told whether it is there.
        require(request, Need("get", SNAPSHOTS, "" if found is None else found.namespace))
        if found is None:
            raise _none(id)
        return found

    @router.put("/evidence/{id}", operation_id="putEvidence")
    def put_evidence(
        id: UUID,
        wanted: api.EvidenceRequest,
        cluster: Annotated[
            str,
            Query(
                description="Of which cluster's HeapSnapshot, by the uid of its namespace kube-system",
                max_length=64,
                pattern="^[^\\x00]*$",
            ),
        ] = "",
    ) -> api.Evidence:
        """Have it taken, or go on with what was begun: asked again until it is no longer Capturing, it comes."""
        row = capturing.go_on(id, wanted, cluster)
        if row is None:
            raise _none(id)
        return _document(row)

    @router.get("/evidence", operation_id="listEvidence")
    def list_evidence(
        namespace: Annotated[str, Query(max_length=253, pattern="^[^\\x00]*$")] = "",
        cursor: Annotated[
            str | None, Query(description="Where the page before ended", max_length=200)
        ] = None,
        limit: Annotated[int, Query(ge=1, le=_MAX_PAGE, description="Items of a page")] = 50,
    ) -> api.EvidencePage:
        """The newest first."""
        with database.lend() as connection:
            found = evidence.page(connection, namespace, cursors.decode_id(cursor), limit + 1)
        following = cursors.encode(found[limit - 1].number) if len(found) > limit else None
        return api.EvidencePage(items=tuple(map(_document, found[:limit])), next_cursor=following)

    @router.get("/evidence/{id}", operation_id="getEvidence")
    def get_evidence(id: UUID, request: Request) -> api.Evidence:
        """How far it is."""
        return _document(find(id, request))

    @router.get(
        "/evidence/{id}/recording",
        operation_id="getEvidenceRecording",
        response_class=StreamingResponse,
        responses=_FILE,
    )
    def get_recording(id: UUID, request: Request) -> StreamingResponse:
        """The container's recording as it was when the evidence was taken."""
        found = find(id, request)
        with database.lend() as connection:
            content = evidence.content(connection, id)
        if content is None:
            raise ProblemError(409, f"evidence {id} is {found.state}: {found.reason}: {found.message}")
        name = {"Content-Disposition": f'attachment; filename="{id}.recording"'}
        return StreamingResponse(io.BytesIO(content), media_type="application/octet-stream", headers=name)

    @router.delete("/evidence/{id}", operation_id="deleteEvidence", status_code=204, responses=_DELETED)
    def delete_evidence(
        id: UUID,
        keep_decided: Annotated[
            bool, Query(description="Leave it where a decision names its recording")
        ] = False,
    ) -> Response:
        """Row and bytes; that there is none is no error."""
        with database.lend() as connection:
            if keep_decided:
                evidence.forget_undecided(connection, id, api.recording_path(str(id)))
            else:
                evidence.forget(connection, [id])
        return Response(status_code=204)


def _none(id: UUID) -> ProblemError:
    return ProblemError(404, f"there is no evidence {id}, or it has expired")


def _document(row: EvidenceRow) -> api.Evidence:
    return api.Evidence.model_validate(
        {
            "id": str(row.evidence_id),
            "cluster": row.cluster,
            "namespace": row.namespace,
            "pod": row.pod,
            "pod_uid": row.pod_uid,
            "container": row.container,
            "scope": row.scope,
            "kinds": tuple(row.kinds),
            "state": row.state,
            "reason": row.reason,
            "message": row.message,
            "size": row.size,
            "sha256": bytes(row.sha256).hex(),
            "made_at": row.made_at,
            "done_at": row.done_at,
            "expires_at": row.expires_at,
        }
    )
