"""How long an S3 server that says nothing is waited for, and the telling of requests that are tried again.

Trap: aiohttp's `sock_read` begins when a request has been sent. A server that takes a connection and then
neither says "100 Continue", which botocore asks for before each body, nor reads would be waited for for ever.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable
from functools import partial
from typing import Any

import aiohttp
from aiobotocore.httpsession import AIOHTTPSession

from libs.bus.pulse import beat
from libs.telemetry.logs import logger

_TOO_MANY_REQUESTS = 429
_SERVER_FAULT = 500

log = logger("s3")


class PatientSession(AIOHTTPSession):
    """botocore's HTTP session, in which every silence ends, in whatever phase of a request it comes."""

    async def _get_session(self, proxy_url: str | None) -> "_Patient":
        session: aiohttp.ClientSession = await super()._get_session(proxy_url)  # type: ignore[misc] # not in the stubs
        return _Patient(session)


class _Patient:
    """An aiohttp session whose requests are given up when nothing moves until the answer begins.

    What may take its time: a free connection of the pool, "100 Continue", each piece of the body, and the
    answer; each as long as connecting and a silence of the answer together. The answer's own silences are
    aiohttp's to end.
    """

    def __init__(self, session: aiohttp.ClientSession) -> None:
        limits = session.timeout
        self._session = session
        self._silence = (limits.sock_connect or 0.0) + (limits.sock_read or 0.0)

    async def request(self, method: str, *, data: object, **options: Any) -> aiohttp.ClientResponse:  # noqa: ANN401 - aiohttp's own
        """Send a request and wait for the beginning of its answer.

        Raises:
            TimeoutError: Nothing moved for too long.
        """
        async with asyncio.timeout(self._silence) as limit:
            body = _Heard(data, partial(self._prolong, limit)) if isinstance(data, AsyncIterable) else data
            try:
                return await self._session.request(method, data=body, **options)
            finally:
                if isinstance(body, _Heard):
                    body.forget()

    def _prolong(self, limit: asyncio.Timeout) -> None:
        if not limit.expired():
            limit.reschedule(asyncio.get_running_loop().time() + self._silence)


class _Heard:
    """A body that says when a piece of it is asked for, which is when the one before it has gone."""

    def __init__(self, body: AsyncIterable[Any], heard: Callable[[], None]) -> None:
        self._body = body
        self._heard: Callable[[], None] | None = heard

    def forget(self) -> None:
        """Say nothing more: the answer came before the body had gone."""
        self._heard = None

    async def __aiter__(self) -> AsyncIterator[Any]:
        async for piece in self._body:
            self._moved()
            yield piece
        self._moved()

    def _moved(self) -> None:
        if self._heard is not None:
            self._heard()


def telling_retries(endpoint: str, most: int) -> Callable[..., None]:
    """A `needs-retry` handler of botocore that tells of each failed attempt but the last, which is the error.

    Args:
        endpoint: Where the requests go.
        most: Tries of one request.
    """

    def tell(
        *,
        operation: Any,  # noqa: ANN401 - botocore's OperationModel
        attempts: int,
        response: tuple[Any, dict[str, Any]] | None = None,
        caught_exception: Exception | None = None,
        **_: object,
    ) -> None:
        beat()  # an answer, or the end of a silence: what waits for a server is no standstill, and tries are counted
        reason = _fault(response, caught_exception)
        if reason is not None and attempts < most:
            code = "s3_unreachable" if response is None else "s3_busy"
            log.warning(
                "s3_attempt_failed",
                code=code,
                endpoint=endpoint,
                operation=operation.name,
                attempt=attempts,
                of=most,
                reason=reason,
            )

    return tell


def _fault(response: tuple[Any, dict[str, Any]] | None, error: Exception | None) -> str | None:
    """What went wrong in an attempt, if it was the server or the way to it."""
    if error is not None:
        return f"{type(error).__name__}: {error}"
    status = 0 if response is None else int(response[0].status_code)
    failed = status == _TOO_MANY_REQUESTS or status >= _SERVER_FAULT
    return f"HTTP {status}" if failed else None
