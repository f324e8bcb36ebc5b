import hashlib
import os
from pathlib import Path

import pytest
from awscrt.checksums import crc64nvme
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import Permanent
from libs.storage.s3_parts import MAX_OBJECT, PartBody, PartSource, crc_of, encode_crc, plan_parts
from libs.storage.s3_settings import MIB


@given(st.integers(0, MAX_OBJECT), st.integers(5, 64), st.sampled_from([1000, 10_000]))
def test_parts_cover_the_file_exactly(size: int, part_mib: int, max_parts: int) -> None:
    plan = plan_parts(size, part_mib * MIB, max_parts)
    assert 1 <= plan.count <= max_parts
    assert plan.part_size >= part_mib * MIB
    last = plan.length(plan.count - 1)
    assert (plan.count - 1) * plan.part_size + last == size
    assert last > 0 or size == 0


def test_parts_stay_small_for_a_package_and_grow_for_the_largest_object() -> None:
    assert plan_parts(50 * 10**9, 16 * MIB, 10_000).part_size == 16 * MIB
    assert plan_parts(MAX_OBJECT, 16 * MIB, 10_000).part_size == 525 * MIB
    assert plan_parts(0, 16 * MIB, 10_000).count == 1
    with pytest.raises(Permanent) as caught:
        plan_parts(MAX_OBJECT + 1, 16 * MIB, 10_000)
    assert caught.value.problem.code == "object_too_large"


def test_crc_check_value() -> None:
    assert (
        encode_crc(crc64nvme(b"123456789")) == "rosUhgp5mIg="
    )  # the catalogue's check value ae8b14860a799888


async def test_body_is_sent_again_from_its_start() -> None:
    data = os.urandom(600_000)
    body = PartBody(memoryview(data))
    for _ in range(2):
        body.seek(0)
        assert b"".join([block async for block in body]) == data
    assert len(body) == len(data)
    assert (body.read(5), body.tell()) == (data[:5], 5)
    assert body.read() == data[5:]
    assert body.seek(-1, os.SEEK_END) == len(data) - 1
    assert body.read() == data[-1:]


def test_source_checksums_do_not_depend_on_parts(tmp_path: Path) -> None:
    data = os.urandom(1_000_003)
    path = tmp_path / "f"
    path.write_bytes(data)
    source = PartSource(path, len(data))
    buffer = bytearray(400_000)
    crcs = [source.read(buffer, length) for length in (400_000, 400_000, 200_003)]
    assert crcs[2] == crc_of(data[800_000:])
    assert source.finish() == (hashlib.sha256(data).hexdigest(), crc_of(data))
    source.close()


@pytest.mark.parametrize("size", [9, 11])
def test_source_of_another_size_is_refused(tmp_path: Path, size: int) -> None:
    (tmp_path / "f").write_bytes(bytes(10))
    source = PartSource(tmp_path / "f", size)
    with pytest.raises(Permanent) as caught:
        (source.read(bytearray(size), size), source.finish())
    source.close()
    assert caught.value.problem.code == "source_changed"


def test_missing_source(tmp_path: Path) -> None:
    with pytest.raises(Permanent) as caught:
        PartSource(tmp_path / "f", 1)
    assert caught.value.problem.code == "source_missing"
