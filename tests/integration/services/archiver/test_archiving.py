import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import pytest

from contracts.envelope import Envelope
from contracts.packages import PackageArchived, PackageSealed, PackageVerified, ProofMode
from contracts.subjects import events_stream
from libs.bus.delivery import Delivery
from libs.errors import Permanent, Retriable
from libs.opsdb.reader import OpsDbReader
from libs.service.service import Place
from libs.sites.credentials import Credentials, access_key, secret_key
from libs.sites.models import S3Location
from libs.storage.s3 import S3Store
from libs.storage.s3_settings import make_client
from services.archiver.archiving import Archive, archive
from services.archiver.arrivals import archives_of, arrival_of
from services.archiver.asking_back import Origin
from services.archiver.fetching import Fetcher
from services.archiver.filling import Filler
from services.archiver.handlers import ArchiverHandlers
from services.archiver.repairing import Repairer
from services.archiver.rotten import Rotten
from tests.support.http_wire import Head
from tests.support.memory import memory
from tests.support.road import Road
from tests.support.s3_proxy import Fault, S3Proxy
from tests.support.sealed import START, buffer_of, large, seal_at_telescope, verified_at_centre
from tests.support.victims import victim

pytestmark = pytest.mark.integration

MIB = 1 << 20


@asynccontextmanager
async def store_of(place: Place) -> AsyncIterator[S3Store]:
    async with S3Store(place.s3(f"{place.site}-archive")) as store:
        yield store


async def object_sha256(store: S3Store, key: str) -> str:
    async with store.open_stream(key) as stream:
        return hashlib.sha256(b"".join([block async for block in stream])).hexdigest()


async def keys(store: S3Store) -> list[str]:
    return [found.key async for found in store.list() if not found.key.startswith("log/")]


def changed(place: Place, **changes: object) -> Place:
    """The place with other settings of its archive."""
    name = f"{place.site}-archive"
    return with_location(place, name, place.settings.locations[name].model_copy(update=changes))


def with_location(place: Place, name: str, location: object) -> Place:
    settings = place.settings.model_copy(update={"locations": {**place.settings.locations, name: location}})
    sites = {**place.deployment.sites, place.site: settings}
    return replace(place, deployment=place.deployment.model_copy(update={"sites": sites}))


async def archive_directly(road: Road, place: Place, event: PackageVerified) -> PackageArchived:
    async with store_of(place) as store, OpsDbReader.open(place.opsdb_dsn()) as opsdb:
        publisher = road.publisher(place, "archiver")
        archives = [Archive(name, found, store) for name, found in archives_of(place.settings).items()]
        fetcher = Fetcher(place=place, stores={}, breakers=road.breakers(place))
        handlers = ArchiverHandlers(
            place=place,
            archives=archives,
            client=road.client(place),
            publisher=publisher,
            breakers=road.breakers(place),
            rotten=Rotten(opsdb=opsdb, publisher=publisher, site=place.site),
            filler=Filler(place=place, archives=archives, fetcher=fetcher),
            repairer=Repairer(
                place=place,
                targets={one.location: one for one in archives},
                fetcher=fetcher,
                origin=Origin(opsdb=opsdb, publisher=publisher, place=place),
                opsdb=opsdb,
                client=road.client(place),
                breakers=road.breakers(place),
            ),
            hindsight=road.without_hindsight(place),
        )
        envelope = Envelope.of(event, site=place.site, service="verifier", time=START)
        [said] = await handlers.archive(event, Delivery(envelope, events_stream(place.site), 1, 1))
    assert isinstance(said, PackageArchived)
    return said


async def test_a_package_is_archived_with_sidecar_and_proof(road: Road) -> None:
    event = verified_at_centre(road)
    package = event.package
    async with road.running(road.centre, "projector", "archiver"):
        await road.publisher(road.centre, "verifier").publish([event])
        [archived] = await road.wait_for(road.centre, PackageArchived)
    unit = package.provenance.executed_obs_unit_id
    assert archived.key == f"camera/2026/03/01/{unit}/{package.name}"
    assert archived.sidecar_key == archived.key.removesuffix(".tar") + ".json"
    assert (archived.buffer, archived.buffer_path) == (event.location, event.path)
    assert archived.proof.mode is ProofMode.BYTES
    assert archived.proof.bytes_read == archived.proof.size == package.size
    async with store_of(road.centre) as store:
        assert await object_sha256(store, archived.key) == package.sha256
        document = await store.get_json(archived.sidecar_key)
        facts = await store.head(archived.key)
    assert document["sha256"] == package.sha256
    assert document["obscore"]["target_name"] == "Vega"
    assert document["obscore"]["access_url"].endswith(f"{archived.bucket}/{archived.key}")
    assert facts is not None
    assert facts.metadata["package-id"] == str(package.package_id)


