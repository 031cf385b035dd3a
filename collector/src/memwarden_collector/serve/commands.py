"""The routes of commands for sidecars: who wants something done posts it, the sidecar fetches and answers."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from memwarden_api import cluster as api
from memwarden_collector.access.caller import Need
from memwarden_collector.access.request import caller, require, require_pod
from memwarden_collector.serve.command_desk import LONGEST_WAIT_SECONDS
from memwarden_collector.serve.command_documents import command_document
from memwarden_collector.serve.problems import OverLimit, ProblemError
from memwarden_collector.serve.services import Services
from memwarden_collector.store import cluster, commands
from memwarden_collector.store.connection import Database

_ANSWERED: Final[dict[int | str, dict[str, Any]]] = {204: {"description": "Kept; the first answer counts"}}


def add_command_routes(router: APIRouter, database: Database, services: Services) -> None:
    """A command waits for its sidecar until it expires."""
    desk, limits, telemetry = services.desk, services.limits, services.telemetry

    @router.post("/commands", operation_id="makeCommand", status_code=201)
    def makecommand_document(wanted: api.CommandRequest) -> api.Command:
        """Have a sidecar do something."""
        if (wanted.kind == "SetSampling") != (wanted.sampling_bytes is not None):
            needed = "needs" if wanted.kind == "SetSampling" else "takes no"
            raise ProblemError(422, f"sampling_bytes: {wanted.kind} {needed} sampling_bytes")
        with database.lend() as connection:
            of_pod, of_all = commands.count_open(connection, wanted.pod_uid)
            for name, there in (("max_pod_commands", of_pod), ("max_commands", of_all)):
                if there >= getattr(limits, name):
                    raise OverLimit(429, f"{there} commands wait already", limits, name)
            made = commands.make(connection, wanted.model_dump())
        telemetry.count("commands_total", kind=made.kind, what="made")
        desk.poke()
        return command_document(made)

    @router.get("/commands/next", operation_id="nextCommands")
    async def next_commands(
        pod_uid: Annotated[api.Name, Query()],
        wait: Annotated[
            float, Query(ge=0, le=LONGEST_WAIT_SECONDS, description="Seconds to wait for one")
        ] = 0,
    ) -> api.Commands:
        """For sidecars: what there is to do in this pod, as soon as there is something; empty when the time is up."""
        # Well-formed requests are answered before they get here: `command_documents.next_commands`.
        return api.Commands(items=tuple(command_document(one) for one in await desk.wait(pod_uid, wait)))

    @router.get("/commands/{id}", operation_id="getCommand")
    def getcommand_document(id: UUID, request: Request) -> api.Command:
        """A command with its state, and its result when there is one."""
        with database.lend() as connection:
            found = commands.find(connection, id)
            namespace = "" if found is None else cluster.namespace_of_pod(connection, found.pod_uid)
        pod = caller(request).pod
        if found is None or pod is None or pod.uid != found.pod_uid:
            # Who may not see all namespaces is not told whether it is there.
            require(request, Need("get", namespace=namespace))
        if found is None:
            raise _unknown(id)
        return command_document(found)

    @router.post("/commands/{id}/result", operation_id="answerCommand", status_code=204, responses=_ANSWERED)
    def answercommand_document(id: UUID, result: api.CommandResult, request: Request) -> Response:
        """For sidecars: what became of it."""
        with database.lend() as connection:
            found = commands.find(connection, id)
        if found is None:
            raise _unknown(id)
        require_pod(request, found.pod_uid)
        with database.lend() as connection:
            first = commands.answer(connection, id, result.done, result.message, result.at)
        if first:
            telemetry.count("commands_total", kind=found.kind, what="done" if result.done else "failed")
        return Response(status_code=204)


def _unknown(id: UUID) -> ProblemError:
    return ProblemError(404, f"there is no command {id}, or it was forgotten")
