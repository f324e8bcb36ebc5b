"""What goes is announced first; what a killed janitor had announced is finished or undone."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from contracts.base import Event
from contracts.copies import CopyDeleted, CopyRef, DeletionRefused, DeletionScheduled
from contracts.packages import PackageArchived
from contracts.states import CopyKind, HoldKind
from libs.opsdb.reader import OpsDbReader
from libs.service.archives import open_archives
from libs.storage.s3_proof import ProofMode
from services.janitor import deleting
from services.janitor.asking import Asker
from services.janitor.cleaning import Cleaner
from services.janitor.facts import PackageFacts
from services.janitor.handlers import JanitorHandlers
from services.janitor.saying import Voice
from tests.integration.services.janitor.test_clearing import applied, copies_of
from tests.integration.services.janitor.test_holds import known, place_hold
from tests.support.archived import Package, sealed
from tests.support.road import Road
from tests.support.victims import victim

pytestmark = pytest.mark.integration


@pytest.fixture
def sweeping_alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The janitor's sweep is quick, and no event does its work."""

    async def deaf(_: JanitorHandlers, event: PackageArchived) -> tuple[Event, ...]:
        del event
        return ()

    monkeypatch.setattr("services.janitor.app.SWEEP_EVERY_S", 0.3)
    monkeypatch.setattr("services.janitor.sweeping.STRANDED", timedelta(0))
    monkeypatch.setattr("services.janitor.sweeping.FIRST_PAUSE_S", 0.5)
    monkeypatch.setattr(JanitorHandlers, "clear", deaf)
    return iter(())


def source_of(road: Road) -> str:
    return f"{road.telescope.site}-source"


def copies_at_source(road: Road, package: Package) -> tuple[CopyRef, ...]:
    return tuple(
        CopyRef(
            kind=CopyKind.RAW_DATA_FILE,
            entity_id=package.observation.files[path].file_id,
            location=source_of(road),
            path=path,
            size=len(data),
        )
        for path, data in package.contents.items()
    )


async def announce(road: Road, package: Package) -> None:
    """What the log has of a janitor that was killed then."""
    event = DeletionScheduled(location=source_of(road), batch=uuid4(), copies=copies_at_source(road, package))
    await road.publisher(road.telescope).publish([event])

    async def scheduled() -> bool:
        return {state for state, _ in await copies_of(road, package, source_of(road))} == {
            "deletion_scheduled"
        }

    await road.eventually(scheduled, what="the announcement")


async def each_said_once(road: Road, kind: type[DeletionScheduled] | type[CopyDeleted], count: int) -> None:
    """The stream has every copy in one event of a kind, however often the event was sent."""
    said = [copy for event in await road.events_of(road.telescope, kind) for copy in event.copies]
    assert len(said) == len(set(said)) == count


async def states(road: Road, package: Package) -> list[tuple[str, str | None]]:
    return sorted(await copies_of(road, package, source_of(road)), key=str)


async def test_nothing_goes_that_was_not_announced(road: Road) -> None:
    package = await sealed(road, {f"{n}.fits": b"%d" % n for n in range(700)})
    async with road.running(road.telescope, "projector", "janitor"):
        await package.archive()
        await road.wait_for(road.telescope, CopyDeleted, count=3)
    told = [event for _, event in await road.events(road.telescope)]
    for location, parts in ((source_of(road), 2), (f"{road.telescope.site}-buffer", 1)):
        before = [e for e in told if isinstance(e, DeletionScheduled) and e.location == location]
        after = [e for e in told if isinstance(e, CopyDeleted) and e.location == location]
        assert len(before) == len(after) == parts
        assert {e.batch for e in before} == {e.batch for e in after}
        assert {c for e in before for c in e.copies} == {c for e in after for c in e.copies}
        assert max(map(told.index, before)) < min(map(told.index, after))


@pytest.mark.usefixtures("sweeping_alone")
async def test_what_was_announced_is_finished_by_the_sweep(road: Road) -> None:
    package = await sealed(road, {f"{n}.fits": b"x" for n in range(3)})
    async with road.running(road.telescope, "projector"):
        await package.archive()
        await applied(road, package)
        await announce(road, package)
        package.at_source[0].unlink()
        async with road.running(road.telescope, "janitor"):
            await road.wait_for(road.telescope, CopyDeleted, count=3)
            await road.eventually(lambda: _all_deleted(road, package))
    assert not any(path.exists() for path in package.at_source)
    await each_said_once(road, CopyDeleted, 4)
    await each_said_once(road, DeletionScheduled, 4)


@pytest.mark.usefixtures("sweeping_alone")
async def test_what_a_killed_janitor_had_in_hand_is_not_said_to_be_gone_before_it_is(road: Road) -> None:
    """It stands aside under another name, alone or beside others."""
    package = await sealed(road, {"one/a.fits": b"x", "two/b.fits": b"x", "two/c.fits": b"x"})
    async with road.running(road.telescope, "projector"):
        await package.archive()
        await applied(road, package)
        await announce(road, package)
        for path in (path for path in package.at_source if path.name != "c.fits"):
            path.rename(path.with_name(f".{path.name}.{'0' * 16}.chasqui-deleting"))
        async with road.running(road.telescope, "janitor"):
            await road.eventually(lambda: _all_deleted(road, package))
    assert [path for path in road.source.rglob("*") if path.is_file()] == []
    await each_said_once(road, CopyDeleted, 4)
    await each_said_once(road, DeletionScheduled, 4)


