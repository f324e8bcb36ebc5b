"""Only one may add to a guarded kind of events at a time."""

from uuid import UUID, uuid4

import pytest

from contracts.files import FilesAssigned
from contracts.packages import PackageAbandoned
from contracts.problems import Problem
from libs.bus.guard import Guard, until_undisputed
from libs.bus.publishing import SequenceConflict
from tests.support.road import Road

pytestmark = pytest.mark.integration


def assigned(package: UUID, *files: UUID) -> FilesAssigned:
    return FilesAssigned(package_id=package, executed_obs_unit_id=UUID(int=1), file_ids=files or (uuid4(),))


def guard_of(road: Road) -> Guard:
    place = road.telescope
    return Guard(road.client(place), road.publisher(place), site=place.site, event=FilesAssigned)


async def test_a_chain_of_events_is_stored_one_after_the_other(road: Road) -> None:
    guard = guard_of(road)
    assert await guard.last_sequence() == 0
    last = 0
    for _ in range(3):
        last = await guard.publish(assigned(uuid4()), after=last, causation_id=None)
    assert await guard.last_sequence() == last
    assert len(await road.events_of(road.telescope, FilesAssigned)) == 3


async def test_a_decision_on_an_older_state_is_refused(road: Road) -> None:
    guard = guard_of(road)
    await guard.publish(assigned(uuid4()), after=0, causation_id=None)
    with pytest.raises(SequenceConflict):
        await guard.publish(assigned(uuid4()), after=0, causation_id=None)
    assert len(await road.events_of(road.telescope, FilesAssigned)) == 1


async def test_other_kinds_of_events_do_not_disturb(road: Road) -> None:
    guard = guard_of(road)
    last = await guard.publish(assigned(uuid4()), after=0, causation_id=None)
    problem = Problem(code="files_refused", reason="r", remedy="r")
    other = PackageAbandoned(package_id=uuid4(), executed_obs_unit_id=uuid4(), problem=problem)
    await road.publisher(road.telescope).publish([other])
    assert await guard.publish(assigned(uuid4()), after=last, causation_id=None) > last


async def test_another_decision_under_the_same_id_is_a_conflict(road: Road) -> None:
    guard, package = guard_of(road), uuid4()
    first = await guard.publish(assigned(package, UUID(int=5)), after=0, causation_id=None)
    with pytest.raises(SequenceConflict):
        await guard.publish(assigned(package, UUID(int=6)), after=first, causation_id=None)
    (stored,) = await road.events_of(road.telescope, FilesAssigned)
    assert stored.file_ids == (UUID(int=5),)


async def test_decides_again_until_nobody_is_faster() -> None:
    tries = 0

    async def decide() -> int:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise SequenceConflict("chasqui.x.>")
        return tries

    assert await until_undisputed(decide) == 3


async def test_gives_up_when_others_are_always_faster() -> None:
    async def decide() -> None:
        raise SequenceConflict("chasqui.x.>")

    with pytest.raises(SequenceConflict):
        await until_undisputed(decide, attempts=3)