async def test_proof_by_head_reads_nothing_back(road: Road) -> None:
    event = verified_at_centre(road)
    archived = await archive_directly(road, changed(road.centre, proof=ProofMode.HEAD), event)
    assert archived.proof.mode is ProofMode.HEAD
    assert archived.proof.bytes_read == 0


async def test_killed_in_the_middle_it_archives_once(road: Road) -> None:
    event = verified_at_centre(road, large(200 * MIB))
    await road.publisher(road.centre, "verifier").publish([event])
    async with store_of(road.centre) as store:
        async with road.running(road.centre, "projector"), victim(road, road.centre, "archiver") as process:

            async def uploading() -> bool:
                return bool([key async for key in store.unfinished()])

            await road.eventually(uploading, what="a multipart upload")
            process.kill()
            await asyncio.to_thread(process.join)
        assert await uploading()
        assert await keys(store) == []
        async with road.running(road.centre, "projector", "archiver"):
            [archived] = await road.wait_for(road.centre, PackageArchived, within_s=60)
        assert await object_sha256(store, archived.key) == event.package.sha256
        assert await keys(store) == sorted([archived.key, archived.sidecar_key])
        assert not await uploading()
    assert len(await road.events_of(road.centre, PackageArchived)) == 1


async def test_killed_after_the_upload_it_proves_and_says_so(road: Road) -> None:
    """The object is there, the BUFFER copy has been cleared: nothing is sent, the proof is made again."""
    event = verified_at_centre(road)
    first = await archive_directly(road, road.centre, event)
    (buffer_of(road, road.centre.site) / event.path).unlink()
    again = await archive_directly(road, road.centre, event)
    assert again.event_id("x") == first.event_id("x")
    assert again.proof.bytes_read == event.package.size
    assert again.proof.proven_at > first.proof.proven_at


async def test_a_damaged_object_is_replaced_from_the_buffer(road: Road) -> None:
    event = verified_at_centre(road)
    first = await archive_directly(road, road.centre, event)
    rotten = bytes(event.package.size)
    settings = road.centre.s3(f"{road.centre.site}-archive")
    async with make_client(settings) as client:
        await client.put_object(
            Bucket=settings.bucket, Key=first.key, Body=rotten, Metadata={"sha256": event.package.sha256}
        )
    again = await archive_directly(road, road.centre, event)
    assert again.key == first.key
    async with store_of(road.centre) as store:
        assert await object_sha256(store, first.key) == event.package.sha256


async def test_a_way_that_turns_bits_condemns_no_object(road: Road) -> None:
    event, place = verified_at_centre(road), road.centre
    [(name, found)] = archives_of(place.settings).items()
    arrival = arrival_of(event, place.deployment, place.site)
    assert arrival is not None
    sent: list[str] = []
    left = 2

    def turn_bits(head: Head) -> Fault | None:
        nonlocal left
        if not head.target.partition("?")[0].endswith(".tar"):
            return None
        sent.append(head.method)
        if head.method != "GET" or not left:
            return None
        left -= 1
        return Fault.FLIPPED

    with S3Proxy(road.servers.s3_endpoint) as proxy:
        proxy.choice = turn_bits
        async with S3Store(place.s3(name).model_copy(update={"endpoint": proxy.url})) as store:
            work = partial(
                archive,
                arrival,
                Archive(name, found, store),
                root=buffer_of(road, place.site),
                created=START,
                progress=lambda _: None,
            )
            with pytest.raises(Retriable, match="archive_misread"):
                await work()
            left = 1
            archived = await work()
    assert archived.proof.sha256 == event.package.sha256
    assert (sent.count("PUT"), sent.count("GET")) == (1, 4), (
        "it was sent once, and read again before it was believed"
    )


async def test_another_object_under_the_key_is_never_overwritten(road: Road) -> None:
    event = verified_at_centre(road)
    first = await archive_directly(road, road.centre, event)
    async with store_of(road.centre) as store:
        await store.put_json(first.key, {"somebody": "else's"})
        with pytest.raises(Permanent) as caught:
            await archive_directly(road, road.centre, event)
        assert caught.value.problem.code == "object_differs"
        assert await store.get_json(first.key) == {"somebody": "else's"}


async def test_a_buffer_that_is_away_is_waited_for(road: Road) -> None:
    event = verified_at_centre(road)
    root = buffer_of(road, road.centre.site)
    root.rename(root.with_name("away"))
    root.mkdir()
    with pytest.raises(Retriable) as caught:
        await archive_directly(road, road.centre, event)
    assert caught.value.problem.code == "location_missing"
    root.rmdir()
    root.with_name("away").rename(root)
    (root / event.path).unlink()
    with pytest.raises(Retriable) as lost:
        await archive_directly(road, road.centre, event)
    assert (
        lost.value.problem.code == "origin_unknown"
    )  # the mover's word is not in ops-db: nobody to send for it