@pytest.mark.usefixtures("sweeping_alone")
async def test_what_was_announced_and_may_not_go_any_more_is_undone(road: Road) -> None:
    package = await sealed(road, {f"{n}.fits": b"x" for n in range(3)})
    async with road.running(road.telescope, "projector"):
        await package.archive()
        await applied(road, package)
        await announce(road, package)
        package.at_source[0].unlink()
        await known(
            road, road.telescope, await place_hold(road, road.telescope, HoldKind.INSTRUMENT, "camera")
        )
        async with road.running(road.telescope, "janitor"):
            await road.wait_for(road.telescope, CopyDeleted)
            await road.wait_for(road.telescope, DeletionRefused, count=2)
            expected = [("deleted", None), ("present", "held"), ("present", "held")]
            await road.eventually(lambda: _states_are(road, package, expected))
    assert [path.exists() for path in package.at_source] == [False, True, True]


@pytest.mark.usefixtures("sweeping_alone")
async def test_an_unmounted_disk_finishes_nothing(road: Road) -> None:
    package = await sealed(road, {"a.fits": b"x"})
    away = road.source.with_name("unmounted")
    async with road.running(road.telescope, "projector"):
        await package.archive()
        await applied(road, package)
        await announce(road, package)
        road.source.rename(away)
        async with road.running(road.telescope, "janitor"):
            await road.wait_for(road.telescope, CopyDeleted)
            assert {e.location for e in await road.events_of(road.telescope, CopyDeleted)} == {
                f"{road.telescope.site}-buffer"
            }
            assert await states(road, package) == [("deletion_scheduled", None)]
            away.rename(road.source)
            await road.eventually(lambda: _all_deleted(road, package), within_s=90)


@pytest.mark.usefixtures("sweeping_alone")
async def test_what_the_storage_refused_is_told_and_tried_again(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = await sealed(road, {"a.fits": b"x"})

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    async with road.running(road.telescope, "projector"):
        await package.archive()
        await applied(road, package)
        async with road.running(road.telescope, "janitor"):
            with monkeypatch.context() as patched:
                patched.setattr(deleting, "delete_below", denied)
                expected: list[tuple[str, str | None]] = [("deletion_failed", "delete_refused")]
                await road.eventually(lambda: _states_are(road, package, expected))
                await road.wait_for(road.telescope, DeletionRefused, count=4)
                assert package.at_source[0].exists()
            await road.eventually(lambda: _all_deleted(road, package), within_s=60)
    scheduled = [
        e for e in await road.events_of(road.telescope, DeletionScheduled) if e.location == source_of(road)
    ]
    # Each try has a name of its own, and the last one is that of the deletion.
    assert len({event.batch for event in scheduled}) == len(scheduled) >= 2
    deleted = [e for e in await road.events_of(road.telescope, CopyDeleted) if e.location == source_of(road)]
    assert [event.batch for event in deleted] == [scheduled[-1].batch]


async def test_two_janitors_at_one_package_say_everything_once(road: Road) -> None:
    """One hears the event, the other sweeps, and both have decided before either says so; then one comes again."""
    package = await sealed(road, {f"{n}.fits": b"x" for n in range(600)})
    place = road.telescope
    both_asked = asyncio.Barrier(2)

    class Together(Asker):
        async def ask(self, package: PackageFacts, mode: ProofMode = ProofMode.HEAD) -> PackageFacts:
            await both_asked.wait()
            return await super().ask(package, mode)

    async with road.running(place, "projector"), open_archives(place) as stores:
        await package.archive()
        await applied(road, package)
        async with OpsDbReader.open(place.opsdb_dsn()) as opsdb:

            def cleaner(asker: Asker) -> Cleaner:
                voice = Voice(road.publisher(place, "janitor"), opsdb, place.site)
                return Cleaner(
                    opsdb=opsdb, asker=asker, voice=voice, place=place, now=lambda: datetime.now(UTC)
                )

            await asyncio.gather(*(cleaner(Together(stores)).clean(package.id) for _ in range(2)))
            await cleaner(Asker(stores)).clean(package.id)
            await road.eventually(lambda: _all_deleted(road, package))
    assert not any(path.exists() for path in (*package.at_source, package.at_telescope))
    await each_said_once(road, DeletionScheduled, 601)
    await each_said_once(road, CopyDeleted, 601)


async def test_killed_while_it_deletes(road: Road) -> None:
    package = await sealed(road, {f"{n}.fits": b"x" for n in range(3000)})
    async with road.running(road.telescope, "projector"):
        await package.archive()
        await applied(road, package)
        async with victim(road, road.telescope, "janitor") as process:
            await road.eventually(
                lambda: not all(path.exists() for path in package.at_source), within_s=90, what="a deletion"
            )
            process.kill()
            process.join(10)
        left = sum(path.exists() for path in package.at_source)
        scheduled = await road.events_of(road.telescope, DeletionScheduled)
        async with road.running(road.telescope, "janitor"):
            await road.eventually(lambda: _all_deleted(road, package), within_s=90)
    assert 0 < left < 3000, "it was killed too late to prove anything"
    assert sum(len(e.copies) for e in scheduled if e.location == source_of(road)) == 3000
    await each_said_once(road, DeletionScheduled, 3001)
    await each_said_once(road, CopyDeleted, 3001)
    assert not any(path.exists() for path in package.at_source)
    assert await road.letters(road.telescope) == []


async def _states_are(road: Road, package: Package, expected: list[tuple[str, str | None]]) -> bool:
    return await states(road, package) == expected


async def _all_deleted(road: Road, package: Package) -> bool:
    return {state for state, _ in await states(road, package)} == {"deleted"}
