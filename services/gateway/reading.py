"""Request bodies: never more than is allowed, never taken for what they are not."""

from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from libs.errors import UserError

Model = TypeVar("Model", bound=BaseModel)

BODY_LIMIT = 1024 * 1024
"""Bytes of a request of the gateway's own."""


async def read_body(request: Request, limit: int = BODY_LIMIT) -> bytes:
    """The body, but never more of it than is allowed.

    Raises:
        UserError: ``request_too_large``.
    """
    declared = request.headers.get("content-length", "0")
    _check_size(int(declared) if declared.isdecimal() else 0, limit)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        _check_size(len(body), limit)
    return bytes(body)


def json_object(body: bytes) -> dict[str, Any]:
    """A body as one JSON object.

    Raises:
        UserError: ``not_json``.
    """
    try:
        data = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise _not_json(f"the body is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise _not_json("the body is not a JSON object")
    return data


def read_model(model: type[Model], body: bytes) -> Model:
    """A body as the model it should be.

    Raises:
        UserError: ``not_json`` or ``invalid_request``.
    """
    try:
        return model.model_validate(json_object(body))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or "the body"
        raise UserError(
            "invalid_request",
            f"{where}: {first['msg']}",
            f"Correct {where}; /openapi.json lists the fields of each request.",
        ) from error


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise UserError(
            "request_too_large",
            f"the request has more than {limit} bytes",
            "Send it in several requests.",
        )


def _not_json(reason: str) -> UserError:
    return UserError("not_json", reason, "Send one JSON object in UTF-8.")
