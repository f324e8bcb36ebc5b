"""Filing over HTTP."""

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from contracts.observations import (
    FileFiles,
    FilingAccepted,
    FilingRefused,
    FinishObservation,
    StartObservation,
)
from contracts.problems import Problem
from services.filing.answering import answered, described, json_reply
from services.filing.desk import Desk, Verb
from services.filing.health import Health
from services.filing.network_http import network_router


def application(desk: Desk, health: Health) -> FastAPI:
    """The HTTP face of filing."""
    app = FastAPI(title="Chasqui filing", docs_url=None, redoc_url=None)
    app.add_exception_handler(HTTPException, _no_such_address)

    @app.post(
        "/executed_obs_units/start",
        status_code=201,
        **described(StartObservation, FilingAccepted),
    )
    async def start(request: Request) -> Response:
        """An observation begins."""
        return await answered(desk, Verb.START, request, None, new=201)

    @app.post(
        "/executed_obs_units/{executed_obs_unit_id}/raw_data_files",
        status_code=201,
        **described(FileFiles, FilingAccepted),
    )
    async def raw_data_files(request: Request, executed_obs_unit_id: str) -> Response:
        """Files are an observation's; the body need not name the observation again."""
        return await answered(desk, Verb.FILES, request, executed_obs_unit_id, new=201)

    @app.post(
        "/executed_obs_units/{executed_obs_unit_id}/finish",
        **described(FinishObservation, FilingAccepted),
    )
    async def finish(request: Request, executed_obs_unit_id: str) -> Response:
        """An observation ends; the body need not name the observation again."""
        return await answered(desk, Verb.FINISH, request, executed_obs_unit_id, new=200)

    app.include_router(network_router(desk))

    @app.get("/health")
    async def healthy() -> Response:
        """Whether filing can answer now: 200, or 503 with what it waits for."""
        report = await health.report()
        return json_reply(report, 200 if report.ok else 503)

    return app


async def _no_such_address(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    problem = Problem(
        code="method_not_allowed" if status == 405 else "not_found",  # noqa: PLR2004  as HTTP names it
        reason=f"{request.method} {request.url.path} is nothing that filing does",
        remedy="See /openapi.json or docs/instrument-guide.md for the addresses.",
    )
    return json_reply(FilingRefused(problem=problem), status)
