"""What the archives have to show before anything goes: enough whole copies, at enough sites, and not their word alone."""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest

from contracts.copies import CopyDeleted, DeletionRefused, DeletionScheduled
from libs.service.service import Place
from libs.service.ticking import ticking
from libs.sites.models import S3Location
from libs.storage.s3 import S3Store
from libs.storage.s3_settings import MIB
from tests.integration.services.janitor.test_clearing import with_retention
from tests.support.archived import Package, sealed
from tests.support.archives import TriedTwice, make_bucket, put, with_three
from tests.support.http_wire import Head
from tests.support.road import Road
from tests.support.rot import Rot
from tests.support.s3_proxy import Fault, S3Proxy, nothing
from tests.support.scrubbed import rot

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("services.janitor.app.SWEEP_EVERY_S", 0.2)
    monkeypatch.setattr("services.janitor.app.ticking", partial(ticking, rest=0.5))
    monkeypatch.setattr("services.janitor.sweeping.FIRST_PAUSE_S", 0.3)
    monkeypatch.setattr("services.janitor.asking.SILENT_S", 0.2)
    return iter(())


def wanting(place: Place, road: Road, **policy: object) -> Place:
    """The telescope, with this policy for what it clears, and nothing kept for its age."""
    for location in ("source", "buffer"):
        place = with_retention(place, f"{road.telescope.site}-{location}", keep_for=0, **policy)
    return place


async def archive_at(package: Package, place: Place, location: str, rotten: bytes = b"") -> None:
    """Into an archive, and told by its site; rotten at once if there are other bytes."""
    site, _ = place.deployment.location(location)
    async with S3Store(place.s3(location)) as store:
        await store.upload_file(
            package.at_telescope,
            package.key,
            size=package.record.size,
            expected_sha256=package.record.sha256,
        )
    if rotten:
        await put(place, location, package.key, rotten, package.record.sha256)
    told = package.archived().model_copy(update={"location": location, "bucket": place.s3(location).bucket})
    at = package.road.telescope if site == place.site else package.road.centre
    await package.road.publisher(at).publish([told])


async def refused(road: Road, package: Package) -> set[str]:
    """The codes for which a package's copies at the telescope stay, or stayed."""
    names = {package.path, *package.contents}
    return {
        one.problem.code
        for event in await road.events_of(road.telescope, DeletionRefused)
        for one in event.refusals
        if one.copy_ref.path in names
    }


async def named(road: Road, package: Package, kind: type[CopyDeleted] | type[DeletionScheduled]) -> set[str]:
    """The paths of a package's copies that some events at the telescope name."""
    names = {package.path, *package.contents}
    told = {copy.path for event in await road.events_of(road.telescope, kind) for copy in event.copies}
    return told & names


async def untouched(road: Road, package: Package) -> bool:
    """Whether all is there, and nothing was announced."""
    there = all(path.exists() for path in (*package.at_source, package.at_telescope))
    return there and not await named(road, package, DeletionScheduled)


async def gone(road: Road, *packages: Package) -> bool:
    for package in packages:
        if any(path.exists() for path in (*package.at_source, package.at_telescope)):
            return False
        if await named(road, package, CopyDeleted) != {package.path, *package.contents}:
            return False
    return True


async def test_two_whole_copies_at_two_sites_are_wanted(road: Road) -> None:
    """The second copy of one package is damaged, both copies of another are at one site: these stay until mended."""
    place = wanting(with_three(road), road, archive_copies=2, archive_sites=2)
    first, second = f"{road.centre.site}-archive", f"{road.centre.site}-second"
    own = f"{road.telescope.site}-archive"
    await asyncio.gather(make_bucket(place, second), make_bucket(place, own))
    damaged, at_one_site, enough = [await sealed(road, {f"{n}.fits": b"%d" % n}) for n in range(3)]
    async with road.running(road.telescope, "projector"), road.running(place, "janitor"):
        for package in (damaged, at_one_site, enough):
            await package.travel()
            await archive_at(package, place, first)
        await archive_at(at_one_site, place, second)
        await archive_at(damaged, place, own, rotten=b"rotten")
        await archive_at(enough, place, own)
        await road.eventually(lambda: gone(road, enough), what="what has enough copies to go")
        await road.eventually(lambda: _is_among(road, damaged, "archive_copy_damaged"))
        await road.eventually(lambda: _is_among(road, at_one_site, "too_few_archive_sites"))
        assert await untouched(road, damaged)
        assert await untouched(road, at_one_site)
        await put(place, own, damaged.key, damaged.at_telescope.read_bytes(), damaged.record.sha256)
        await archive_at(at_one_site, place, own)
        await road.eventually(lambda: gone(road, damaged, at_one_site), what="the others to follow")


