"""An ops-db with data in it comes to this release whole: what older events say is in tables that are younger."""

import pytest

from libs.opsdb.migrating import downgrade, migrate
from libs.opsdb.projection.applying import Batch
from libs.opsdb.rebuild import LogStream
from libs.opsdb.upkeep.lacking import complete, lacks_older_events
from libs.opsdb.writer import OpsDbWriter
from tests.support.histories.logs import eventful, log
from tests.support.published import publish
from tests.support.road import Road
from tests.support.upkeep import verified

pytestmark = pytest.mark.integration

BEFORE_THE_CATALOG = "0004"


async def test_what_older_events_say_is_there_after_the_migration(road: Road) -> None:
    place = road.telescope
    dsn = place.opsdb_writer_dsn()
    happenings = log(eventful(5, 3), 3)
    last = await publish(road, happenings)
    async with OpsDbWriter.open(dsn) as writer:
        await writer.apply(Batch(happenings, last))
    await downgrade(dsn, revision=BEFORE_THE_CATALOG)
    assert not await lacks_older_events(dsn)
    await migrate(dsn)
    assert await lacks_older_events(dsn)
    assert {one.table for one in (await verified(place)).differences} >= {"system_log", "data_transfer_log"}
    streams = [LogStream(name) for name in place.streams]
    done = await complete(place.bus_address(), dsn, streams, reader=place.settings.opsdb.reader)
    assert done is not None
    assert done.positions == last
    assert not await lacks_older_events(dsn)
    assert (await verified(place)).differences == ()
    assert await complete(place.bus_address(), dsn, streams) is None
