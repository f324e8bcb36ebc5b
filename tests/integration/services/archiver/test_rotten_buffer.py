"""A copy in the BUFFER that rots between its verification and its upload never becomes an archive copy."""

import json
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest
import structlog

from contracts.bundles import BundleSealed
from contracts.copies import CopyRepaired, CopyScrubbed, CopyUnrepairable
from contracts.packages import (
    PackageArchived,
    PackageCorrupted,
    PackageFailed,
    PackageSealed,
    PackageVerified,
)
from libs.service.service import Place
from libs.sites.credentials import Credentials, access_key, secret_key
from libs.storage.s3 import S3Store
from tests.support.badsector import bad_sector
from tests.support.observing import Observation
from tests.support.road import Road
from tests.support.sealed import FILES, buffer_of, flip

pytestmark = pytest.mark.integration

SENDING = ("projector", "packager", "bundler", "mover")


async def verified(road: Road) -> tuple[PackageVerified, Path]:
    """A package that was carried and verified, and its copy in the centre's BUFFER."""
    await Observation(road).observe(FILES)
    async with road.running(road.telescope, *SENDING), road.running(road.centre, "projector", "verifier"):
        [event] = await road.wait_for(road.centre, PackageVerified)
        hop = "SELECT FROM data_transfer WHERE state = 'completed'"
        await road.eventually(lambda: road.query(road.centre, hop), what="the hop on record at the centre")
    return event, buffer_of(road, road.centre.site) / event.path


async def objects(road: Road) -> list[str]:
    async with S3Store(road.centre.s3(f"{road.centre.site}-archive")) as store:
        return [found.key async for found in store.list() if not found.key.startswith("log/")]


@pytest.mark.parametrize("how", ["flipped", "cut short", "grown", "gone"])
async def test_it_is_sent_for_and_archived_when_it_comes(road: Road, how: str) -> None:
    event, copy = await verified(road)
    match how:
        case "flipped":
            flip(copy, 700)
        case "cut short":
            copy.write_bytes(copy.read_bytes()[:-512])
        case "grown":
            copy.write_bytes(copy.read_bytes() + b"x")
        case _:
            copy.unlink()
    async with road.running(road.centre, "projector", "archiver"):
        [corrupted] = await road.wait_for(road.centre, PackageCorrupted)
        assert await objects(road) == []
        assert not await road.events_of(road.centre, PackageArchived)
        on_record = "SELECT FROM physical_copy WHERE location = $1 AND scrub_problem_code IS NOT NULL"
        buffer = f"{road.centre.site}-buffer"
        await road.eventually(lambda: road.query(road.centre, on_record, buffer), what="the damage on record")
        async with road.running(road.telescope, *SENDING), road.running(road.centre, "projector", "verifier"):
            [archived] = await road.wait_for(road.centre, PackageArchived)
            await road.eventually(
                lambda: _none(road.query(road.centre, on_record, buffer)), what="the damage off the record"
            )
    assert archived.package == event.package
    assert (corrupted.origin, corrupted.origin_location) == (
        road.telescope.site,
        f"{road.telescope.site}-buffer",
    )
    assert (corrupted.transfer_id, corrupted.attempt) == (event.transfer_id, 1)
    [scrubbed] = await road.events_of(road.centre, CopyScrubbed)
    assert scrubbed.copy_ref.location == buffer
    bundles = await road.events_of(road.telescope, BundleSealed)
    assert [bundle.packages[0].attempt for bundle in bundles] == [1, 2]
    assert not await road.letters(road.centre)


async def _none(rows: object) -> bool:
    return not await rows  # type: ignore[misc]  # a coroutine of rows


async def test_a_disk_that_fails_to_read_condemns_nothing(road: Road) -> None:
    event, copy = await verified(road)
    js = road.client(road.centre).jetstream()

    async def tried_again() -> bool:
        info = await js.consumer_info(f"EVENTS_{road.centre.site}", f"{road.centre.site}_archiver_archive")
        return bool(info.num_redelivered)

    with structlog.testing.capture_logs() as told, ExitStack() as damage:
        damage.enter_context(bad_sector(copy))
        async with road.running(road.centre, "projector", "archiver"):
            await road.eventually(tried_again, what="a second try")
            damage.close()
            [archived] = await road.wait_for(road.centre, PackageArchived)
    codes = {line["code"] for line in told if line["event"] == "not_archived"}
    assert codes == {"storage_unavailable"}
    assert archived.package == event.package
    assert not await road.events_of(road.centre, PackageCorrupted)
    assert not await road.events_of(road.centre, CopyScrubbed)
    assert not await road.letters(road.centre)


@asynccontextmanager
async def alone(road: Road) -> AsyncIterator[Place]:
    """The telescope as a site that archives its own packages."""
    site, archive = road.telescope.site, f"{road.telescope.site}-archive"
    settings = road.telescope.settings
    located = {**settings.locations, archive: road.centre.settings.locations[f"{road.centre.site}-archive"]}
    deployment = road.telescope.deployment.model_copy(
        update={"sites": {site: settings.model_copy(update={"locations": located})}, "routes": {}}
    )
    theirs = road.centre.credentials.s3(f"{road.centre.site}-archive")
    keys = Credentials({access_key(archive): theirs.access_key, secret_key(archive): theirs.secret_key})
    yield Place(site, deployment, road.telescope.credentials.joined(keys), road.telescope.state)


async def test_what_was_sealed_here_is_built_anew_here(road: Road) -> None:
    await Observation(road).observe(FILES)
    async with alone(road) as place:
        async with road.running(place, "projector", "packager"):
            [sealed] = await road.wait_for(place, PackageSealed)
        flip(road.folder(sealed.buffer) / sealed.path, 700)
        async with road.running(place, "projector", "packager", "archiver"):
            [archived] = await road.wait_for(place, PackageArchived)
    [repaired] = await road.events_of(place, CopyRepaired)
    assert repaired.repaired_from == sealed.source
    assert archived.package == sealed.package
    assert not await road.letters(place)


async def test_what_cannot_be_built_anew_is_given_up_once(road: Road) -> None:
    observation = Observation(road)
    paths = await observation.observe(FILES)
    async with alone(road) as place:
        async with road.running(place, "projector", "packager"):
            [sealed] = await road.wait_for(place, PackageSealed)
        flip(road.folder(sealed.buffer) / sealed.path, 700)
        observation.on_disk(paths[0]).unlink()
        async with road.running(place, "projector", "packager", "archiver"):
            [failed] = await road.wait_for(place, PackageFailed)
            await road.eventually(lambda: road.letters(place), what="a dead letter")
    [letter] = await road.letters(place)
    assert json.loads(letter["chasqui-dead-problem"])["code"] == failed.problem.code == "buffer_copy_lost"
    assert len(await road.events_of(place, CopyUnrepairable)) == 1
    assert (road.folder(sealed.buffer) / sealed.path).exists()
