"""Filing over HTTP."""

from typing import Any, Final
from uuid import UUID

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from contracts.observations import (
    FileFiles,
    FilingAccepted,
    FilingRefused,
    FinishObservation,
    StartObservation,
)
from contracts.problems import Problem
from services.filing.answers import RETRIABLE, Answer, refused, status_of
from services.filing.desk import Desk, Verb
from services.filing.health import Health
from services.filing.reading import BODY_LIMIT, BadRequest, check_size

RETRY_AFTER_S: Final = "5"

_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": FilingRefused} for status in (400, 404, 409, 413, 422, 503)
}


def application(desk: Desk, health: Health) -> FastAPI:
    """The HTTP face of filing."""
    app = FastAPI(title="Chasqui filing", docs_url=None, redoc_url=None)
    app.add_exception_handler(HTTPException, _no_such_address)

    @app.post(
        "/executed_obs_units/start",
        status_code=201,
        response_model=FilingAccepted,
        responses=_REFUSALS,
        openapi_extra=_body(StartObservation),
    )
    async def start(request: Request) -> Response:
        """An observation begins."""
        return await _answered(desk, Verb.START, request, None, new=201)

    @app.post(
        "/executed_obs_units/{executed_obs_unit_id}/raw_data_files",
        status_code=201,
        response_model=FilingAccepted,
        responses=_REFUSALS,
        openapi_extra=_body(FileFiles),
    )
    async def raw_data_files(request: Request, executed_obs_unit_id: str) -> Response:
        """Files are an observation's; the body need not name the observation again."""
        return await _answered(desk, Verb.FILES, request, executed_obs_unit_id, new=201)

    @app.post(
        "/executed_obs_units/{executed_obs_unit_id}/finish",
        response_model=FilingAccepted,
        responses=_REFUSALS,
        openapi_extra=_body(FinishObservation),
    )
    async def finish(request: Request, executed_obs_unit_id: str) -> Response:
        """An observation ends; the body need not name the observation again."""
        return await _answered(desk, Verb.FINISH, request, executed_obs_unit_id, new=200)

    @app.get("/health")
    async def healthy() -> Response:
        """Whether filing can answer now: 200, or 503 with what it waits for."""
        report = await health.report()
        return _json(report, 200 if report.ok else 503)

    return app


async def _answered(desk: Desk, verb: Verb, request: Request, unit: str | None, *, new: int) -> Response:
    try:
        unit_id = None if unit is None else _unit_id(unit)
        answer = await desk.answer(verb, await _read(request), request.headers, unit_id)
    except BadRequest as error:
        answer = refused(error.problems)
    return _reply(answer, new=new)


async def _read(request: Request) -> bytes:
    """The body, but never more of it than is allowed."""
    declared = request.headers.get("content-length", "0")
    check_size(int(declared) if declared.isdecimal() else 0)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        check_size(len(body))
    return bytes(body)


def _unit_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise BadRequest(
            Problem(
                code="invalid_request",
                reason=f"the address names the observation {text[:80]!r}, which is no UUID",
                remedy="Use the executed_obs_unit_id of the start's answer.",
            )
        ) from error


def _reply(answer: Answer, *, new: int) -> Response:
    response = _json(answer, status_of(answer, new=new))
    if isinstance(answer, FilingRefused) and answer.problem.code in RETRIABLE:
        response.headers["retry-after"] = RETRY_AFTER_S
    return response


def _json(model: BaseModel, status: int) -> Response:
    return Response(model.model_dump_json(), status_code=status, media_type="application/json")


async def _no_such_address(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    problem = Problem(
        code="method_not_allowed" if status == 405 else "not_found",  # noqa: PLR2004  as HTTP names it
        reason=f"{request.method} {request.url.path} is nothing that filing does",
        remedy="See /openapi.json or docs/instrument-guide.md for the addresses.",
    )
    return _json(FilingRefused(problem=problem), status)


def _body(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema()
    return {
        "requestBody": {
            "required": True,
            "description": f"At most {BODY_LIMIT} bytes.",
            "content": {"application/json": {"schema": schema}},
        }
    }
