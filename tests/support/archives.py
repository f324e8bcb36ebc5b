"""Deployments with more archives than one, and what somebody does to an object behind everybody's back."""

from dataclasses import replace
from typing import ClassVar, Self

from libs.service.service import Place
from libs.sites.credentials import Credentials, access_key, secret_key
from libs.sites.models import S3Location
from libs.storage.s3 import S3Store
from libs.storage.s3_settings import S3Settings, make_client
from tests.support.road import Road


def with_second(road: Road) -> Place:
    """The centre with two archives."""
    site = road.centre.site
    second = _like(road).model_copy(update={"bucket": f"second-{site}", "priority": 2})
    return joined(road.centre, site, f"{site}-second", second)


def with_remote(road: Road) -> Place:
    """The centre of a deployment whose telescope has an archive, too."""
    site = road.telescope.site
    remote = _like(road).model_copy(update={"bucket": f"remote-{site}"})
    return joined(road.centre, site, f"{site}-archive", remote)


def with_three(road: Road) -> Place:
    """The telescope of a deployment with two archives at the centre, and one of its own."""
    site = road.telescope.site
    remote = _like(road).model_copy(update={"bucket": f"remote-{site}"})
    place = joined(with_second(road), site, f"{site}-archive", remote)
    return replace(place, site=site)


def joined(place: Place, site: str, name: str, location: S3Location) -> Place:
    """The place in a deployment with one archive more, and its keys: those of the centre's first."""
    settings = place.deployment.site(site)
    more = settings.model_copy(update={"locations": {**settings.locations, name: location}})
    keys = place.credentials.s3(f"{place.site}-archive")
    theirs = Credentials({access_key(name): keys.access_key, secret_key(name): keys.secret_key})
    sites = {**place.deployment.sites, site: more}
    return replace(
        place,
        deployment=place.deployment.model_copy(update={"sites": sites}),
        credentials=place.credentials.joined(theirs),
    )


class TriedOnce(Place):
    """A place that gives a request to an archive up when it fails for the first time."""

    attempts: ClassVar[int] = 1

    @classmethod
    def of(cls, place: Place) -> Self:
        """The place, without patience."""
        return cls(place.site, place.deployment, place.credentials, place.state)

    def s3(self, location: str) -> S3Settings:
        """The settings of an archive."""
        return super().s3(location).model_copy(update={"attempts": self.attempts})


class TriedTwice(TriedOnce):
    """A place that gives a request to an archive up when it fails for the second time."""

    attempts: ClassVar[int] = 2


async def make_bucket(place: Place, name: str) -> None:
    """The bucket of an archive."""
    async with S3Store(place.s3(name)) as store:
        await store.ensure_bucket()


async def put(place: Place, location: str, key: str, data: bytes, sha256: str) -> None:
    """Bytes under a key, declared to have this checksum whatever they have, as a rotten object does."""
    settings = place.s3(location)
    async with make_client(settings) as client:
        await client.put_object(Bucket=settings.bucket, Key=key, Body=data, Metadata={"sha256": sha256})


def _like(road: Road) -> S3Location:
    first = road.centre.settings.locations[f"{road.centre.site}-archive"]
    assert isinstance(first, S3Location)
    return first
