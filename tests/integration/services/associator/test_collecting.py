"""Exposures arrive, and associations are collected: once, however many instances look."""

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from nats.errors import NoRespondersError

from commands.services import load
from contracts.association_states import AssociationState, CollectionReason
from contracts.associations import (
    AssociationCollected,
    AssociationEvent,
    AssociationFailed,
    AssociationPlanned,
    AssociationReopened,
    MembersAdded,
    MembersArrived,
    OrphanNoted,
    ProductMade,
)
from contracts.base import Event
from contracts.observations import ObservationFinished, Outcome
from contracts.subjects import events_stream, filing_request
from libs.associations import deciding, planning
from libs.associations.planning import Who
from libs.associations.saying import Associations, Decide, World
from libs.bus.publishing import EventPublisher
from libs.errors import UserError
from libs.opsdb.reader import OpsDbReader
from libs.service.running import running
from services.associator.gathering import Claimed, Gathering
from tests.support import exposures
from tests.support.histories.associations import exposures as members_of
from tests.support.histories.associations import planned
from tests.support.road import Road

pytestmark = pytest.mark.integration

NAME = "J4K601010"
OTHER = "J4K601020"
START = "2026-03-01T02:00:00Z"


async def rows(road: Road, name: str = NAME) -> list[tuple[str, str, str, UUID | None]]:
    found = await road.query(
        road.telescope,
        "SELECT member_num, member_status::text, product_status::text, executed_obs_unit_id FROM asn_members "
        "WHERE association_id = $1 ORDER BY member_num",
        name,
    )
    return [tuple(row) for row in found]


async def state(road: Road, name: str = NAME) -> Any:
    [row] = await road.query(road.telescope, "SELECT * FROM asn_association WHERE association_id = $1", name)
    return row


async def said(road: Road) -> list[AssociationEvent]:
    return [event for _, event in await road.events(road.telescope) if isinstance(event, AssociationEvent)]


async def decided(road: Road, decide: Decide, name: str = NAME) -> AssociationEvent | None:
    """What an operator's command stores."""
    place = road.telescope
    async with OpsDbReader.open(place.opsdb_dsn(), most=2) as opsdb:
        operator = Associations(opsdb, road.client(place), road.publisher(place, "operator"), place.site)
        return await operator.say(name, decide)


def plan_of(count: int, deadline: timedelta) -> Decide:
    """A plan of so many exposures, which an operator lists."""
    now = datetime.now(UTC)
    wanted = replace(planned(NAME, members_of(count), now), deadline=now + deadline)
    return lambda _: planning.plan(wanted, Who("a test", now))


async def test_instruments_name_associations_and_two_instances_collect_each_once(road: Road) -> None:
    service, place = load("associator"), road.telescope
    async with road.running(place, "projector", "associator"), AsyncExitStack() as second:
        await second.enter_async_context(running(service, place, graceful_s=2.0))
        # Exposure 2 is in both associations, and was transmitted twice: the second time as observation 12.
        await asyncio.gather(
            exposures.say(road, *exposures.whole(1, NAME, exposures=3)),
            exposures.say(road, *exposures.whole(2, NAME, OTHER, exposures=3)),
            exposures.say(
                road, exposures.named(12, NAME, as_=2), *exposures.filed(12), *exposures.packaged(12)
            ),
            exposures.say(road, *exposures.whole(3, NAME, exposures=3)),
        )
        await road.wait_for(place, AssociationCollected)
        await road.eventually(lambda: _both_are_told(road), what="both associations in the ops-db")
        told = await said(road)
    mine = [event for event in told if event.head.association_id == NAME]
    assert [event.head.turn for event in mine] == list(range(1, len(mine) + 1))
    kinds = [type(event) for event in mine]
    assert (kinds[0], kinds[-1]) == (AssociationPlanned, AssociationCollected)
    assert kinds.count(MembersAdded) == 2
    assert sum(len(event.exposures) for event in mine if isinstance(event, MembersArrived)) == 3
    found = await rows(road)
    assert [(number, status, product) for number, status, product, _ in found] == [
        ("01", "C", "E"),
        ("010", "P", "N"),
        ("02", "C", "E"),
        ("03", "C", "E"),
    ]
    assert found[2][3] in {exposures.unit(2), exposures.unit(12)}
    collected = await state(road)
    assert (collected["collection_reason"], collected["collected_by"]) == ("complete", "associator")
    assert (await state(road, OTHER))["state"] == AssociationState.OPEN
    assert await road.letters(place) == []


