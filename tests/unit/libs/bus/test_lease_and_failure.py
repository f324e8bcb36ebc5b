"""The time of a lease is up while, or after, something in its block has failed: its holder waits for it again."""

import asyncio
from datetime import datetime
from unittest.mock import Mock

import pytest
from nats.errors import TimeoutError as NatsTimeoutError

from libs.bus.leases import LeaseLost, Leases, Seen
from libs.errors import Retriable
from libs.groups import TaskGroup
from libs.service.ticking import ticking

LEASE_S = 15.0


class Unrenewed(Leases):
    """Leases that can be had at once; their renewal gets no answer, and by then their time is up.

    Attributes:
        away: Set when the renewal is to be given up.
    """

    def __init__(self) -> None:
        self.elapsed = 0.0
        self.away = asyncio.Event()
        self._puts = 0
        super().__init__(Mock(), site="chile", instance="test", lease_s=LEASE_S, clock=lambda: self.elapsed)

    async def look(self, name: str) -> Seen:  # noqa: ARG002
        return Seen(self._puts, None, self.elapsed)

    async def put(self, name: str, nonce: str, since: datetime, last: int) -> int:  # noqa: ARG002
        self._puts += 1
        if self._puts != 2:
            return self._puts
        await self.away.wait()
        self.elapsed += LEASE_S
        raise NatsTimeoutError

    async def remove(self, name: str, last: int) -> None:
        """Nobody else waits for it."""


async def fails() -> None:
    raise Retriable("opsdb_unavailable", "the connection was lost", "none")


async def test_a_failure_on_its_way_out_of_the_block_is_no_cancellation() -> None:
    leases = Unrenewed()

    async def work() -> None:
        async with leases.of("test").held():
            try:
                async with TaskGroup() as group:
                    group.create_task(fails())
            finally:
                leases.away.set()

    with pytest.raises(LeaseLost):
        await work()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_clock_whose_action_has_failed_ticks_on_when_it_has_the_lease_again() -> None:
    leases = Unrenewed()
    turns: list[int] = []
    again = asyncio.Event()

    async def action() -> None:
        turns.append(len(turns))
        if len(turns) == 2:
            again.set()
        try:
            async with TaskGroup() as group:
                group.create_task(fails())
        except ExceptionGroup as several:
            leases.away.set()
            raise several.exceptions[0] from several

    async with asyncio.timeout(30), ticking(600.0, action, what="test", lease=leases.of("test")):
        await again.wait()
    assert turns == [0, 1]
