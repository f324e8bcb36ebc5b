"""Settling requests one at a time: decide on the present state, store, and decide again if somebody was faster."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from libs.bus.publishing import SequenceConflict
from libs.errors import Retriable
from services.filing.answers import Answer, refused
from services.filing.decisions import Accept, Decision, Refuse

PATIENCE_S: Final = 10.0
"""How long a request waits for servers before it is answered with what it waits for."""

ATTEMPTS: Final = 20
"""How often a request is decided again because another instance stored something first."""


class Settler:
    """Settles the requests of one instance, one after the other."""

    def __init__(self) -> None:
        self._one_at_a_time = asyncio.Lock()

    async def settle(
        self,
        decide: Callable[[], Awaitable[Decision]],
        store: Callable[[Accept], Awaitable[bool]],
        guarded: str,
    ) -> Answer:
        """Answer a request.

        Args:
            decide: On the present state; it is asked again if somebody else was faster.
            store: The events of a decision; False if somebody else was faster.
            guarded: What somebody else was faster with, in words.

        Raises:
            SequenceConflict: Somebody else was faster every time.
            Retriable: ``filing_busy``, or a server is away.
        """
        try:
            async with asyncio.timeout(PATIENCE_S), self._one_at_a_time:
                return await _settled(decide, store, guarded)
        except TimeoutError as error:
            raise Retriable(
                "filing_busy",
                f"the request could not be settled within {PATIENCE_S:g} s; it may or may not be stored",
                "Send the same request again: what was stored is then answered as repeated.",
            ) from error


async def _settled(
    decide: Callable[[], Awaitable[Decision]], store: Callable[[Accept], Awaitable[bool]], guarded: str
) -> Answer:
    for _ in range(ATTEMPTS):
        decision = await decide()
        match decision:
            case Refuse(problems=problems):
                return refused(problems)
            case Accept(events=()):
                return decision.answer
            case Accept():
                if await store(decision):
                    return decision.answer
    raise SequenceConflict(guarded)
