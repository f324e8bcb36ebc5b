"""The running service: live, after losses, and equal to a rebuild."""

import asyncio
import json
from uuid import uuid4

import asyncpg
import pytest

from contracts.registry import REGISTRY
from contracts.subjects import events_stream
from libs.bus.burying import DeadLetters
from libs.bus.leases import Leases
from libs.opsdb.reader import OpsDbReader
from libs.opsdb.rebuild import LogStream, compare, rebuild
from libs.service.running import running
from libs.service.service import Place
from services.projector.app import SERVICE
from services.projector.handlers import buried_in, heard
from services.projector.projecting import Activity, Projector
from tests.support.histories import road as made_up
from tests.support.histories.logs import BEGIN, eventful, log
from tests.support.published import publish
from tests.support.road import Road
from tests.support.upkeep import verified

pytestmark = pytest.mark.integration


async def applied(place: Place, last: dict[str, int]) -> None:
    async with OpsDbReader.open(place.opsdb_dsn()) as reader:
        for stream, sequence in last.items():
            await reader.wait_applied(stream, sequence, timeout=30)


def projector_at(road: Road, place: Place) -> Projector:
    client = road.client(place)
    return Projector(
        client,
        place.opsdb_writer_dsn(),
        heard(place),
        buried_in(DeadLetters(client, site=place.site, service="projector")),
        lease=Leases(client, site=place.site, instance="test", lease_s=3.0).of("projector.tables"),
    )


async def test_both_sites_and_a_rebuild_are_equal(road: Road) -> None:
    happenings = log(eventful(20, 3), 3, repeats=0.1)
    half = len(happenings) // 2
    async with running(SERVICE, road.telescope):
        await publish(road, happenings[:half])
    # The other site's projector begins later, the first one begins again: both catch up.
    async with running(SERVICE, road.centre), running(SERVICE, road.telescope):
        last = await publish(road, happenings[half:])
        for place in (road.telescope, road.centre):
            await applied(place, last)
    dsn = road.telescope.opsdb_writer_dsn()
    streams = [LogStream(name) for name in reversed(road.telescope.streams)]
    assert await rebuild(road.client(road.telescope), dsn, streams, "rebuilt") == last
    assert await compare(dsn, "public", "rebuilt") == []
    for table in ("raw_data_file", "raw_data_package", "physical_copy", "event_record"):
        query = f"SELECT t::text FROM {table} t ORDER BY 1"  # noqa: S608 - named here
        assert await road.query(road.telescope, query) == await road.query(road.centre, query)


async def test_what_cannot_be_read_or_stored_is_buried_and_stops_nothing(road: Road) -> None:
    js = road.client(road.telescope).jetstream()
    site = road.telescope.site
    [good] = log(iter([(made_up.ORIGIN, made_up.filed(made_up.Observation(1, 1, BEGIN)))]))
    nul = good.event.model_dump_json().replace("exposure", "exp\\u0000sure")
    assert REGISTRY.read(good.envelope.type, nul.encode())
    headers = {k: v for k, v in good.envelope.headers().items() if k != "Nats-Msg-Id"}
    subject = good.event.subject(site)
    await js.publish(subject, b"no json", headers=headers)
    await js.publish(subject, b"{}")
    await js.publish(subject, b"{}", headers={**headers, "ce-type": "chasqui.cat.fed.v1"})
    await js.publish(subject, nul.encode(), headers=headers)
    async with running(SERVICE, road.telescope):
        last = await publish(road, [good])
        await applied(road.telescope, last)
    letters = await road.letters(road.telescope)
    codes = [letter["chasqui-dead-problem"].split('"')[3] for letter in letters]
    assert sorted(codes) == ["bad_envelope", "not_json", "unfoldable_event", "unknown_type"]
    assert len(await road.query(road.telescope, "SELECT * FROM raw_data_file")) == 1


