"""The janitor at the telescope and at the data centre, with a real archive, log and ops-db."""

import asyncio
import hashlib
from dataclasses import replace

import pytest

from contracts.copies import CopyDeleted, DeletionRefused, DeletionScheduled
from libs.service.service import Place
from libs.sites.models import Deployment
from libs.sites.retention import Retention
from libs.storage.s3 import S3Store
from services.janitor import sweeping
from tests.support.archived import Package, sealed
from tests.support.road import Road

pytestmark = pytest.mark.integration


def with_retention(place: Place, location: str, **changes: object) -> Place:
    """The place with another retention at one location."""
    site, settings = place.deployment.location(location)
    kept = settings.model_copy(update={"retention": Retention.model_validate(changes)})
    at = place.deployment.site(site)
    changed = at.model_copy(update={"locations": {**at.locations, location: kept}})
    deployment: Deployment = place.deployment.model_copy(
        update={"sites": {**place.deployment.sites, site: changed}}
    )
    return replace(place, deployment=deployment)


async def copies_of(road: Road, package: Package, location: str) -> list[tuple[str, str | None]]:
    rows = await road.query(
        road.telescope,
        """SELECT copy.state::text, copy.refusal_code FROM physical_copy copy
           LEFT JOIN raw_data_file file ON file.id = copy.entity_id
           WHERE coalesce(file.raw_data_package_id, copy.entity_id) = $1 AND copy.location = $2""",
        package.id,
        location,
    )
    return [(row["state"], row["refusal_code"]) for row in rows]


async def refusals(road: Road, place: Place) -> dict[str, set[str]]:
    """The codes of all refusals of a site, by location."""
    found: dict[str, set[str]] = {}
    for event in await road.events_of(place, DeletionRefused):
        found.setdefault(event.location, set()).update(one.problem.code for one in event.refusals)
    return found


async def test_what_is_archived_goes_at_both_sites(road: Road) -> None:
    package = await sealed(road, {f"night/{n}.fits": b"%d" % n for n in range(20)})
    async with (
        road.running(road.telescope, "projector", "janitor"),
        road.running(road.centre, "projector", "janitor"),
    ):
        await package.archive()
        gone = await road.wait_for(road.telescope, CopyDeleted, count=2)
        await road.wait_for(road.centre, CopyDeleted)
    assert sorted((event.location, len(event.copies)) for event in gone) == [
        (f"{road.telescope.site}-buffer", 1),
        (f"{road.telescope.site}-source", 20),
    ]
    assert not any(path.exists() for path in (*package.at_source, package.at_telescope, package.at_centre))
    assert list(road.source.iterdir()) == []
    assert (road.folder(f"{road.telescope.site}-buffer") / "packages").is_dir()
    assert await road.letters(road.telescope) == []


async def test_many_files_go_in_few_events(road: Road) -> None:
    package = await sealed(road, {f"{n // 500}/{n}.bin": b"x" for n in range(1_200)})
    async with road.running(road.telescope, "projector"):
        await package.archive()
        await applied(road, package)
        async with road.running(road.telescope, "janitor"):
            gone = await road.wait_for(road.telescope, CopyDeleted, count=4, within_s=60)
    assert not any(path.exists() for path in package.at_source)
    assert sorted(len(event.copies) for event in gone) == [1, 200, 500, 500]


async def test_a_checksum_mismatch_in_the_archive_keeps_every_local_copy(road: Road) -> None:
    package = await sealed(road, {"a.fits": b"precious", "b.fits": b"too"})
    await package.travel()
    location = f"{road.centre.site}-archive"
    async with S3Store(road.centre.s3(location)) as store:
        other = package.at_telescope.with_name("other")
        other.write_bytes(b"not the package at all")
        await store.upload_file(
            other, package.key, size=22, expected_sha256=_sha256(b"not the package at all")
        )
    async with road.running(road.telescope, "projector", "janitor"):
        await package.announce()
        await road.wait_for(road.telescope, DeletionRefused, count=2)
    assert await refusals(road, road.telescope) == {
        f"{road.telescope.site}-source": {"archive_copy_damaged"},
        f"{road.telescope.site}-buffer": {"archive_copy_damaged"},
    }
    assert all(path.exists() for path in (*package.at_source, package.at_telescope))
    assert await road.events_of(road.telescope, CopyDeleted) == []


async def test_an_archive_object_that_is_not_there_keeps_every_local_copy(road: Road) -> None:
    package = await sealed(road, {"a.fits": b"precious"})
    await package.travel()
    async with road.running(road.telescope, "projector", "janitor"):
        await package.announce()
        await road.wait_for(road.telescope, DeletionRefused, count=2)
    assert set.union(*(await refusals(road, road.telescope)).values()) == {"archive_copy_missing"}
    assert all(path.exists() for path in (*package.at_source, package.at_telescope))


async def test_an_archive_that_does_not_answer_keeps_every_local_copy(road: Road) -> None:
    package = await sealed(road, {"a.fits": b"precious"})
    location = f"{road.centre.site}-archive"
    _, archive = road.telescope.deployment.location(location)
    site = road.telescope.deployment.site(road.centre.site)
    away = archive.model_copy(update={"endpoint": "http://127.0.0.1:9"})
    sites = {
        **road.telescope.deployment.sites,
        road.centre.site: site.model_copy(update={"locations": {**site.locations, location: away}}),
    }
    place = replace(road.telescope, deployment=road.telescope.deployment.model_copy(update={"sites": sites}))
    async with road.running(road.telescope, "projector"), road.running(place, "janitor"):
        await package.archive()
        await road.wait_for(road.telescope, DeletionRefused, count=2)
    assert set.union(*(await refusals(road, road.telescope)).values()) == {"archive_unreachable"}
    assert all(path.exists() for path in (*package.at_source, package.at_telescope))


