"""Whatever happens to the objects of a chain is found, and mended while the stream lives."""

import gzip

import pytest

from libs.errors import Permanent
from libs.eventlog.verifying import Chain
from tests.support.chains import Chained

pytestmark = pytest.mark.integration
MESSAGES = 45
ANY_SEGMENT = pytest.mark.parametrize(
    "which", [2, *(pytest.param(end, marks=pytest.mark.long) for end in (0, -1))]
)


@pytest.fixture
async def exported(chain: Chained) -> Chained:
    """A chain of several segments."""
    await chain.publish(MESSAGES)
    await chain.exporter().export()
    found = await chain.verified()
    assert found.whole
    assert len(found.path) >= 5
    return chain


def codes(found: Chain) -> set[str]:
    return {problem.code for problem in found.problems}


async def mended(chain: Chained) -> None:
    """The chain is whole again, and holds what the stream holds."""
    await chain.exporter().mend(await chain.verified())
    found = await chain.verified()
    assert found.whole, found.problems
    assert found.last == await chain.last()
    assert await chain.archived() == await chain.records()


@ANY_SEGMENT
async def test_a_missing_segment(exported: Chained, which: int) -> None:
    before = await exported.verified()
    keys = await exported.segment_keys()
    await exported.store.delete(keys[which])
    found = await exported.verified()
    assert codes(found) == {"segment_missing"}
    assert found.last == before.path[which].first - 1
    await mended(exported)


@ANY_SEGMENT
async def test_an_altered_byte(exported: Chained, which: int) -> None:
    before = await exported.verified()
    key = (await exported.segment_keys())[which]
    for part in (0, 2, 4):
        body = bytearray(await exported.get(key))
        whole = bytes(body)
        body[len(body) * part // 5] ^= 1
        await exported.put(key, bytes(body))
        found = await exported.verified()
        assert codes(found) == {"segment_damaged", "chain_broken"}
        assert found.last == before.path[which].first - 1
        await exported.put(key, whole)
    await exported.put(key, bytes(body))
    await mended(exported)


async def test_a_truncated_segment(exported: Chained) -> None:
    key = (await exported.segment_keys())[1]
    body = await exported.get(key)
    for kept in (len(body) - 1, len(body) // 2, 0):
        await exported.put(key, body[:kept])
        assert codes(await exported.verified()) == {"segment_damaged", "chain_broken"}
    await mended(exported)


async def test_swapped_segments(exported: Chained) -> None:
    one, two = (await exported.segment_keys())[1:3]
    first, second = await exported.get(one), await exported.get(two)
    await exported.put(one, second)
    await exported.put(two, first)
    found = await exported.verified()
    assert codes(found) == {"segment_damaged", "chain_broken"}
    assert found.last == (await exported.verified()).path[0].last
    await mended(exported)


async def test_segments_under_each_others_numbers(exported: Chained) -> None:
    """The checksums of their names are right, their places are not."""
    one, two = (await exported.segment_keys())[1:3]
    numbers = [key.rsplit("/", 1)[1][:41] for key in (one, two)]
    first, second = await exported.get(one), await exported.get(two)
    await exported.store.delete(one)
    await exported.store.delete(two)
    await exported.put(two.replace(numbers[1], numbers[0]), second)
    await exported.put(one.replace(numbers[0], numbers[1]), first)
    found = await exported.verified()
    assert codes(found) == {"segment_damaged", "segment_missing"}
    await mended(exported)


async def test_a_forged_segment_is_not_believed(exported: Chained) -> None:
    """Somebody who can write to the archive makes a segment with another content and the right name for it."""
    from hashlib import sha256

    key = (await exported.segment_keys())[1]
    body = gzip.compress(gzip.decompress(await exported.get(key)).replace(b"xxx", b"xyx"), mtime=0)
    name = key.rsplit("-", 1)[0] + f"-{sha256(body).hexdigest()}.jsonl.gz"
    await exported.store.delete(key)
    await exported.put(name, body)
    found = await exported.verified()
    assert codes(found) == {"segment_missing"}
    assert found.path[0].last == found.last
    await mended(exported)


async def test_a_head_that_is_missing(exported: Chained) -> None:
    for key in await exported.head_keys():
        await exported.store.delete(key)
    found = await exported.verified()
    assert codes(found) == {"head_missing"}
    assert found.last == MESSAGES + 1
    await mended(exported)


async def test_a_head_that_is_missing_is_written_by_the_next_export(exported: Chained) -> None:
    segments = await exported.segment_keys()
    for key in await exported.head_keys():
        await exported.store.delete(key)
    done = await exported.exporter().export()
    assert done.adopted == done.segments == len(segments)
    assert (await exported.verified()).whole
    assert await exported.segment_keys() == segments


async def test_a_head_that_was_rolled_back(exported: Chained) -> None:
    newest = sorted(await exported.head_keys())
    for key in newest[1:]:
        await exported.store.delete(key)
    found = await exported.verified()
    assert codes(found) == {"head_behind"}
    assert found.last == MESSAGES + 1
    done = await exported.exporter().export()
    assert done.adopted == 2
    assert (await exported.verified()).whole


async def test_an_older_head_in_the_place_of_the_newest(exported: Chained) -> None:
    older, *_, newest = sorted(await exported.head_keys())
    await exported.put(newest, await exported.get(older))
    assert "head_damaged" in codes(await exported.verified())
    await mended(exported)


async def test_a_damaged_head(exported: Chained) -> None:
    newest = max(await exported.head_keys())
    body = bytearray(await exported.get(newest))
    body[len(body) // 2] ^= 1
    await exported.put(newest, bytes(body))
    assert "head_damaged" in codes(await exported.verified())
    await mended(exported)


async def test_the_end_of_the_log_cut_off_with_its_heads_but_one(exported: Chained) -> None:
    """The last segments are gone, and the head that knows of them is not."""
    for key in (await exported.segment_keys())[-2:]:
        await exported.store.delete(key)
    found = await exported.verified()
    assert codes(found) == {"segment_missing"}
    await mended(exported)


async def test_an_object_that_does_not_belong_there(exported: Chained) -> None:
    await exported.put(exported.folder().names.segments + "notes.txt", b"hello")
    assert codes(await exported.verified()) == {"object_unknown"}


async def test_an_export_heals_a_lost_end_by_itself(exported: Chained) -> None:
    await exported.store.delete((await exported.segment_keys())[-1])
    await exported.exporter().export()
    await exported.publish(1)
    await exported.exporter().export()
    assert (await exported.verified()).whole
    assert await exported.archived() == await exported.records()


async def test_nothing_is_mended_from_less_than_was_exported(exported: Chained) -> None:
    from nats.js.api import StreamConfig

    js = exported.client.jetstream()
    await js.delete_stream(exported.stream)
    await js.add_stream(StreamConfig(name=exported.stream, subjects=[f"chasqui.{exported.place.site}.>"]))
    await exported.publish(20)
    await exported.store.delete((await exported.segment_keys())[1])
    keys = await exported.keys()
    with pytest.raises(Permanent) as refused:
        await exported.exporter().mend(await exported.verified())
    assert refused.value.problem.code == "log_behind_archive"
    assert await exported.keys() == keys
