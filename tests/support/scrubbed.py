"""Packages in the centre's archive, put there by the real archiver, for tests of what becomes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import asyncpg

from contracts.packages import PackageArchived, PackageRecord, PackageSealed, ProofMode
from libs.service.service import Place
from libs.sites.models import S3Location
from tests.support.road import Road
from tests.support.rot import Rot, damage, stored
from tests.support.sealed import FILES, verified_at_centre


def with_archive(place: Place, name: str, **changes: object) -> Place:
    """The place with other settings of one of its archives."""
    archive = place.settings.locations[name]
    assert isinstance(archive, S3Location)
    changed = S3Location.model_validate({**archive.model_dump(), **changes})
    settings = place.settings.model_copy(update={"locations": {**place.settings.locations, name: changed}})
    sites = {**place.deployment.sites, place.site: settings}
    return replace(place, deployment=place.deployment.model_copy(update={"sites": sites}))


def archive_of(place: Place) -> str:
    """The name of a centre's archive."""
    return f"{place.site}-archive"


def unread(place: Place) -> Place:
    """The centre with an archive whose copies are proven by the server's word: none was ever read."""
    return with_archive(place, archive_of(place), proof=ProofMode.HEAD)


async def archived(
    road: Road, *contents: Mapping[str, bytes], place: Place | None = None
) -> list[PackageArchived]:
    """Archive one package for each of these contents, and wait until the centre's ops-db knows them.

    Args:
        road: With nothing running.
        contents: Files by name; the usual ones if left out.
        place: The centre, if not as it is.
    """
    place = place or road.centre
    archives = [one for one in place.settings.locations.values() if isinstance(one, S3Location)]
    known = len(await road.events_of(road.centre, PackageArchived))
    events = [verified_at_centre(road, files) for files in contents or (FILES,)]
    await road.publisher(road.telescope).publish(
        [_sealed(road, event.package, event.path) for event in events]
    )
    wanted = known + len(events) * len(archives)
    async with road.running(place, "projector", "archiver"):
        await road.publisher(road.centre).publish(events)
        said = await road.wait_for(road.centre, PackageArchived, count=wanted, within_s=60)
        await road.eventually(lambda: _on_record(road, wanted), what="the archive copies on record")
    ids = [event.package.package_id for event in events]
    return [one for package in ids for one in said if one.package.package_id == package]


def _sealed(road: Road, package: PackageRecord, path: str) -> PackageSealed:
    site = road.telescope.site
    return PackageSealed(package=package, source=f"{site}-source", buffer=f"{site}-buffer", path=path)


async def _on_record(road: Road, count: int) -> bool:
    [row] = await road.query(
        road.centre,
        "SELECT count(*) AS n FROM long_term_archive_transfer t JOIN raw_data_package p "
        "ON p.id = t.raw_data_package_id WHERE t.state = 'completed' AND p.sha256 IS NOT NULL",
    )
    return bool(row["n"] == count)


def rot(road: Road, key: str, how: Rot, *, place: Place | None = None, part: int = 0) -> None:
    """Damage an object of the centre's archive where the server keeps it."""
    place = place or road.centre
    bucket = place.s3(archive_of(place)).bucket
    files: Sequence[Path] = stored(Path(road.servers.s3_folder), bucket, key)
    damage(files[part], how)


async def copy_row(road: Road, one: PackageArchived) -> asyncpg.Record:
    """What the centre's ops-db has on record of an archive copy."""
    [row] = await road.query(
        road.centre,
        "SELECT * FROM physical_copy WHERE entity_id = $1 AND location = $2",
        one.package.package_id,
        one.location,
    )
    return row
