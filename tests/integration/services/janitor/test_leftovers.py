"""What processes left behind that were killed and never followed: it goes after a while, and only then."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from libs.service.service import Place
from libs.storage import s3_stale
from libs.storage.partials import Try, journal_of, new_partial
from libs.storage.s3 import S3Store
from libs.storage.s3_settings import make_client
from services.janitor.leftovers import GRACE
from tests.support.pausing import files_in
from tests.support.road import Road
from tests.support.s3_proxy import S3Proxy

pytestmark = pytest.mark.integration

LONG_AGO = (1_700_000_000, 1_700_000_000)
AT_ONCE = timedelta(seconds=-5)
"""The server may round its times."""
KEY = "camera/2026/03/01/unit/package.tar"


async def begin(place: Place) -> None:
    """An upload that nobody goes on with."""
    settings = place.s3(f"{place.site}-archive")
    async with make_client(settings) as client:
        made = await client.create_multipart_upload(Bucket=settings.bucket, Key=KEY)
        await client.upload_part(
            Bucket=settings.bucket, Key=KEY, UploadId=made["UploadId"], PartNumber=1, Body=b"left behind"
        )


def tried(final: Path) -> Path:
    """What a mover leaves behind when it is killed."""
    final.parent.mkdir(parents=True, exist_ok=True)
    path = new_partial(final)
    path.write_bytes(b"half a package")
    journal_of(path).write_bytes(b"what is there of it")
    return path


async def test_tries_of_which_nobody_is_left_go(road: Road) -> None:
    place = road.telescope
    buffer = road.folder(f"{place.site}-buffer")
    old, fresh = tried(buffer / "packages/old.tar"), tried(buffer / "packages/fresh.tar")
    living = Try.new(buffer / "packages/living.tar")
    for path in (old, journal_of(old), living.path):
        os.utime(path, LONG_AGO)
    package = buffer / "packages/.package.tar"
    package.touch()
    os.utime(package, LONG_AGO)
    async with road.running(place, "projector", "janitor"):
        await road.eventually(
            lambda: not (old.exists() or journal_of(old).exists()), what="the clearing of leftovers"
        )
    left = [fresh, journal_of(fresh), living.path, package]
    assert files_in(buffer) == sorted(str(path.relative_to(buffer)) for path in left)
    living.check()
    living.close()


async def test_uploads_that_nobody_goes_on_with_are_aborted(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = road.centre
    await begin(place)
    async with S3Store(place.s3(f"{place.site}-archive")) as store:

        async def unfinished() -> list[str]:
            return [key async for key in store.unfinished()]

        async def aborted() -> bool:
            return await unfinished() == []

        [one] = [found async for found in s3_stale.unfinished(store._client, store.settings.bucket)]
        assert one.last_part is not None
        assert abs(one.asked - one.last_part) < timedelta(minutes=5), "both by the server's clock"
        assert await store.abort_stale(timedelta(hours=1)) == []
        assert await unfinished() == [KEY]
        monkeypatch.setattr("services.janitor.leftovers.GRACE", AT_ONCE)
        async with road.running(place, "projector", "janitor"):
            await road.eventually(aborted, what="the end of the upload")


async def test_the_age_of_an_upload_is_what_the_servers_clock_says(road: Road) -> None:
    settings = road.centre.s3(f"{road.centre.site}-archive")
    await begin(road.centre)
    with S3Proxy(road.servers.s3_endpoint) as proxy:
        async with S3Store(settings.model_copy(update={"endpoint": proxy.url})) as store:
            assert await store.abort_stale(GRACE) == []
            proxy.ahead = GRACE + timedelta(minutes=1)
            assert [one.key for one in await store.abort_stale(GRACE)] == [KEY]
            assert [key async for key in store.unfinished()] == []
