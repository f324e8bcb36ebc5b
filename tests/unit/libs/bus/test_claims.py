"""Claims by the clock: renewed while there is a pulse, lost after a silence or a pause."""

import asyncio
from typing import cast

import pytest
from nats.aio.msg import Msg

from libs.bus.claims import Claim, ClaimLapsed
from libs.bus.pulse import beat
from libs.errors import Retriable

ACK_WAIT_S = 0.03
"""Real seconds, three looks; the claim's own clock is told what they are."""


class Message:
    """A message that counts its renewals."""

    subject = "chasqui.chile.observation.started.v1"

    def __init__(self) -> None:
        self.renewals = 0

    async def in_progress(self) -> None:
        self.renewals += 1


class Told:
    """A claim on a message, with a clock that the test sets and a server that it can take away."""

    def __init__(self) -> None:
        self.now = 100.0
        self.connected = True
        self.message = Message()
        self.claim = Claim(
            cast("Msg", self.message),
            connected=lambda: self.connected,
            ack_wait_s=ACK_WAIT_S,
            silence_s=10.0,
            clock=lambda: self.now,
        )

    async def looks(self, count: int = 1) -> None:
        """Until the claim has had time for so many looks."""
        await asyncio.sleep(ACK_WAIT_S / 3 * (count + 2))


async def test_a_handler_that_is_at_work_keeps_its_claim_for_any_time() -> None:
    told = Told()

    async def work() -> str:
        for _ in range(20):
            told.now += 1.0
            told.claim._looked_at = told.now  # the looks come in time: this clock runs in leaps
            beat()
            await told.looks()
        return "done"

    assert await told.claim.hold(work()) == "done"
    assert told.message.renewals >= 20


async def test_a_silent_handler_is_stopped_and_its_failure_is_retriable() -> None:
    told = Told()
    ended = False

    async def hang() -> None:
        nonlocal ended
        try:
            await asyncio.sleep(3600)
        finally:
            ended = True

    holding = asyncio.create_task(told.claim.hold(hang()))
    await told.looks(3)
    renewed = told.message.renewals
    told.now += 10.0
    told.claim._looked_at = told.now
    with pytest.raises(Retriable) as caught:
        await holding
    assert caught.value.problem.code == "handler_stalled"
    assert ended
    assert renewed >= 1
    assert told.message.renewals == renewed


async def test_after_a_pause_the_handler_is_stopped_and_the_claim_is_no_more() -> None:
    told = Told()
    holding = asyncio.create_task(told.claim.hold(asyncio.sleep(3600)))
    await told.looks()
    assert not told.claim.lapsed
    told.now += ACK_WAIT_S
    with pytest.raises(ClaimLapsed):
        await holding
    assert told.claim.lapsed


async def test_while_the_server_is_away_the_work_goes_on_but_the_claim_lapses() -> None:
    told = Told()
    done = asyncio.Event()
    holding = asyncio.create_task(told.claim.hold(done.wait()))
    await told.looks()
    told.connected = False
    told.now += ACK_WAIT_S
    told.claim._looked_at = told.now
    renewed = told.message.renewals
    await told.looks(2)
    assert told.message.renewals == renewed
    told.connected = True
    await told.looks(2)
    assert told.message.renewals > renewed
    done.set()
    await holding
    assert told.claim.lapsed


async def test_a_claim_ends_with_its_holder() -> None:
    told = Told()
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    holding = asyncio.create_task(told.claim.hold(work()))
    await told.looks()
    holding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holding
    assert ended.is_set()


async def test_what_a_handler_raises_is_raised() -> None:
    async def fail() -> None:
        raise KeyError("a defect")

    with pytest.raises(KeyError):
        await Told().claim.hold(fail())
