"""Filing for those who speak HTTP and stand at the gateway: forwarded to the site's filing service over NATS."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from contracts.observations import (
    FileFiles,
    FilingAccepted,
    FilingRefused,
    FinishObservation,
    StartObservation,
)
from contracts.subjects import filing_request
from libs.errors import ChasquiError, Retriable, UserError
from libs.telemetry.logs import logger
from libs.telemetry.tracing import current_traceparent, span
from services.gateway.answers import RETRY_AFTER_S, json_answer
from services.gateway.reading import json_object, read_body

ANSWER_WITHIN_S = 30.0

STATUS: Final = {
    "not_json": 400,
    "not_found": 404,
    "observation_not_started": 404,
    "task_unknown": 404,
    "method_not_allowed": 405,
    "observation_differs": 409,
    "observation_finished": 409,
    "file_filed_elsewhere": 409,
    "file_already_packaged": 409,
    "task_differs": 409,
    "task_step_illegal": 409,
    "progress_falls": 409,
    "asset_differs": 409,
    "number_taken": 409,
    "request_too_large": 413,
    "unexpected_error": 500,
    "bus_unavailable": 503,
    "opsdb_unavailable": 503,
    "opsdb_behind": 503,
    "filing_busy": 503,
    "filing_unreachable": 503,
    "sequence_conflict": 503,
}
"""As filing itself answers over HTTP; every other refusal is 422."""

_INVALID = 422
_UNAVAILABLE = 503


class Verb(StrEnum):
    """What can be filed."""

    START = "start"
    """An observation begins."""
    FILES = "files"
    """Files are an observation's."""
    FINISH = "finish"
    """An observation ends."""


def status_of(answer: FilingAccepted | FilingRefused, *, new: int) -> int:
    """The HTTP status of filing's answer.

    Args:
        answer: What filing said.
        new: The status of an accepted request that was not made before; a repeated one has 200.
    """
    if isinstance(answer, FilingAccepted):
        return 200 if answer.repeated else new
    return STATUS.get(answer.problem.code, _INVALID)


def naming_unit(body: bytes, unit: str) -> bytes:
    """The body with the observation that the address names, for a request over NATS.

    Raises:
        UserError: ``not_json``, or ``invalid_request`` if the body names another one.
    """
    data = json_object(body)
    named = data.setdefault("executed_obs_unit_id", unit)
    if str(named).lower() != unit.lower():
        raise UserError(
            "invalid_request",
            f"executed_obs_unit_id is {named!r:.80}, but the address says {unit[:80]}",
            "Name one observation.",
        )
    return to_json(data)


class Forwarder:
    """Asks the filing service of a site.

    Args:
        client: A connected NATS client.
        site: The site.
    """

    def __init__(self, client: Client, site: str) -> None:
        self._client = client
        self._site = site

    @property
    def body_limit(self) -> int:
        """Bytes that the server carries in one message, less room for headers and the observation's id."""
        return self._client.max_payload - 4096

    async def ask(
        self, verb: Verb, body: bytes, headers: Mapping[str, str]
    ) -> FilingAccepted | FilingRefused:
        """Have filing's answer.

        Raises:
            Retriable: ``filing_unreachable``.
        """
        with span(f"gateway filing {verb}", carrier=headers):
            traceparent = current_traceparent()
            try:
                reply = await self._client.request(
                    filing_request(self._site, verb),
                    body,
                    timeout=ANSWER_WITHIN_S,
                    headers={"traceparent": traceparent} if traceparent else None,
                )
            except NoRespondersError as error:
                raise self._unreachable("no filing service runs there") from error
            except (NatsError, OSError, TimeoutError) as error:
                raise self._unreachable(str(error) or type(error).__name__) from error
        return self._read(reply.data)

    def _read(self, data: bytes) -> FilingAccepted | FilingRefused:
        try:
            if json_object(data).get("accepted"):
                return FilingAccepted.model_validate_json(data)
            return FilingRefused.model_validate_json(data)
        except (ValidationError, UserError) as error:
            logger("gateway").error("filing_unreadable", reason=str(error))
            raise self._unreachable("its answer cannot be read") from error

    def _unreachable(self, why: str) -> Retriable:
        return Retriable(
            "filing_unreachable",
            f"filing at {self._site} does not answer: {why}",
            "Send the request again in a while; if this site has no instruments, ask the gateway of theirs.",
        )


def router(forwarder: Forwarder) -> APIRouter:
    """The addresses, as filing has them."""
    routes = APIRouter(tags=["filing"])
    refusals: dict[int | str, dict[str, Any]] = {
        status: {"model": FilingRefused} for status in (400, 404, 409, 413, 422, 503)
    }

    @routes.post(
        "/executed_obs_units/start",
        status_code=201,
        response_model=FilingAccepted,
        responses=refusals,
        openapi_extra=_body(StartObservation),
    )
    async def start(request: Request) -> Response:
        """An observation begins."""
        return await _forwarded(forwarder, Verb.START, request, None, new=201)

    @routes.post(
        "/executed_obs_units/{executed_obs_unit_id}/raw_data_files",
        status_code=201,
        response_model=FilingAccepted,
        responses=refusals,
        openapi_extra=_body(FileFiles),
    )
    async def raw_data_files(request: Request, executed_obs_unit_id: str) -> Response:
        """Files are an observation's; the body need not name the observation again."""
        return await _forwarded(forwarder, Verb.FILES, request, executed_obs_unit_id, new=201)

    @routes.post(
        "/executed_obs_units/{executed_obs_unit_id}/finish",
        response_model=FilingAccepted,
        responses=refusals,
        openapi_extra=_body(FinishObservation),
    )
    async def finish(request: Request, executed_obs_unit_id: str) -> Response:
        """An observation ends; the body need not name the observation again."""
        return await _forwarded(forwarder, Verb.FINISH, request, executed_obs_unit_id, new=200)

    return routes


async def _forwarded(
    forwarder: Forwarder, verb: Verb, request: Request, unit: str | None, *, new: int
) -> Response:
    try:
        body = await read_body(request, forwarder.body_limit)
        if unit is not None:
            body = naming_unit(body, unit)
        answer = await forwarder.ask(verb, body, request.headers)
    except ChasquiError as error:
        answer = FilingRefused(problem=error.problem)
    status = status_of(answer, new=new)
    reply = json_answer(answer, status)
    if status == _UNAVAILABLE:
        reply.headers["retry-after"] = RETRY_AFTER_S
    return reply


def _body(model: type[BaseModel]) -> dict[str, Any]:
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": model.model_json_schema()}},
        }
    }