async def test_what_a_later_release_tells_of_letters_is_kept_and_told_once(road: Road) -> None:
    """Of this site, before it was downgraded, and of one that is upgraded already; and a burial that cannot be stored."""
    here, there = road.telescope, road.centre
    nul = {"ce-subject": "nul\0inside"}
    for n, (place, kind, about) in enumerate(
        ((here, "letter.dropped.v9", {}), (there, "letter.buried.v9", {}), (here, "cat.fed.v1", nul))
    ):
        headers = {
            "ce-id": str(uuid4()),
            "ce-type": f"chasqui.{kind}",
            "ce-source": f"/chasqui/{place.site}/x",
        }
        headers |= {"ce-time": BEGIN.isoformat(), "ce-subject": str(uuid4()), "Nats-Msg-Id": str(n), **about}
        await road.client(place).jetstream().publish(f"chasqui.{place.site}.{kind}", b"{}", headers=headers)
    for begun in (1, 2):  # the second time it begins anew, where it had ended: nothing is buried again
        async with running(SERVICE, here):
            await publish(road, log(eventful(1, begun), begun))
            await road.eventually(
                lambda: _has_letters(road, 4), what="the letters, and the burial's", within_s=120
            )
            await applied(here, {name: await _last(road, name) for name in here.streams})
    problems = [json.loads(letter["chasqui-dead-problem"]) for letter in await road.letters(here)]
    codes = sorted(problem["code"] for problem in problems)
    assert codes == ["unfoldable_event", "unknown_type", "unknown_version", "unknown_version"]
    unknown = [problem["remedy"] for problem in problems if problem["code"] != "unfoldable_event"]
    assert all("run chasqui opsdb rebuild" in remedy for remedy in unknown)
    # That one cannot be stored, and none is told of what is said of letters: it would go on for ever.
    assert (
        await road.query(here, "SELECT 1 FROM dead_letter WHERE problem_code = ANY($1::text[])", codes) == []
    )
    assert (await verified(here)).differences == ()


async def _has_letters(road: Road, count: int) -> bool:
    return len(await road.letters(road.telescope)) == count


async def _last(road: Road, stream: str) -> int:
    return (await road.client(road.telescope).jetstream().stream_info(stream)).state.last_seq


async def test_a_second_projector_stands_by_and_takes_over(road: Road) -> None:
    first, second = (projector_at(road, road.telescope) for _ in range(2))
    writing = asyncio.create_task(first.run())
    await road.eventually(lambda: first.progress.activity is Activity.PROJECTING)
    waiting = asyncio.create_task(second.run())
    try:
        await road.eventually(lambda: second.progress.activity is Activity.STANDBY)
        await publish(road, log(eventful(2, 1), 1))
        writing.cancel()
        await asyncio.wait([writing])
        last = await publish(road, log(eventful(2, 2), 2))
        await applied(road.telescope, last)
        assert second.progress.activity is Activity.PROJECTING
    finally:
        waiting.cancel()
        await asyncio.wait([waiting])


async def test_it_goes_on_after_its_connection_was_cut(road: Road) -> None:
    async with running(SERVICE, road.telescope):
        happenings = log(eventful(12, 4), 4)
        for n, happening in enumerate(happenings):
            last = await publish(road, [happening])
            if n % 60 == 30:
                await applied(road.telescope, last)
                await _cut(road)
        last = {events_stream(place.site): 0 for place in (road.telescope, road.centre)}
        for place in (road.telescope, road.centre):
            stream = events_stream(place.site)
            info = await road.client(place).jetstream().stream_info(stream)
            last[stream] = info.state.last_seq
        await applied(road.telescope, last)
    dsn = road.telescope.opsdb_writer_dsn()
    streams = [LogStream(name) for name in road.telescope.streams]
    await rebuild(road.client(road.telescope), dsn, streams, "rebuilt")
    assert await compare(dsn, "public", "rebuilt") == []


async def test_what_a_crash_took_back_is_folded_again_though_nothing_new_comes(road: Road) -> None:
    projector = projector_at(road, road.telescope)
    writing = asyncio.create_task(projector.run())
    try:
        last = await publish(road, log(eventful(3, 5), 5))
        await applied(road.telescope, last)
        await _take_everything_back(road)
        await _cut(road)
        # It is at rest: neither stream brings anything that could tell it.
        await road.eventually(lambda: projector.progress.events > sum(last.values()))
        await applied(road.telescope, last)
    finally:
        writing.cancel()
        await asyncio.wait([writing])


async def _take_everything_back(road: Road) -> None:
    """What a crash of PostgreSQL may do to commits that are not on disk yet."""
    admin = await asyncpg.connect(road.telescope.opsdb_writer_dsn())
    tables = await admin.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
    )
    names = ", ".join(f'"{row["tablename"]}"' for row in tables)
    await admin.execute(f"TRUNCATE {names}")
    await admin.close()


async def _cut(road: Road) -> None:
    admin = await asyncpg.connect(road.telescope.opsdb_writer_dsn())
    cut = await admin.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'chasqui projector' AND datname = current_database()"
    )
    assert len(cut) == 1
    await admin.close()