async def _both_are_told(road: Road) -> bool:
    has_one = any(unit is not None for *_, unit in await rows(road, OTHER))
    return has_one and (await state(road))["state"] == AssociationState.COLLECTED


async def test_a_deadline_an_orphan_and_a_second_revision(road: Road) -> None:
    place = road.telescope

    def again(world: World) -> AssociationEvent:
        assert world.known is not None
        return deciding.reopen(world.known, Who("a test", datetime.now(UTC), "two came late"), None)

    async with road.running(place, "projector", "associator"):
        await exposures.say(road, *exposures.whole(1))
        await decided(road, plan_of(3, timedelta(0)))
        [collected] = await road.wait_for(place, AssociationCollected)
        assert collected.head.collection is not None
        assert collected.head.collection.reason is CollectionReason.DEADLINE
        assert collected.head.problem is not None
        await exposures.say(road, *exposures.whole(2), *exposures.whole(3))
        await road.wait_for(place, OrphanNoted, count=2)
        await decided(road, again)
        _, second = await road.wait_for(place, AssociationCollected, count=2)
        await road.eventually(lambda: collected_again(road), what="the second revision")
    assert (second.head.revision, second.head.problem) == (2, None)
    assert [status for _, status, *_ in await rows(road)] == ["C", "P", "P", "C", "C"]
    assert len(await road.events_of(place, AssociationReopened)) == 1


async def collected_again(road: Road) -> bool:
    row = await state(road)
    return (row["revision"], row["state"]) == (2, AssociationState.COLLECTED)


async def test_an_aborted_observation_is_no_exposure_and_without_any_it_fails(road: Road) -> None:
    place = road.telescope
    aborted = [
        event.model_copy(update={"outcome": Outcome.ABORTED})
        if isinstance(event, ObservationFinished)
        else event
        for event in exposures.whole(1)
    ]
    async with road.running(place, "projector", "associator"):
        await exposures.say(road, *aborted)
        await decided(road, plan_of(1, timedelta(0)))
        [failed] = await road.wait_for(place, AssociationFailed)
        await road.eventually(lambda: is_in(road, AssociationState.FAILED), what="the failure")
    assert failed.head.problem is not None
    assert failed.head.problem.code == "no_exposures"
    assert [(status, product) for _, status, product, _ in await rows(road)] == [
        ("O", "E"),
        ("P", "N"),
        ("P", "N"),
    ]


async def is_in(road: Road, wanted: AssociationState) -> bool:
    found = await road.query(road.telescope, "SELECT state::text FROM asn_association")
    return [row["state"] for row in found] == [wanted]


async def test_nobody_decides_about_another_sites_association(road: Road) -> None:
    async with road.running(road.telescope, "projector"):
        event = plan_of(2, timedelta(days=1))(World(None, ()))
        assert event is not None
        await road.publisher(road.centre).publish([event])
        await road.eventually(lambda: is_in(road, AssociationState.OPEN), what="the other site's association")
        with pytest.raises(UserError) as told:
            await decided(road, plan_of(2, timedelta(days=1)))
    assert told.value.problem.code == "association_elsewhere"