async def test_a_bucket_made_late_is_waited_for(road: Road) -> None:
    event = verified_at_centre(road)
    place = changed(road.centre, bucket=f"late-{road.centre.site}")
    async with road.running(place, "projector", "archiver"):
        await road.publisher(road.centre, "verifier").publish([event])
        await asyncio.sleep(1.0)
        assert not await road.letters(road.centre)
        async with store_of(place) as store:
            await store.ensure_bucket()
        [archived] = await road.wait_for(road.centre, PackageArchived)
    assert archived.bucket == f"late-{road.centre.site}"
    assert not await road.letters(road.centre)


async def test_wrong_keys_are_waited_for(road: Road) -> None:
    event = verified_at_centre(road)
    name = f"{road.centre.site}-archive"
    right = road.centre.credentials
    wrong = right.joined(Credentials({secret_key(name): "wrong"}))
    with pytest.raises(Retriable) as caught:
        await archive_directly(road, replace(road.centre, credentials=wrong), event)
    assert caught.value.problem.code == "s3_credentials"
    assert "wrong" not in str(caught.value)
    async with road.running(replace(road.centre, credentials=wrong), "projector", "archiver"):
        await road.publisher(road.centre, "verifier").publish([event])
        await asyncio.sleep(1.0)
    assert not await road.letters(road.centre)
    async with road.running(road.centre, "projector", "archiver"):
        await road.wait_for(road.centre, PackageArchived)


async def test_one_archive_that_is_away_holds_up_no_other(road: Road) -> None:
    event = verified_at_centre(road)
    site = road.centre.site
    first = road.centre.settings.locations[f"{site}-archive"]
    assert isinstance(first, S3Location)
    second = first.model_copy(update={"bucket": f"second-{site}", "priority": 0})
    keys_of_first = road.centre.credentials.s3(f"{site}-archive")
    credentials = road.centre.credentials.joined(
        Credentials(
            {
                access_key(f"{site}-second"): keys_of_first.access_key,
                secret_key(f"{site}-second"): keys_of_first.secret_key,
            }
        )
    )
    place = replace(with_location(road.centre, f"{site}-second", second), credentials=credentials)
    async with road.running(place, "projector", "archiver"):
        await road.publisher(road.centre, "verifier").publish([event])
        [archived] = await road.wait_for(road.centre, PackageArchived)
        assert archived.location == f"{site}-archive"
        async with S3Store(place.s3(f"{site}-second")) as store:
            await store.ensure_bucket()
        both = await road.wait_for(road.centre, PackageArchived, count=2)
    assert {one.location for one in both} == {f"{site}-archive", f"{site}-second"}
    assert both[0] == archived


async def test_a_site_with_its_own_archive_needs_no_transfer(road: Road) -> None:
    one = seal_at_telescope(road)
    site = road.telescope.site
    archive = road.centre.settings.locations[f"{road.centre.site}-archive"]
    settings = road.telescope.settings.model_copy(
        update={"locations": {**road.telescope.settings.locations, f"{site}-archive": archive}}
    )
    alone = road.telescope.deployment.model_copy(update={"sites": {site: settings}, "routes": {}})
    theirs = road.centre.credentials.s3(f"{road.centre.site}-archive")
    credentials = road.telescope.credentials.joined(
        Credentials(
            {
                access_key(f"{site}-archive"): theirs.access_key,
                secret_key(f"{site}-archive"): theirs.secret_key,
            }
        )
    )
    place = Place(site, alone, credentials, road.telescope.state)
    event = PackageSealed(package=one.package, source=f"{site}-source", buffer=one.location, path=one.path)
    async with road.running(place, "projector", "archiver"):
        await road.publisher(road.telescope, "packager").publish([event])
        [archived] = await road.wait_for(road.telescope, PackageArchived)
    assert archived.package == one.package
    assert archived.buffer_path == one.path


@pytest.mark.long
async def test_two_large_packages_at_once_take_little_memory(road: Road) -> None:
    events = [verified_at_centre(road, large(120 * MIB)) for _ in range(2)]
    async with road.running(road.centre, "projector"), victim(road, road.centre, "archiver") as process:
        await road.publisher(road.centre, "verifier").publish(events)
        await road.wait_for(road.centre, PackageArchived, count=2, within_s=60)
        peak = await asyncio.to_thread(memory, "VmHWM", process.pid)
    assert peak < 200 * MIB
