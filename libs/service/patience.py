"""Waiting for servers that are not there yet, with a word about it now and then."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential_jitter

from libs.errors import Retriable
from libs.telemetry.logs import logger

T = TypeVar("T")


async def patiently(attempt: Callable[[], Awaitable[T]], *, what: str) -> T:
    """Call `attempt` until it does not raise Retriable; other errors pass through.

    Args:
        attempt: Makes one try.
        what: Named in the log, which tells code, reason and remedy of each failure.
    """

    def tell(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, Retriable):
            logger("service").warning(
                "waiting", what=what, attempt=state.attempt_number, **error.problem.model_dump()
            )

    retrying = AsyncRetrying(
        retry=retry_if_exception_type(Retriable),
        wait=wait_exponential_jitter(multiplier=0.2, max=5.0, jitter=0.2),
        before_sleep=tell,
        reraise=True,
    )

    async def once() -> T:
        # tenacity awaits coroutine functions only, not what a lambda returns.
        return await attempt()

    return await retrying(once)
