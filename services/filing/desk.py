"""One request from bytes to answer, the same for HTTP and NATS. Never raises for what a client sends."""

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from uuid import UUID

from contracts.observations import FileFiles, FinishObservation, StartObservation
from libs.errors import ChasquiError, Retriable
from libs.telemetry.logs import logger
from libs.telemetry.tracing import span
from services.filing.answers import Answer, refused, refused_for, unexpected
from services.filing.reading import BadRequest, read_request
from services.filing.registrar import Registrar

log = logger("filing")


class Verb(StrEnum):
    """What can be filed."""

    START = "start"
    """An observation begins."""
    FILES = "files"
    """Files are an observation's."""
    FINISH = "finish"
    """An observation ends."""


class Desk:
    """Reads, settles and answers requests.

    Attributes:
        registrar: Settles them; None until the service's servers have answered.
    """

    def __init__(self) -> None:
        self.registrar: Registrar | None = None

    async def answer(
        self, verb: Verb, body: bytes, headers: Mapping[str, str], unit: UUID | None = None
    ) -> Answer:
        """Settle one request.

        Args:
            verb: What is filed.
            body: The request as JSON.
            headers: With the W3C trace context, if the client has one.
            unit: The observation, where the address names it.
        """
        with span(f"filing {verb}", carrier=headers):
            try:
                answer = await _SETTLE[verb](self._open(), body, unit)
            except BadRequest as error:
                answer = refused(error.problems)
            except ChasquiError as error:
                answer = refused_for(error)
            except Exception:
                # The client is answered, and the traceback is kept: the next request must find the desk open.
                log.exception("request_failed", verb=verb)
                answer = unexpected()
        _tell(verb, answer)
        return answer

    def _open(self) -> Registrar:
        if self.registrar is None:
            raise Retriable(
                "opsdb_unavailable",
                "the filing service is waiting for its ops-db",
                "Send the request again in a while; the files are safe on the disk.",
            )
        return self.registrar


async def _start(registrar: Registrar, body: bytes, _: UUID | None) -> Answer:
    return await registrar.start(read_request(StartObservation, body))


async def _files(registrar: Registrar, body: bytes, unit: UUID | None) -> Answer:
    return await registrar.file(read_request(FileFiles, body, unit))


async def _finish(registrar: Registrar, body: bytes, unit: UUID | None) -> Answer:
    return await registrar.finish(read_request(FinishObservation, body, unit))


_SETTLE: Mapping[Verb, Callable[[Registrar, bytes, UUID | None], Awaitable[Answer]]] = {
    Verb.START: _start,
    Verb.FILES: _files,
    Verb.FINISH: _finish,
}


def _tell(verb: Verb, answer: Answer) -> None:
    if answer.accepted:
        log.info(
            "accepted",
            verb=verb,
            **answer.model_dump(mode="json", include={"executed_obs_unit_id", "repeated"}),
        )
    else:
        log.warning("refused", verb=verb, **answer.model_dump(include={"problem"})["problem"])
