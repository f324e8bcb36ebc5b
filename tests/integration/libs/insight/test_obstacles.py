"""What stands in the way is told with its remedy: on real servers, with real causes."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from contracts.bundles import BundleSealed
from contracts.letters import LetterBuried, letter_id
from contracts.packages import PackageSealed
from contracts.problems import Problem
from contracts.states import FailureKind
from libs.breakers.circuit import Pauses
from libs.breakers.resources import route
from libs.breakers.shared import Breakers
from libs.bus.provision import provision_consumers
from libs.bus.subscription import Subscription
from libs.errors import Retriable
from libs.insight.explain import Explanation, explain
from libs.insight.obstacles import ObstacleKind
from libs.insight.queues import queues_of
from libs.insight.sight import Sight
from libs.insight.status import site_status
from libs.opsdb.reader import OpsDbReader
from services.bundler.handlers import SEAL
from tests.support.road import Road
from tests.support.sealed import seal_at_telescope

pytestmark = pytest.mark.integration


async def explained(road: Road, wanted: UUID) -> Explanation:
    place = road.telescope
    async with OpsDbReader.open(place.opsdb_dsn()) as opsdb:
        return await explain(Sight(place, road.client(place), opsdb), wanted)


async def sealed(road: Road) -> UUID:
    """A package in the telescope's buffer, told by its packager."""
    one = seal_at_telescope(road)
    event = PackageSealed(
        package=one.package, source=f"{road.telescope.site}-source", buffer=one.location, path=one.path
    )
    await road.publisher(road.telescope, "packager").publish([event])
    return one.package.package_id


async def known(road: Road, package: UUID, state: str) -> None:
    async def there() -> bool:
        query = "SELECT 1 FROM raw_data_package WHERE id = $1 AND state::text = $2"
        return bool(await road.query(road.telescope, query, package, state))

    await road.eventually(there, what=f"a package that is {state}")


async def provisioned(road: Road, *subscriptions: Subscription) -> None:
    await provision_consumers(
        road.client(road.telescope),
        site=road.telescope.site,
        origins=tuple(road.telescope.deployment.sites),
        subscriptions=subscriptions,
    )


async def test_a_service_that_is_down_and_its_queue_are_told(road: Road) -> None:
    await provisioned(road, SEAL)
    package = await sealed(road)
    async with road.running(road.telescope, "projector"):
        await known(road, package, "waiting")
        found = await explained(road, package)
    assert (found.waiting.by, found.waiting.at) == ("bundler", road.telescope.site)
    assert found.waiting.since is not None
    assert found.waiting.next_at is not None
    told = {one.kind: one for one in found.obstacles}
    assert set(told) == {ObstacleKind.SERVICE, ObstacleKind.QUEUE}
    assert told[ObstacleKind.SERVICE].problem.code == "service_down"
    assert "chasqui run bundler" in told[ObstacleKind.SERVICE].problem.remedy
    assert "1 events wait for bundler.seal" in told[ObstacleKind.QUEUE].problem.reason
    (queue,) = await queues_of(road.telescope, road.client(road.telescope))
    assert queue.oldest_s is not None
    assert 0.0 <= queue.oldest_s < 60.0


async def test_an_open_breaker_on_its_way_is_told_with_its_reason(road: Road) -> None:
    place, client = road.telescope, road.client(road.telescope)
    [name] = place.deployment.routes
    package = await sealed(road)
    async with road.running(place, "projector", "bundler"):
        await known(road, package, "waiting")
        await road.wait_for(place, BundleSealed)

        async def bundled() -> bool:
            return (await explained(road, package)).waiting.by == "mover"

        await road.eventually(bundled, what="the bundle")
        breakers = Breakers(client, site=place.site, who="test", pauses=Pauses(threshold=1, first_s=60.0))
        with pytest.raises(Retriable):
            async with breakers.using(route(name)):
                raise Retriable("io_error", "the cable is cut", "Mend it.")
        found = await explained(road, package)
        async with OpsDbReader.open(place.opsdb_dsn()) as opsdb:
            status = await site_status(place, client, opsdb)
    told = {one.kind: one for one in found.obstacles}
    assert ObstacleKind.BREAKER in told
    one = told[ObstacleKind.BREAKER]
    assert (one.problem.code, one.problem.remedy) == ("io_error", "Mend it.")
    assert "the cable is cut" in one.problem.reason
    assert one.since is not None
    assert one.next_at == one.since + timedelta(seconds=60)
    assert status.breakers[f"route.{name}"].state == "open"


async def test_a_dead_letter_about_it_is_told_with_the_command_that_helps(road: Road) -> None:
    package = await sealed(road)
    letter = letter_id(road.telescope.site, "archiver", "archive", "EVENTS_x", 7)
    buried = LetterBuried(
        letter_id=letter,
        burial=1,
        service="archiver",
        handler="archive",
        stream="EVENTS_x",
        sequence=7,
        type="chasqui.package.verified.v1",
        entity_id=str(package),
        failure=FailureKind.PERMANENT,
        attempts=1,
        problem=Problem(code="checksum_mismatch", reason="other bytes", remedy="Send it again."),
    )
    before = datetime.now(UTC)
    await road.publisher(road.telescope, "archiver").publish([buried])
    async with road.running(road.telescope, "projector"):
        await known(road, package, "waiting")

        async def told() -> bool:
            found = await explained(road, package)
            return any(one.kind is ObstacleKind.DEAD_LETTER for one in found.obstacles)

        await road.eventually(told, what="the letter")
        found = await explained(road, package)
        itself = await explained(road, letter)
    one = found.obstacles[0]
    assert one.kind is ObstacleKind.DEAD_LETTER
    assert one.problem.code == "checksum_mismatch"
    assert f"chasqui dead retry {letter}" in one.problem.remedy
    assert one.since is not None
    assert one.since >= before
    assert (itself.kind, itself.state) == ("dead_letter", "buried")
    assert itself.related == {"about": (package,)}
