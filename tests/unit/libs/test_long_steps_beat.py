"""Every step whose length grows with the data gives signs of life in proportion to it, or takes a bounded leave."""

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from libs.bus.pulse import FLUSH_S, TURN_S
from libs.packaging import PayloadChanged, inspect_bag, unpack_bag, write_bag
from libs.storage.files import sha256_file, write_atomic
from libs.transfer.local import LocalEngine, LocalSettings
from libs.transfer.ratelimit import RateLimit
from tests.support.pulses import counted
from tests.unit.libs.packaging.test_unpacking import put
from tests.unit.libs.transfer.test_local import KIB, make_item, unheard

MIB = 1 << 20
FILES = 300
SMALL = LocalSettings(streams=2, chunk=256 * KIB, block=16 * KIB)


def test_hashing_beats_with_each_block(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(os.urandom(5 * MIB))
    with counted() as pulse:
        sha256_file(tmp_path / "f")
    assert pulse.beats >= 5


async def test_sealing_beats_with_each_read_and_takes_leave_for_the_sync(tmp_path: Path) -> None:
    tree = {"big": (os.urandom(20 * MIB), 1), **{f"small/{n}": (b"x" * n, n) for n in range(1, FILES)}}
    files = put(tmp_path / "source", tree)
    bag = tmp_path / "bag.tar"
    with counted() as pulse:
        await asyncio.to_thread(write_bag, tmp_path / "source", files, bag, name="bag", info={})
    assert pulse.beats >= FILES + 4
    assert pulse.leaves == [FLUSH_S]

    with counted() as pulse:
        await asyncio.to_thread(inspect_bag, bag, expected_sha256=None, expected_size=None)
    assert pulse.beats >= 5

    with counted() as pulse:
        await asyncio.to_thread(unpack_bag, bag, tmp_path / "out")
    assert pulse.beats >= 5
    assert set(pulse.leaves) == {FLUSH_S}

    shutil.rmtree(tmp_path / "out" / "small")
    with counted() as pulse:
        await asyncio.to_thread(unpack_bag, bag, tmp_path / "out")
    assert pulse.beats >= 5 + 2 * (FILES - 1), "looking at what stands, and linking what does not"


def test_looking_for_more_bad_files_beats(tmp_path: Path) -> None:
    """The package is lost with its first bad file; the others are hashed all the same, to be told at once."""
    files = put(tmp_path / "source", {f"{n}": (os.urandom(KIB), n) for n in range(FILES)})
    declared = {file.path: "0" * 64 for file in files}
    (tmp_path / "source" / "0").unlink()
    with counted() as pulse, pytest.raises(PayloadChanged):
        write_bag(tmp_path / "source", files, tmp_path / "b.tar", name="b", info={}, expected_sha256=declared)
    assert pulse.beats >= FILES - 1


async def test_a_transfer_beats_from_its_threads(tmp_path: Path) -> None:
    items = [make_item(tmp_path, f"f{n}", MIB) for n in range(4)]
    with counted() as pulse:
        await LocalEngine(SMALL).transfer(items, progress=unheard)
    assert pulse.beats >= 4 * MIB / SMALL.block
    assert pulse.leaves.count(TURN_S) == len(items)
    assert pulse.leaves.count(FLUSH_S) >= len(items) * (4 + 1), "each chunk and each file is synced"


async def test_waiting_for_a_slow_link_beats(tmp_path: Path) -> None:
    """Its slot is free after a second: what waits for it is alive."""
    item = make_item(tmp_path, "f", 16 * KIB)
    limit = RateLimit(1e9)
    limit.reserve(int(1e9))
    with counted() as pulse:
        await LocalEngine(SMALL).transfer([item], progress=unheard, limit=limit)
    assert pulse.beats >= 8


async def test_recognising_what_is_there_already_beats(tmp_path: Path) -> None:
    """Without a mark the bytes decide."""
    item = make_item(tmp_path, "f", 4 * MIB)
    item.destination.parent.mkdir()
    shutil.copy(item.source, item.destination)
    with counted() as pulse:
        await LocalEngine(SMALL).transfer([item], progress=unheard)
    assert pulse.beats >= 4


def test_a_file_that_is_published_takes_leave_for_its_sync(tmp_path: Path) -> None:
    with counted() as pulse:
        write_atomic(tmp_path / "f", b"x")
    assert pulse.leaves == [FLUSH_S]