async def test_without_keys_the_proof_on_record_counts(road: Road) -> None:
    package = await sealed(road, {"a.fits": b"precious"})
    keyless = road.telescope.credentials.only(
        name for name in road.telescope.credentials.to_environment() if "_S3_" not in name
    )
    place = replace(road.telescope, credentials=keyless)
    async with road.running(road.telescope, "projector"), road.running(place, "janitor"):
        await package.archive()
        await road.wait_for(road.telescope, CopyDeleted, count=2)
    assert not any(path.exists() for path in package.at_source)


async def test_a_file_that_changed_stays_and_the_others_go(road: Road) -> None:
    package = await sealed(road, {"a.fits": b"as packaged", "b.fits": b"as packaged"})
    changed, other = package.at_source
    changed.write_bytes(b"written again")
    async with road.running(road.telescope, "projector", "janitor"):
        await package.archive()
        await road.wait_for(road.telescope, DeletionRefused)
        await road.wait_for(road.telescope, CopyDeleted, count=2)
    assert changed.read_bytes() == b"written again"
    assert not other.exists()
    assert (await refusals(road, road.telescope))[f"{road.telescope.site}-source"] == {"changed_on_disk"}


async def test_retention_keeps_and_a_full_disk_does_not(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "SWEEP_EVERY_S", 0.3)
    monkeypatch.setattr("services.janitor.app.SWEEP_EVERY_S", 0.3)
    package = await sealed(road, {"a.fits": b"kept for a while"})
    source = f"{road.telescope.site}-source"
    kept = with_retention(road.telescope, source, keep_for="1d", high_water=1.0)
    async with road.running(road.telescope, "projector"):
        async with road.running(kept, "janitor"):
            await package.archive()
            await road.wait_for(road.telescope, DeletionRefused)
            await asyncio.sleep(1.5)
        assert all(path.exists() for path in package.at_source)
        said = [e for e in await road.events_of(road.telescope, DeletionRefused) if e.location == source]
        assert [one.problem.code for event in said for one in event.refusals] == ["retention"]
        assert await copies_of(road, package, source) == [("deletion_possible", "retention")]
        full = with_retention(road.telescope, source, keep_for="1d", high_water=0.0001)
        async with road.running(full, "janitor"):
            await road.eventually(lambda: not any(path.exists() for path in package.at_source))
            await road.eventually(lambda: _states_are(road, package, source, [("deleted", None)]))


async def test_killed_in_the_middle_it_says_the_same(road: Road) -> None:
    package = await sealed(road, {f"{n}.fits": b"x" for n in range(6)})
    async with road.running(road.telescope, "projector"):
        await package.archive()
        await applied(road, package)
        for path in package.at_source[:3]:
            path.unlink()
        async with road.running(road.telescope, "janitor"):
            await road.wait_for(road.telescope, CopyDeleted, count=2)
        source = f"{road.telescope.site}-source"
        await road.eventually(lambda: _states_are(road, package, source, [("deleted", None)] * 6))
    (event,) = [e for e in await road.events_of(road.telescope, CopyDeleted) if e.location == source]
    assert len(event.copies) == 6


async def test_a_sweep_finishes_what_no_event_asks_for_any_more(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.janitor.app.SWEEP_EVERY_S", 0.3)
    package = await sealed(road, {"a.fits": b"x"})
    await package.travel()
    async with road.running(road.telescope, "projector", "janitor"):
        await package.announce()
        await road.wait_for(road.telescope, DeletionRefused, count=2)
        await package.upload()
        await road.wait_for(road.telescope, CopyDeleted, count=2, within_s=60)
    assert not any(path.exists() for path in (*package.at_source, package.at_telescope))


async def test_an_unmounted_disk_loses_nothing(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.janitor.app.SWEEP_EVERY_S", 0.3)
    source = f"{road.telescope.site}-source"
    package = await sealed(road, {"a.fits": b"x"})
    away = road.source.with_name("unmounted")
    async with road.running(road.telescope, "projector", "janitor"):
        road.source.rename(away)
        await package.archive()
        # The other disk is there, and is cleared: what is away keeps nobody up.
        await road.wait_for(road.telescope, CopyDeleted)
        await asyncio.sleep(1.0)
        deleted = await road.events_of(road.telescope, CopyDeleted)
        scheduled = await road.events_of(road.telescope, DeletionScheduled)
        assert source not in {*(e.location for e in deleted), *(e.location for e in scheduled)}
        assert await copies_of(road, package, source) == [("present", None)]
        away.rename(road.source)
        await road.wait_for(road.telescope, CopyDeleted, count=2, within_s=90)
    assert not any(path.exists() for path in package.at_source)


async def applied(road: Road, package: Package) -> None:
    async def archived() -> bool:
        rows = await road.query(
            road.telescope, "SELECT state::text FROM raw_data_package WHERE id = $1", package.id
        )
        return [row["state"] for row in rows] == ["archived"]

    await road.eventually(archived, what="archived")


async def _states_are(
    road: Road, package: Package, location: str, expected: list[tuple[str, str | None]]
) -> bool:
    return await copies_of(road, package, location) == expected


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
