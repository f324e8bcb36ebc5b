"""The log goes into the archive, whole, once, whoever dies or works at the same time."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from nats.js.api import StreamConfig
from nats.protocol import command

from libs.errors import Permanent
from libs.eventlog.exporting import Behind, Exported
from libs.storage.s3 import S3Store
from tests.support.chains import Chained

pytestmark = pytest.mark.integration


async def test_every_byte_of_every_message_is_there(chain: Chained) -> None:
    await chain.publish(70)
    progress: list[tuple[int, int]] = []
    done = await chain.exporter().export(lambda last, end: progress.append((last, end)))
    assert (done.last, done.messages) == (71, 71)
    assert done.segments > 5
    assert progress[-1] == (71, 71)
    assert await chain.archived() == await chain.records()
    found = await chain.verified()
    assert found.whole
    assert (found.last, len(found.path), found.beside) == (71, done.segments, 0)


async def test_headers_are_kept_as_they_were_sent(chain: Chained) -> None:
    block = b"NATS/1.0\r\nA:1\r\nA:  2 \r\nnats-msg-id:x\r\nB: \xff\xfe\r\n\r\n"
    inbox = chain.client.new_inbox()
    answers = await chain.client.subscribe(inbox)
    subject = f"chasqui.{chain.place.site}.thing.happened.v1"
    await chain.client._send_command(command.hpub_cmd(subject, inbox, block, b"{}"))
    await chain.client.flush()
    await answers.next_msg(5)
    await chain.exporter().export()
    last = (await chain.archived())[-1]
    assert (last.headers, last.data, last.subject) == (block, b"{}", subject)


async def test_only_what_is_new_is_added(chain: Chained) -> None:
    await chain.publish(30)
    first = await chain.exporter().export()
    before = await chain.keys()
    again = await chain.exporter().export()
    assert (again.segments, again.last) == (0, first.last)
    assert await chain.keys() == before
    await chain.publish(5, "later")
    third = await chain.exporter().export()
    assert (third.messages, third.last) == (5, 36)
    assert await chain.archived() == await chain.records()
    assert len(await chain.head_keys()) <= 3


async def test_an_empty_stream_has_no_chain(chain: Chained) -> None:
    await chain.client.jetstream().delete_stream(chain.stream)
    assert (await chain.exporter().export()).last == 0
    await chain.client.jetstream().add_stream(
        StreamConfig(name=chain.stream, subjects=[f"chasqui.{chain.place.site}.>"])
    )
    assert (await chain.exporter().export()).last == 0
    assert await chain.keys() == []


class Killed(BaseException):
    """The end of a process."""


class DyingStore(S3Store):
    """An archive whose client dies right before or right after a request.

    Attributes:
        left: So many requests are answered yet.
    """

    left = 0
    after = False

    async def _dying(self, request: Any) -> Any:
        self.left -= 1
        if self.left < 0 and not self.after:
            request.close()
            raise Killed
        answer = await request
        if self.left < 0:
            raise Killed
        return answer

    async def put_bytes(self, *words: Any, **named: Any) -> Any:
        return await self._dying(super().put_bytes(*words, **named))

    async def get_bytes(self, *words: Any, **named: Any) -> Any:
        return await self._dying(super().get_bytes(*words, **named))

    async def get_json(self, *words: Any, **named: Any) -> Any:
        return await self._dying(super().get_json(*words, **named))

    async def delete(self, *words: Any, **named: Any) -> Any:
        return await self._dying(super().delete(*words, **named))


@pytest.fixture
async def dying(chain: Chained) -> AsyncIterator[DyingStore]:
    async with DyingStore(chain.store.settings) as store:
        yield store


@pytest.mark.parametrize("after", [pytest.param(False, marks=pytest.mark.long), True])
async def test_killed_anywhere_the_next_export_goes_on(
    chain: Chained, dying: DyingStore, *, after: bool
) -> None:
    """Each round the exporter dies one request later, with new messages to export."""
    dying.after = after
    adopted = requests = 0
    killed = True
    while killed:
        await chain.publish(3, f"round-{requests}")
        dying.left = requests
        try:
            await chain.exporter(dying, size=500).export()
            killed = False
        except Killed:
            requests += 1
        found = await chain.verified()
        assert found.whole, found.problems
        done = await chain.exporter(size=500).export()
        assert done.last == await chain.last()
        adopted += done.adopted
    assert requests > 8, "the requests of an export were not all counted"
    assert adopted > 0, "no exporter was killed between a segment and its head"
    assert await chain.archived() == await chain.records()
    found = await chain.verified()
    assert (found.whole, found.beside) == (True, 0)


class MisreadingStore(S3Store):
    """An archive on whose way documents change, now and then.

    Attributes:
        changed: So many of the next are changed.
    """

    changed = 0

    async def get_json(self, *words: Any, **named: Any) -> Any:
        document = await super().get_json(*words, **named)
        self.changed -= 1
        return {**document, "last": -1} if self.changed >= 0 else document


@pytest.mark.parametrize(("changed", "refused"), [(1, False), (2, True)])
async def test_a_head_that_is_read_wrong_once_is_written_and_read_again(
    chain: Chained, *, changed: int, refused: bool
) -> None:
    await chain.publish(5)
    async with MisreadingStore(chain.store.settings) as store:
        store.changed = changed
        if refused:
            with pytest.raises(Permanent, match="does not give back the head"):
                await chain.exporter(store).export()
        else:
            await chain.exporter(store).export()
    assert (await chain.verified()).whole


async def test_two_exporters_at_once_do_no_harm(chain: Chained) -> None:
    done: list[Exported] = []

    async def publishing() -> None:
        turn = 0
        while sum(one.segments for one in done) <= 10:
            await chain.publish(4, f"turn-{turn}")
            await asyncio.sleep(0.1)
            turn += 1

    async def exporting(size: int) -> None:
        while not published.done():
            done.append(await chain.exporter(size=size).export())

    published = asyncio.create_task(publishing())
    await asyncio.gather(*(exporting(size) for size in (300, 900)))
    await published
    found = await chain.verified()
    assert found.whole, found.problems
    await asyncio.gather(*(chain.exporter(size=size).export() for size in (300, 900)))
    found = await chain.verified()
    assert found.whole
    assert await chain.archived() == await chain.records()


async def test_another_history_is_never_added(chain: Chained) -> None:
    await chain.publish(50)
    await chain.exporter().export()
    before = await chain.keys()
    js = chain.client.jetstream()
    await js.delete_stream(chain.stream)
    await js.add_stream(StreamConfig(name=chain.stream, subjects=[f"chasqui.{chain.place.site}.>"]))
    await chain.publish(20)
    with pytest.raises(Permanent) as short:
        await chain.exporter().export()
    assert short.value.problem.code == "log_behind_archive"
    assert (await chain.exporter(behind=Behind.AWAITED).export()).last == 51
    await chain.publish(60, "other")
    with pytest.raises(Permanent) as other:
        await chain.exporter().export()
    assert other.value.problem.code == "log_diverged"
    assert await chain.keys() == before


async def test_another_history_is_not_adopted_either(chain: Chained) -> None:
    """A segment without a head that does not say what the stream says stops the export."""
    await chain.publish(20)
    await chain.exporter().export()
    for key in await chain.head_keys():
        await chain.store.delete(key)
    js = chain.client.jetstream()
    await js.delete_stream(chain.stream)
    await js.add_stream(StreamConfig(name=chain.stream, subjects=[f"chasqui.{chain.place.site}.>"]))
    await chain.publish(40, "other")
    with pytest.raises(Permanent) as other:
        await chain.exporter().export()
    assert other.value.problem.code == "log_diverged"


async def test_a_hole_in_the_stream_is_told(chain: Chained) -> None:
    js = chain.client.jetstream()
    await js.delete_stream(chain.stream)
    await js.add_stream(StreamConfig(name=chain.stream, subjects=[f"chasqui.{chain.place.site}.>"]))
    await chain.publish(20)
    await js.delete_msg(chain.stream, 7)
    with pytest.raises(Permanent) as hole:
        await chain.exporter().export()
    assert hole.value.problem.code == "log_gap"
    assert "7" in hole.value.problem.reason
    assert await chain.keys() == []
