"""Who may still take effect."""

import asyncio

import pytest

from libs.bus import fencing
from libs.bus.claims import ClaimLapsed
from libs.bus.fencing import Overtaken, overtaken
from tests.unit.libs.bus.test_claims import ACK_WAIT_S, Told


def test_outside_of_handlers_everybody_may() -> None:
    fencing.check()
    assert isinstance(overtaken("a file is gone"), Overtaken)


async def test_a_handler_may_until_its_claim_has_lapsed_in_threads_too() -> None:
    told = Told()

    async def work() -> None:
        fencing.check()
        await asyncio.to_thread(fencing.check)
        told.now += ACK_WAIT_S
        with pytest.raises(ClaimLapsed):
            await asyncio.to_thread(fencing.check)
        fencing.check()

    with pytest.raises(ClaimLapsed):
        await told.claim.hold(work())


async def test_evidence_of_a_successor_ends_the_claim_at_once() -> None:
    told = Told()

    async def work() -> None:
        raise overtaken("somebody took the partial file away")

    with pytest.raises(Overtaken):
        await told.claim.hold(work())
    assert told.claim.lapsed