async def test_an_archive_that_says_all_is_well_is_not_believed(road: Road) -> None:
    """Its HEAD is right: but the bytes of one object differ, a part of another is lost, a third breaks off."""
    location = f"{road.centre.site}-archive"
    contents = ({"a": b"a" * 9000}, {"b": os.urandom(17 * MIB)}, {"c": b"c" * 9000}, {"d": b"d"})
    differs, lost, cut, whole = [await sealed(road, one) for one in contents]
    for package in (differs, lost, cut, whole):
        await package.travel()
        await package.upload()
    async with S3Store(road.centre.s3(location)) as store:
        before = [await store.head(one.key) for one in (differs, lost)]
        rot(road, differs.key, Rot.FLIPPED)
        rot(road, lost.key, Rot.LOST, part=1)
        assert [await store.head(one.key) for one in (differs, lost)] == before

    def cut_short(head: Head) -> Fault | None:
        if head.method != "GET" or cut.record.name not in head.target:
            return None
        return Fault.RESET_AT_ONCE if proxy.happened[Fault.RESET_IN_ANSWER, "GET"] else Fault.RESET_IN_ANSWER

    with S3Proxy(road.servers.s3_endpoint) as proxy:
        proxy.choice = cut_short
        place = wanting(
            _behind(road, location, proxy.url), road, evidence="read", verify_before_delete="checksum"
        )
        async with road.running(road.telescope, "projector"), road.running(place, "janitor"):
            for package in (differs, lost, cut, whole):
                await package.announce()
            await road.eventually(lambda: _is_among(road, differs, "archive_copy_damaged"))
            await road.eventually(lambda: _is_among(road, lost, "archive_copy_damaged"))
            await road.eventually(lambda: _is_among(road, cut, "archive_unreachable"))
            await road.eventually(lambda: gone(road, whole), what="the whole one to go")
            assert [await untouched(road, one) for one in (differs, lost, cut)] == [True] * 3
            assert proxy.happened[Fault.RESET_IN_ANSWER, "GET"]
            proxy.choice = nothing
            await road.eventually(lambda: gone(road, cut), what="the one that was cut to go")
        assert [await untouched(road, one) for one in (differs, lost)] == [True] * 2


async def test_an_archive_that_goes_away_between_two_answers_lets_nothing_go(road: Road) -> None:
    """Of two copies that are wanted, the first was answered for; then the line is cut, until it is mended."""
    location = f"{road.centre.site}-archive"
    package = await sealed(road, {"a.fits": b"a", "b.fits": b"b"})
    second = f"{road.centre.site}-second"
    with S3Proxy(road.servers.s3_endpoint) as proxy:
        proxy.choice = lambda head: Fault.RESET_AT_ONCE if "/second-" in head.target else None
        at = with_three(road)
        await make_bucket(at, second)
        place = wanting(_behind(road, second, proxy.url, at), road, archive_copies=2)
        async with road.running(road.telescope, "projector"), road.running(place, "janitor"):
            await package.travel()
            await archive_at(package, at, second)
            await archive_at(package, at, location)
            await road.eventually(lambda: _is_among(road, package, "archive_unreachable"))
            assert await untouched(road, package)
            proxy.choice = nothing
            # The telescope's BUFFER feeds its own archive, too.
            await make_bucket(at, f"{road.telescope.site}-archive")
            await archive_at(package, at, f"{road.telescope.site}-archive")
            await road.eventually(lambda: gone(road, package), what="all to go")


def _behind(road: Road, location: str, endpoint: str, place: Place | None = None) -> Place:
    """The telescope, or a place, that reaches an archive at another address, and loses patience soon."""
    place = place or road.telescope
    site, archive = place.deployment.location(location)
    assert isinstance(archive, S3Location)
    settings = place.deployment.site(site)
    moved = {**settings.locations, location: archive.model_copy(update={"endpoint": endpoint})}
    sites = {**place.deployment.sites, site: settings.model_copy(update={"locations": moved})}
    deployment = place.deployment.model_copy(update={"sites": sites})
    return TriedTwice.of(replace(place, deployment=deployment))


async def _is_among(road: Road, package: Package, code: str) -> bool:
    return code in await refused(road, package)
