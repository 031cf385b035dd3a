"""Errors of the interface as problem+json (RFC 9457)."""

import logging
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from memwarden_api.rest import Problem
from memwarden_collector.analysis.analyst import NotJudged, UnknownScope
from memwarden_collector.errors import Overloaded, Refused, StoreError
from memwarden_collector.settings import Limits
from memwarden_collector.store.lists import TooMuch
from memwarden_collector.telemetry import Telemetry

_log = logging.getLogger(__name__)
MEDIA_TYPE: Final = "application/problem+json"


class ProblemError(Exception):
    """An answer with an error: status and a sentence."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class OverLimit(ProblemError):
    """An answer that names a limit and its value; it is counted by them."""

    def __init__(self, status: int, what: str, limits: Limits, name: str) -> None:
        self.limit, self.value = name, str(getattr(limits, name))
        super().__init__(status, f"{what}: over {name}={self.value}")


def answer(status: int, detail: str) -> Response:
    """The answer; 503 says when to come again."""
    problem = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail)
    headers = {"retry-after": "2"} if status in (429, 503) else None
    return Response(problem.model_dump_json(), status, headers, MEDIA_TYPE)


def install(app: FastAPI, telemetry: Telemetry) -> None:
    """Every error of the app becomes a problem."""

    def known(status: int) -> "type":
        async def handle(request: Request, error: Exception) -> Response:
            return answer(status, str(error))

        return handle  # type: ignore[return-value] # FastAPI wants a function, the name of the type is its own

    async def problem(request: Request, error: Exception) -> Response:
        if not isinstance(error, ProblemError):
            return answer(500, str(error))
        if isinstance(error, OverLimit):
            telemetry.count(
                "refused_total",
                door="interface",
                status=str(error.status),
                reason=error.limit.removeprefix("max_"),
                limit=error.limit,
                value=error.value,
            )
        return answer(error.status, error.detail)

    async def refused(request: Request, error: Exception) -> Response:
        return answer(error.status, error.message) if isinstance(error, Refused) else answer(500, str(error))

    async def http(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            return answer(500, str(error))
        detail = error.detail if error.detail != HTTPStatus(error.status_code).phrase else request.url.path
        return answer(error.status_code, detail)

    async def invalid(request: Request, error: Exception) -> Response:
        errors = error.errors() if isinstance(error, RequestValidationError) else []
        text = "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in errors)
        return answer(422, text or "the request is not valid")

    async def fault(request: Request, error: Exception) -> Response:
        _log.error("a request failed", exc_info=error)
        return answer(500, f"a fault of the collector ({type(error).__name__}); its log has the details")

    app.add_exception_handler(ProblemError, problem)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(UnknownScope, known(404))
    app.add_exception_handler(NotJudged, known(409))
    app.add_exception_handler(TooMuch, known(413))
    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(Overloaded, known(503))
    app.add_exception_handler(StoreError, known(503))
    app.add_exception_handler(Exception, fault)
