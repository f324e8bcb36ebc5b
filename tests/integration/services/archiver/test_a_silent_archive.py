"""An S3 server that takes connections and never answers: told, waited for, and used when it speaks again."""

import asyncio
from urllib.parse import urlsplit

import pytest
import structlog

from contracts.packages import PackageArchived
from libs.breakers.circuit import Circuit, CircuitState
from libs.breakers.resources import archive
from libs.breakers.shared import standing
from libs.service.service import Place
from libs.sites.models import S3Location
from libs.storage.s3_settings import S3Settings
from services.archiver import app
from tests.support.listening import listening, silence
from tests.support.road import Road
from tests.support.sealed import verified_at_centre

pytestmark = pytest.mark.integration


class HastyPlace(Place):
    """A place whose archives are given up after a short silence."""

    def s3(self, location: str) -> S3Settings:
        short = {"connect_seconds": 0.2, "read_seconds": 0.2, "attempts": 2}
        return super().s3(location).model_copy(update=short)


class Gagged:
    """Stands before an S3 server and says nothing until it is freed."""

    def __init__(self, endpoint: str) -> None:
        self._behind = urlsplit(endpoint)
        self.free = False
        self.asked = 0

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked += 1
        if not self.free:
            await silence(reader, writer)
        theirs, ours = await asyncio.open_connection(self._behind.hostname, self._behind.port)
        try:
            await asyncio.gather(_pour(reader, ours), _pour(theirs, writer))
        finally:
            ours.close()


async def _pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while block := await source.read(1 << 16):
        sink.write(block)
        await sink.drain()
    sink.close()


def hasty(place: Place, endpoint: str) -> Place:
    name = f"{place.site}-archive"
    archive = place.settings.locations[name]
    assert isinstance(archive, S3Location)
    moved = {**place.settings.locations, name: archive.model_copy(update={"endpoint": endpoint})}
    sites = {**place.deployment.sites, place.site: place.settings.model_copy(update={"locations": moved})}
    deployment = place.deployment.model_copy(update={"sites": sites})
    return HastyPlace(place.site, deployment, place.credentials, place.state)


async def test_it_is_told_and_waited_for(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "LOOK_S", 0.3)
    event = verified_at_centre(road)
    gagged = Gagged(road.centre.s3(f"{road.centre.site}-archive").endpoint)
    with structlog.testing.capture_logs() as told:

        def codes(kind: str) -> list[str]:
            return [line["code"] for line in told if line["event"] == kind]

        async with (
            listening(gagged.converse) as endpoint,
            road.running(hasty(road.centre, endpoint), "projector", "archiver"),
        ):
            assert codes("archive_unusable") == ["s3_unreachable"]
            await road.publisher(road.centre, "verifier").publish([event])
            await road.eventually(lambda: codes("redelivered"), within_s=60, what="a second try")
            assert set(codes("s3_attempt_failed")) == {"s3_unreachable"}
            assert set(codes("not_archived")) == {"s3_unreachable"}
            gagged.free = True
            [archived] = await road.wait_for(road.centre, PackageArchived)
    assert archived.package == event.package
    assert not await road.letters(road.centre)


async def test_its_breaker_opens_and_its_work_waits_without_burning_attempts(road: Road) -> None:
    events = [verified_at_centre(road) for _ in range(5)]
    location = f"{road.centre.site}-archive"
    gagged = Gagged(road.centre.s3(location).endpoint)

    async def breaker() -> Circuit:
        found = await standing(road.client(road.centre), road.centre.site)
        return found.get(archive(location).key, Circuit())

    with structlog.testing.capture_logs() as told:

        def lines(kind: str) -> list[dict[str, object]]:
            return [dict(line) for line in told if line["event"] == kind]

        async with (
            listening(gagged.converse) as endpoint,
            road.running(hasty(road.centre, endpoint), "projector", "archiver"),
        ):
            await road.publisher(road.centre, "verifier").publish(events)
            await road.eventually(lambda: lines("opened"), within_s=60, what="the breaker")
            assert (await breaker()).state is not CircuitState.CLOSED
            await road.eventually(
                lambda: len(lines("postponed")) >= len(events), within_s=60, what="postponements"
            )
            tried = gagged.asked
            gagged.free = True
            archived = await road.wait_for(road.centre, PackageArchived, count=len(events), within_s=150)
    assert {each.package.package_id for each in archived} == {each.package.package_id for each in events}
    # Two workers fail three times and more between them; a try without a breaker would have asked far more often.
    assert tried <= 40
    assert max(int(str(line["attempt"])) for line in lines("redelivered")) <= 4
    assert not await road.letters(road.centre)
    assert (await breaker()).state is CircuitState.CLOSED
