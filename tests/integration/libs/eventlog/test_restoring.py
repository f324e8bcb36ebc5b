"""A stream comes back from the archive: sequences, subjects, headers and bodies, whoever dies or writes meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest
from nats.errors import NoRespondersError
from nats.js.api import StreamConfig
from nats.js.errors import NoStreamResponseError
from nats.protocol import command

from libs.bus.provision import own_stream, provision_streams
from libs.errors import Permanent, UserError
from libs.eventlog.records import LogRecord
from libs.eventlog.restoring import Restoration, Standing, from_archive, restoring_stream
from tests.support.chains import Chained

pytestmark = pytest.mark.integration

Said = list[tuple[int, str, bytes, bytes]]


def said(records: Sequence[LogRecord]) -> Said:
    """All but the times."""
    return [(record.sequence, record.subject, record.headers, record.data) for record in records]


async def lost(chain: Chained) -> None:
    """The server has forgotten the stream."""
    await chain.client.jetstream().delete_stream(chain.stream)


async def source(chain: Chained, dies_after: int | None = None) -> AsyncIterator[list[LogRecord]]:
    """The chain's records, one by one; the process may die in the middle."""
    found = await chain.verified()
    assert found.whole
    async for records in from_archive(chain.folder(), found.path):
        for record in records:
            if dies_after is not None and record.sequence > dies_after:
                raise ConnectionResetError
            yield [record]


def restoration(chain: Chained) -> Restoration:
    return Restoration(chain.client, chain.place.site)


async def in_use(chain: Chained) -> None:
    """The stream is as services want it, and takes new events after the old ones."""
    await provision_streams(chain.client, site=chain.place.site)
    before = await chain.last()
    await chain.publish(1, "new")
    assert await chain.last() == before + 1
    info = await chain.client.jetstream().stream_info(chain.stream)
    wanted = own_stream(chain.place.site)
    for name in ("subjects", "duplicate_window", "deny_delete", "deny_purge", "allow_direct", "retention"):
        assert getattr(info.config, name) == getattr(wanted, name)
    assert info.config.subject_transform is None


async def test_everything_comes_back(chain: Chained) -> None:
    await chain.publish(120)
    before = said(await chain.records())
    await chain.exporter().export()
    await lost(chain)
    heard: list[int] = []
    done = await restoration(chain).restore([source(chain)], heard.append)
    assert (done.found, done.last) == (0, 121)
    assert heard[-1] == 121
    assert said(await chain.records()) == before
    await in_use(chain)


async def test_the_next_export_goes_on_where_the_last_one_was(chain: Chained) -> None:
    await chain.publish(40)
    await chain.exporter().export()
    await lost(chain)
    await restoration(chain).restore([source(chain)])
    await chain.publish(10, "later")
    done = await chain.exporter().export()
    assert (done.messages, done.last) == (10, 51)
    assert (await chain.verified()).whole
    assert said(await chain.archived()) == said(await chain.records())


async def test_guarded_events_and_odd_headers_come_back(chain: Chained) -> None:
    """The server judges the expectations in headers again; they hold again if everything is as it was."""
    root = f"chasqui.{chain.place.site}"
    inbox = chain.client.new_inbox()
    answers = await chain.client.subscribe(inbox)
    blocks = [
        b"NATS/1.0\r\nNats-Msg-Id: 1\r\nNats-Expected-Stream: %s\r\n\r\n" % chain.stream.encode(),
        b"NATS/1.0\r\nNats-Expected-Last-Subject-Sequence: 2\r\nNats-Expected-Last-Subject-Sequence-Subject: "
        + f"{root}.plan.>".encode()
        + b"\r\n\r\n",
        b"NATS/1.0\r\nNats-Expected-Last-Subject-Sequence: 3\r\nNats-Msg-Id: 2\r\n\r\n",
        b"NATS/1.0\r\nA:1\r\nA:  2 \r\nB: \xff\r\n\r\n",
    ]
    for block in blocks:
        sent = command.hpub_cmd(f"{root}.plan.made.v1", inbox, block, b"\x00\xff")
        await chain.client._send_command(sent)
        await chain.client.flush()
        assert b"error" not in (await answers.next_msg(5)).data
    before = said(await chain.records())
    await chain.exporter().export()
    await lost(chain)
    await restoration(chain).restore([source(chain)])
    assert said(await chain.records()) == before


