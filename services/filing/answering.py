"""Answering one HTTP request from the desk."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from fastapi import Request, Response
from pydantic import BaseModel

from contracts.observations import FilingRefused
from contracts.problems import Problem
from services.filing.answers import RETRIABLE, Answer, refused, status_of
from services.filing.desk import Desk, Verb
from services.filing.reading import BODY_LIMIT, BadRequest, check_size

RETRY_AFTER_S: Final = "5"

_REFUSALS: Final = {status: {"model": FilingRefused} for status in (400, 404, 409, 413, 422, 503)}


_OBSERVATION = ("the observation", "Use the executed_obs_unit_id of the start's answer.")
_NAMED: Final[Mapping[Verb, tuple[str, str]]] = {
    Verb.FILES: _OBSERVATION,
    Verb.FINISH: _OBSERVATION,
    Verb.TASK_STEP: ("the task", "Use the uid with which the task was filed."),
}
"""What an address names, and what to do if that is no UUID."""


async def answered(desk: Desk, verb: Verb, request: Request, named: str | None, *, new: int) -> Response:
    """The answer to a request.

    Args:
        desk: Settles it.
        verb: What is filed.
        request: With its body unread.
        named: The observation or task that the address names.
        new: The status of an accepted request that was not made before.
    """
    try:
        uid = None if named is None else _uid(named, verb)
        answer = await desk.answer(verb, await _read(request), request.headers, uid)
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


def _uid(text: str, verb: Verb) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        what, remedy = _NAMED[verb]
        raise BadRequest(
            Problem(
                code="invalid_request",
                reason=f"the address names {what} {text[:80]!r}, which is no UUID",
                remedy=remedy,
            )
        ) from error


def _reply(answer: Answer, *, new: int) -> Response:
    response = json_reply(answer, status_of(answer, new=new))
    if isinstance(answer, FilingRefused) and answer.problem.code in RETRIABLE:
        response.headers["retry-after"] = RETRY_AFTER_S
    return response


def json_reply(model: BaseModel, status: int) -> Response:
    """A model, with a status."""
    return Response(model.model_dump_json(), status_code=status, media_type="application/json")


def described(takes: type[BaseModel], gives: type[BaseModel]) -> dict[str, Any]:
    """What the description of an address says of a request's body, of its answer, and of refusals.

    Args:
        takes: The body.
        gives: The answer to an accepted request.
    """
    body = {
        "required": True,
        "description": f"At most {BODY_LIMIT} bytes.",
        "content": {"application/json": {"schema": takes.model_json_schema()}},
    }
    return {"response_model": gives, "responses": _REFUSALS, "openapi_extra": {"requestBody": body}}
