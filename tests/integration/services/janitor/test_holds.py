"""What somebody holds stays at every site, whenever the hold is placed."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from contracts.copies import CopyDeleted, DeletionRefused
from contracts.holds import HoldPlaced, HoldReleased, HoldScope
from contracts.states import HoldKind
from libs.service.service import Place
from services.janitor.asking import Asker
from services.janitor.facts import PackageFacts
from tests.support.archived import Package, sealed
from tests.support.road import Road

pytestmark = pytest.mark.integration


async def place_hold(road: Road, at: Place, kind: HoldKind, target: object) -> UUID:
    event = HoldPlaced(
        hold_id=uuid4(),
        scope=HoldScope(kind=kind, target=str(target)),
        reason="a transient",
        placed_by="an astronomer",
        placed_at=datetime.now(UTC),
    )
    await road.publisher(at).publish([event])
    return event.hold_id


async def known(road: Road, at: Place, hold: UUID) -> None:
    async def is_known() -> bool:
        return bool(
            await road.query(at, "SELECT FROM deletion_hold WHERE id = $1 AND kind IS NOT NULL", hold)
        )

    await road.eventually(is_known, what="the hold")


async def codes_at(road: Road, at: Place, location: str) -> set[str]:
    events = [e for e in await road.events_of(at, DeletionRefused) if e.location == location]
    return {one.problem.code for event in events for one in event.refusals}


async def test_a_hold_of_one_site_keeps_copies_at_the_other_until_it_is_released(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.janitor.app.SWEEP_EVERY_S", 0.3)
    package = await sealed(road, {"a.fits": b"precious", "b.fits": b"too"})
    async with (
        road.running(road.telescope, "projector", "janitor"),
        road.running(road.centre, "projector", "janitor"),
    ):
        hold = await place_hold(road, road.centre, HoldKind.EXECUTED_OBS_UNIT, package.observation.unit)
        await known(road, road.telescope, hold)
        await known(road, road.centre, hold)
        await package.archive()
        await road.wait_for(road.telescope, DeletionRefused, count=2)
        await road.wait_for(road.centre, DeletionRefused)
        assert all(path.exists() for path in (*package.at_source, package.at_telescope, package.at_centre))
        for site, location in (
            (road.telescope, "source"),
            (road.telescope, "buffer"),
            (road.centre, "buffer"),
        ):
            assert await codes_at(road, site, f"{site.site}-{location}") == {"held"}
        released = HoldReleased(hold_id=hold, reason="done", released_by="b", released_at=datetime.now(UTC))
        await road.publisher(road.telescope).publish([released])
        await road.wait_for(road.telescope, CopyDeleted, count=2, within_s=90)
        await road.wait_for(road.centre, CopyDeleted, within_s=90)
    assert not any(path.exists() for path in (*package.at_source, package.at_telescope, package.at_centre))


async def test_a_hold_that_is_placed_between_deciding_and_acting_counts(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = await sealed(road, {"a.fits": b"precious", "b.fits": b"not held"})
    asked = Asker.ask
    file = package.observation.files[next(iter(package.contents))]

    async def ask_slowly(self: Asker, facts: PackageFacts, *more: object) -> PackageFacts:
        """The archive takes its time; meanwhile somebody places a hold."""
        found = await asked(self, facts, *more)  # type: ignore[arg-type]  # the mode
        await known(
            road, road.telescope, await place_hold(road, road.telescope, HoldKind.RAW_DATA_FILE, file.file_id)
        )
        return found

    monkeypatch.setattr(Asker, "ask", ask_slowly)
    async with road.running(road.telescope, "projector", "janitor"):
        await package.archive()
        await road.wait_for(road.telescope, DeletionRefused, count=2)
        await road.wait_for(road.telescope, CopyDeleted)
    held, other = package.at_source
    assert held.exists()
    assert not other.exists()
    assert package.at_telescope.exists()
    for location in ("source", "buffer"):
        assert await codes_at(road, road.telescope, f"{road.telescope.site}-{location}") == {"held"}


async def test_a_hold_covers_what_its_kind_says(road: Road) -> None:
    package = await sealed(road, {"a.fits": b"x"})
    other = await sealed(road, {"b.fits": b"y"})
    async with road.running(road.telescope, "projector"):
        buffer = f"{road.telescope.site}-buffer"
        for kind, target in (
            (HoldKind.LOCATION, buffer),
            (HoldKind.RAW_DATA_PACKAGE, package.id),
            (HoldKind.RAW_DATA_FILE, "no id at all"),
            (HoldKind.RAW_DATA_FILE, uuid4()),
        ):
            await known(road, road.telescope, await place_hold(road, road.telescope, kind, target))
        async with road.running(road.telescope, "janitor"):
            await package.archive()
            await other.archive()
            await road.wait_for(road.telescope, DeletionRefused, count=3)
            await road.wait_for(road.telescope, CopyDeleted)
    assert _there(package) == [True, True]
    assert _there(other) == [False, True]


def _there(package: Package) -> list[bool]:
    return [path.exists() for path in (*package.at_source, package.at_telescope)]