async def test_repeats_from_long_ago_are_not_dropped(chain: Chained) -> None:
    """One id twice: minutes apart when it was stored, milliseconds apart when it is restored."""
    js = chain.client.jetstream()
    await lost(chain)
    config = own_stream(chain.place.site).evolve(duplicate_window=0.1, deny_delete=False, deny_purge=False)
    await js.add_stream(config)
    subject = f"chasqui.{chain.place.site}.thing.happened.v1"
    for number in range(4):
        await js.publish(subject, b"%d" % number, headers={"Nats-Msg-Id": "one"})
        await asyncio.sleep(0.6)
    assert await chain.last() == 4
    before = said(await chain.records())
    await chain.exporter().export()
    await lost(chain)
    await restoration(chain).restore([source(chain)])
    assert said(await chain.records()) == before


@pytest.mark.parametrize("at", [0, 1, 33])
async def test_killed_in_the_middle_it_goes_on(chain: Chained, at: int) -> None:
    await chain.publish(60)
    before = said(await chain.records())
    await chain.exporter().export()
    await lost(chain)
    with pytest.raises(ConnectionResetError):
        await restoration(chain).restore([source(chain, dies_after=at)])
    standing, _ = await restoration(chain).look()
    assert standing is (Standing.RESTORING if at else Standing.MISSING)
    done = await restoration(chain).restore([source(chain)])
    assert done.last == 61
    assert said(await chain.records()) == before
    await in_use(chain)


async def test_killed_before_it_was_put_in_use_it_goes_on(chain: Chained) -> None:
    await chain.publish(10)
    await chain.exporter().export()
    await lost(chain)
    await restoration(chain).restore([source(chain)])
    await chain.client.jetstream().update_stream(restoring_stream(chain.place.site))
    done = await restoration(chain).restore([source(chain)])
    assert (done.found, done.last) == (11, 11)
    await in_use(chain)


async def test_nobody_begins_a_new_history_meanwhile(chain: Chained) -> None:
    await chain.publish(30)
    await chain.exporter().export()
    await lost(chain)
    tried = 0

    async def disturbed() -> AsyncIterator[list[LogRecord]]:
        nonlocal tried
        async for records in source(chain):
            yield records
            if records[0].sequence % 10 == 5:
                with pytest.raises((NoStreamResponseError, NoRespondersError)):
                    await chain.publish(1, "foreign")
                tried += 1

    await restoration(chain).restore([disturbed()])
    assert tried == 3
    assert await chain.last() == 31


async def test_a_shorter_stream_is_filled_up(chain: Chained) -> None:
    """The server came back from an old backup."""
    await chain.publish(50)
    before = await chain.records()
    await chain.exporter().export()
    await lost(chain)

    async def old() -> AsyncIterator[list[LogRecord]]:
        yield before[:20]

    await restoration(chain).restore([old()])
    done = await restoration(chain).restore([source(chain)])
    assert (done.found, done.last) == (20, 51)
    assert said(await chain.records()) == said(before)
    await in_use(chain)


async def test_a_stream_that_holds_everything_is_left_alone(chain: Chained) -> None:
    await chain.publish(20)
    await chain.exporter().export()
    await chain.publish(5, "more")
    before = await chain.records()
    done = await restoration(chain).restore([source(chain)])
    assert (done.found, done.last) == (26, 26)
    assert await chain.records() == before


async def test_a_stream_that_differs_is_refused(chain: Chained) -> None:
    await chain.publish(30)
    await chain.exporter().export()
    whole = await chain.records()
    for at in (0, 17):
        await lost(chain)
        other = replace(whole[at], data=b"something else")

        async def different(at: int = at, other: LogRecord = other) -> AsyncIterator[list[LogRecord]]:
            yield [*whole[:at], other]

        await restoration(chain).restore([different()])
        before = await chain.records()
        with pytest.raises(UserError) as refused:
            await restoration(chain).restore([source(chain)])
        assert refused.value.problem.code == "stream_differs"
        assert f"message {at + 1} " in refused.value.problem.reason
        assert await chain.records() == before
        assert (await restoration(chain).look())[0] is Standing.IN_USE


async def test_a_chain_of_another_site_is_refused(chain: Chained) -> None:
    await lost(chain)

    async def foreign() -> AsyncIterator[list[LogRecord]]:
        yield [LogRecord(1, "chasqui.elsewhere.a.b.v1", b"", b"{}", "")]

    with pytest.raises(Permanent) as refused:
        await restoration(chain).restore([foreign()])
    assert refused.value.problem.code == "record_foreign"


async def test_a_stream_of_somebody_else_is_refused(chain: Chained) -> None:
    await lost(chain)
    await chain.client.jetstream().add_stream(StreamConfig(name=chain.stream, subjects=["odd.>"]))
    with pytest.raises(UserError) as refused:
        await restoration(chain).look()
    assert refused.value.problem.code == "provision_differs"
