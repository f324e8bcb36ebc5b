"""From the bytes of a request to a valid model, or to all that is wrong with them."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json, to_json

from contracts.observations import FileFiles, FinishObservation, StartObservation
from contracts.problems import Problem
from contracts.skynet.requests import FileAsset, FileCamera, FileTask, ReportTask

BODY_LIMIT = 8 * 1024 * 1024
"""Bytes of one request."""

CONDITIONS_LIMIT = 64 * 1024
"""Bytes of an observation's conditions, as JSON."""

SIZE_LIMIT = 2**63 - 1
"""The largest size of a file that the ops-db can keep."""

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)
"""Between them any time is taken as told, however wrong an instrument's clock may be."""

Request = TypeVar(
    "Request", StartObservation, FileFiles, FinishObservation, FileTask, ReportTask, FileAsset, FileCamera
)


class BadRequest(Exception):
    """A request that cannot be read; `problems` says all that is wrong with it."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(problems[0].reason)
        self.problems = problems


def read_request(
    model: type[Request], body: bytes, named: UUID | None = None, *, field: str = "executed_obs_unit_id"
) -> Request:
    """Parse and check a request by its letters alone.

    Args:
        model: What it should be.
        body: JSON, as it came.
        named: What is named outside the body (in the address), which the body then need not name.
        field: Where the body names it.

    Raises:
        BadRequest: ``request_too_large``, ``not_json``, ``invalid_request``, ``text_invalid``,
            ``time_out_of_range``, ``size_out_of_range`` or ``conditions_too_large``.
    """
    check_size(len(body))
    data = _json_object(body)
    if named is not None:
        told = data.setdefault(field, str(named))
        if str(told).lower() != str(named):
            raise BadRequest(_invalid(field, f"is {told!r:.80}, but the address says {named}"))
    try:
        request = model.model_validate(data)
    except ValidationError as error:
        raise BadRequest(*_told(error)) from error
    except OverflowError as error:
        raise BadRequest(_time_problem("a time", "cannot be told in UTC")) from error
    if problems := _beyond_limits(request):
        raise BadRequest(*problems)
    return request


def check_size(size: int) -> None:
    """Refuse a body of `size` bytes if that is too many.

    Raises:
        BadRequest: ``request_too_large``.
    """
    if size > BODY_LIMIT:
        raise BadRequest(
            Problem(
                code="request_too_large",
                reason=f"the request has more than {BODY_LIMIT} bytes",
                remedy="File the files in several requests; an observation takes any number of them.",
            )
        )


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        data = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise BadRequest(_not_json(f"the body is not JSON: {error}")) from error
    if not isinstance(data, dict):
        raise BadRequest(_not_json("the body is not a JSON object"))
    return data


def _told(error: ValidationError) -> list[Problem]:
    return [
        _invalid(".".join(map(str, found["loc"])) or "the body", found["msg"])
        for found in error.errors(include_url=False, include_input=False, include_context=False)
    ]


def _beyond_limits(request: BaseModel) -> list[Problem]:
    problems = [
        _time_problem(name, f"is {value.isoformat()}")
        for name, value in _times(request)
        if not EARLIEST <= value < LATEST
    ]
    if isinstance(request, FileFiles):
        return problems + _large_sizes(request)
    if isinstance(request, StartObservation) and len(to_json(request.conditions)) > CONDITIONS_LIMIT:
        problems.append(
            Problem(
                code="conditions_too_large",
                reason=f"conditions has more than {CONDITIONS_LIMIT} bytes as JSON",
                remedy="Keep tables of measurements in a file of the observation.",
            )
        )
    return problems + [_text_problem(name) for name, value in request if _has_nul(value)]


def _times(message: BaseModel, within: str = "") -> Iterator[tuple[str, datetime]]:
    """The times in a message and in what it is made of, by their names."""
    for name, value in message:
        match value:
            case datetime():
                yield f"{within}{name}", value
            case BaseModel():
                yield from _times(value, f"{within}{name}.")
            case _:
                pass


def _large_sizes(request: FileFiles) -> list[Problem]:
    return [
        Problem(
            code="size_out_of_range",
            reason=f"files.{number}.size is {file.size}, more than {SIZE_LIMIT}",
            remedy="Declare the file's size in bytes, or leave it out.",
        )
        for number, file in enumerate(request.files)
        if file.size is not None and file.size > SIZE_LIMIT
    ]


def _has_nul(value: object) -> bool:
    match value:
        case str():
            return "\0" in value
        case BaseModel():
            return any(_has_nul(member) for _, member in value)
        case Mapping():
            return any(_has_nul(key) or _has_nul(member) for key, member in value.items())
        case list() | tuple():
            return any(map(_has_nul, value))
        case _:
            return False


def _not_json(reason: str) -> Problem:
    return Problem(
        code="not_json",
        reason=reason,
        remedy="Send one JSON object in UTF-8, as docs/instrument-guide.md shows.",
    )


def _invalid(where: str, what: str) -> Problem:
    return Problem(
        code="invalid_request",
        reason=f"{where}: {what}",
        remedy=f"Correct {where}; docs/instrument-guide.md lists the fields of each request.",
    )


def _text_problem(name: str) -> Problem:
    return Problem(
        code="text_invalid",
        reason=f"{name}: a text has a NUL character, which the ops-db cannot keep",
        remedy=f"Send {name} without NUL characters.",
    )


def _time_problem(name: str, what: str) -> Problem:
    return Problem(
        code="time_out_of_range",
        reason=f"{name} {what}; times from {EARLIEST.year} to {LATEST.year - 1} are taken",
        remedy="Correct the instrument's clock, or the unit in which the time is sent.",
    )