async def test_an_instrument_files_exposures_and_they_are_collected(road: Road) -> None:
    """From the files on the disk to the collection, through filing, scanner and packager."""
    place = road.telescope
    async with road.running(place, "projector", "filing", "scanner", "packager", "associator"):
        for number in (1, 2):
            (road.source / f"e{number}.raw").write_bytes(b"counts" * number)
            claim = {"association_id": NAME.lower(), "exposures": 2}
            exposure = {"name": f"j4k6010{number}", "member_type": "exp-dth", "associations": [claim]}
            start = {"instrument": "camera", "start_time": START, "obs_unit": f"e{number}"}
            unit = (await ask(road, "start", {**start, "exposure": exposure}))["executed_obs_unit_id"]
            assert (await ask(road, "start", {**start, "exposure": exposure}))["repeated"]
            other = {**exposure, "name": "J4K60109"}
            refused = await ask(road, "start", {**start, "exposure": other})
            assert refused["problem"]["code"] == "observation_differs"
            await ask(road, "files", {"executed_obs_unit_id": unit, "files": [{"path": f"e{number}.raw"}]})
            await ask(road, "finish", {"executed_obs_unit_id": unit, "end_time": START})
        await road.wait_for(place, AssociationCollected)
        await road.eventually(lambda: is_in(road, AssociationState.COLLECTED), what="the collection")
        assert [status for _, status, *_ in await rows(road)] == ["C", "P", "C"]
        for name in (f"{NAME.lower()}_asn.fits", f"{NAME.lower()}_drz.fits", f"{NAME.lower()[:8]}q_raw.fits"):
            (road.source / "products").mkdir(exist_ok=True)
            (road.source / "products" / name).write_bytes(b"made of both")
        start = {"instrument": "camera", "start_time": START, "obs_unit": "products"}
        unit = (await ask(road, "start", start))["executed_obs_unit_id"]
        files = [{"path": f"products/{path.name}"} for path in sorted((road.source / "products").iterdir())]
        filed = await ask(road, "files", {"executed_obs_unit_id": unit, "files": files})
        await ask(road, "finish", {"executed_obs_unit_id": unit, "end_time": START})
        [made] = await road.wait_for(place, ProductMade)
        await road.eventually(lambda: product_is(road, "C"), what="the product")
    # drz stands second among asn, drz and another name's raw
    assert [str(one.dataset) for one in made.products] == [filed["file_ids"][1]]


async def product_is(road: Road, status: str) -> bool:
    return [product for _, member, product, _ in await rows(road) if member == "P"] == [status]


async def ask(road: Road, verb: str, request: dict[str, Any]) -> dict[str, Any]:
    """Ask filing; it has said that it listens a moment before the server has read that."""
    subject, body = filing_request(road.telescope.site, verb), json.dumps(request).encode()
    for _ in range(200):
        try:
            reply = await road.client(road.telescope).request(subject, body, timeout=15)
        except NoRespondersError:
            await asyncio.sleep(0.01)
        else:
            return dict(json.loads(reply.data))
    raise AssertionError("nobody answers")


class Killed(BaseException):
    """The process ends here."""


class Mortal(EventPublisher):
    """Ends after it has stored one event, before anybody hears of that."""

    async def publish_guarded(
        self, event: Event, *, guarded: str, last_sequence: int, causation_id: str | None = None
    ) -> int:
        await super().publish_guarded(
            event, guarded=guarded, last_sequence=last_sequence, causation_id=causation_id
        )
        raise Killed


async def test_whoever_ends_after_any_event_leaves_the_rest_to_the_next_and_nothing_is_said_twice(
    road: Road,
) -> None:
    place, now = road.telescope, datetime.now(UTC)
    [member] = members_of(1)
    gathering = Gathering(NAME, now, timedelta(days=1), Claimed(member, 1))
    async with road.running(place, "projector"), OpsDbReader.open(place.opsdb_dsn(), most=2) as opsdb:
        await exposures.say(road, *exposures.whole(1, NAME, exposures=1))
        await opsdb.wait_applied(events_stream(place.site), len(await road.events(place)))
        client = road.client(place)
        for _ in range(3):
            mortal = Associations(
                opsdb, client, Mortal(client, site=place.site, service="associator"), place.site
            )
            with pytest.raises(Killed):
                await mortal.settle(NAME, gathering.next, also=(member.key,))
        survivor = Associations(opsdb, client, road.publisher(place, "associator"), place.site)
        assert await survivor.settle(NAME, gathering.next, also=(member.key,)) == []
    assert [event.fact for event in await said(road)] == ["planned", "members_arrived", "collected"]
