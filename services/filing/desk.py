"""One request from bytes to answer, the same for HTTP and NATS. Never raises for what a client sends."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from contracts.observations import FileFiles, FinishObservation, StartObservation
from contracts.skynet.requests import FileAsset, FileCamera, FileTask, ReportTask
from libs.errors import ChasquiError, Retriable
from libs.telemetry.logs import logger
from libs.telemetry.tracing import span
from services.filing.answers import Answer, refused, refused_for, unexpected
from services.filing.network import NetworkRegistrar
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
    TASK = "task"
    """There is a task."""
    TASK_STEP = "task_step"
    """Something happened to a task."""
    ASSET = "asset"
    """There is an asset."""
    CAMERA = "camera"
    """A camera is like this now."""


@dataclass(frozen=True, slots=True)
class Registrars:
    """Who settles requests: those of instruments, and those of telescope nodes."""

    observations: Registrar
    network: NetworkRegistrar


class Desk:
    """Reads, settles and answers requests.

    Attributes:
        registrars: Settle them; None until the service's servers have answered.
    """

    def __init__(self) -> None:
        self.registrars: Registrars | None = None

    async def answer(
        self, verb: Verb, body: bytes, headers: Mapping[str, str], named: UUID | None = None
    ) -> Answer:
        """Settle one request.

        Args:
            verb: What is filed.
            body: The request as JSON.
            headers: With the W3C trace context, if the client has one.
            named: The observation or task, where the address names it.
        """
        with span(f"filing {verb}", carrier=headers):
            try:
                answer = await _SETTLE[verb](self._open(), body, named)
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

    def _open(self) -> Registrars:
        if self.registrars is None:
            raise Retriable(
                "opsdb_unavailable",
                "the filing service is waiting for its ops-db",
                "Send the request again in a while; the files are safe on the disk.",
            )
        return self.registrars


async def _start(at: Registrars, body: bytes, _: UUID | None) -> Answer:
    return await at.observations.start(read_request(StartObservation, body))


async def _files(at: Registrars, body: bytes, unit: UUID | None) -> Answer:
    return await at.observations.file(read_request(FileFiles, body, unit))


async def _finish(at: Registrars, body: bytes, unit: UUID | None) -> Answer:
    return await at.observations.finish(read_request(FinishObservation, body, unit))


async def _task(at: Registrars, body: bytes, _: UUID | None) -> Answer:
    return await at.network.task(read_request(FileTask, body))


async def _task_step(at: Registrars, body: bytes, task: UUID | None) -> Answer:
    return await at.network.task_step(read_request(ReportTask, body, task, field="task_uid"))


async def _asset(at: Registrars, body: bytes, _: UUID | None) -> Answer:
    return await at.network.asset(read_request(FileAsset, body))


async def _camera(at: Registrars, body: bytes, _: UUID | None) -> Answer:
    return await at.network.camera(read_request(FileCamera, body))


_SETTLE: Mapping[Verb, Callable[[Registrars, bytes, UUID | None], Awaitable[Answer]]] = {
    Verb.START: _start,
    Verb.FILES: _files,
    Verb.FINISH: _finish,
    Verb.TASK: _task,
    Verb.TASK_STEP: _task_step,
    Verb.ASSET: _asset,
    Verb.CAMERA: _camera,
}


def _tell(verb: Verb, answer: Answer) -> None:
    if answer.accepted:
        log.info(
            "accepted",
            verb=verb,
            **answer.model_dump(mode="json", include={"executed_obs_unit_id", "uid", "turn", "repeated"}),
        )
    else:
        log.warning("refused", verb=verb, **answer.model_dump(include={"problem"})["problem"])
