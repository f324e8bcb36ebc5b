"""Problems as HTTP answers: one JSON object with code, reason and remedy, and the status that fits."""

from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from contracts.problems import Problem
from libs.errors import ChasquiError, Retriable
from libs.telemetry.logs import logger

RETRY_AFTER_S: Final = "5"
_INVALID = 422

_STATUS: Final = {
    "not_json": 400,
    "cross_origin": 403,
    "not_found": 404,
    "unknown_id": 404,
    "unknown_executed_obs_unit": 404,
    "unknown_raw_data_file": 404,
    "unknown_raw_data_package": 404,
    "unknown_data_transfer_package": 404,
    "unknown_staging_job": 404,
    "unknown_hold": 404,
    "unknown_ids": 404,
    "no_preview": 404,
    "method_not_allowed": 405,
    "idempotency_key_reused": 409,
    "job_failed": 409,
    "request_too_large": 413,
    "misdirected": 421,
    "unexpected_error": 500,
}


def status_of(error: ChasquiError) -> int:
    """The HTTP status of an error: 503 for what passes, its code's own, or 422."""
    if isinstance(error, Retriable):
        return 503
    return _STATUS.get(error.problem.code, _INVALID)


def json_answer(model: BaseModel, status: int = 200) -> Response:
    """A model as the body of an answer."""
    return Response(model.model_dump_json(), status_code=status, media_type="application/json")


def problem_answer(problem: Problem, status: int) -> Response:
    """A problem as an answer; one that passes says when to ask again."""
    answer = json_answer(problem, status)
    if status == 503:  # noqa: PLR2004  as HTTP names it
        answer.headers["retry-after"] = RETRY_AFTER_S
    return answer


def answer_errors(app: FastAPI) -> None:
    """Have every error of an application answered as a problem."""
    app.add_exception_handler(ChasquiError, _told)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _no_such_address)
    app.add_exception_handler(Exception, _unexpected)


async def _told(_: Request, error: Exception) -> Response:
    if not isinstance(error, ChasquiError):
        raise error
    return problem_answer(error.problem, status_of(error))


async def _invalid(_: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    problem = Problem(
        code="invalid_request",
        reason=f"{where}: {first['msg']}",
        remedy=f"Correct {where}; /openapi.json lists what each address takes.",
    )
    return problem_answer(problem, _INVALID)


async def _no_such_address(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    problem = Problem(
        code="method_not_allowed" if status == 405 else "not_found",  # noqa: PLR2004  as HTTP names it
        reason=f"{request.method} {request.url.path[:200]} is nothing that the gateway does",
        remedy="See /openapi.json for the addresses.",
    )
    return problem_answer(problem, status)


async def _unexpected(request: Request, error: Exception) -> Response:
    logger("gateway").error("request_failed", path=request.url.path, exc_info=error)
    problem = Problem(
        code="unexpected_error",
        reason="the request met an error that nobody planned for",
        remedy="Send it again; if it fails again, report it with the gateway's log of this minute.",
    )
    return problem_answer(problem, 500)
