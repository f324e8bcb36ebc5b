"""Sharing files out over packages, and headers, to the byte."""

import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import UserError
from libs.packaging import Envelope, PayloadFile, sealed_size, split, write_bag
from libs.packaging.headers import BLOCK, decode, decode_records, encode

INFO = {"Bagging-Date": "2026-03-01"}
ENVELOPE = Envelope.of("bag", INFO)


def files(*sizes: int) -> list[PayloadFile]:
    return [PayloadFile(f"f{index:04}", size, index) for index, size in enumerate(sizes)]


def test_no_files_no_packages() -> None:
    assert split([], max_bytes=1, max_files=1) == []


def test_a_file_above_the_limit_travels_alone() -> None:
    small, large, last = files(10, 10**9, 10)
    assert split([last, small, large], max_bytes=10**6, max_files=9) == [(small,), (large,), (last,)]


def test_the_number_of_files_is_limited() -> None:
    assert [len(part) for part in split(files(*[1] * 10), max_bytes=10**9, max_files=4)] == [4, 4, 2]


def test_a_limit_met_to_the_byte_is_met() -> None:
    planned = files(1000, 2000, 3000)
    exact = sealed_size(planned, name="bag", info=INFO)
    # The envelope leaves room for the longest Payload-Oxum, whose padding is the same here.
    assert len(split(planned, max_bytes=exact, max_files=9, envelope=ENVELOPE)) == 1
    assert len(split(planned, max_bytes=exact - 1, max_files=9, envelope=ENVELOPE)) == 2


def test_order_is_that_of_the_paths_bytes() -> None:
    planned = [PayloadFile(path, 1, 0) for path in ("é", "b/a", "b", "a", "b.c", "Z")]
    (part,) = split(planned, max_bytes=10**9, max_files=9)
    assert [file.path for file in part] == ["Z", "a", "b", "b.c", "b/a", "é"]


def test_a_path_listed_twice_is_refused() -> None:
    with pytest.raises(UserError, match="path_twice"):
        split([PayloadFile("a", 1, 1), PayloadFile("a", 2, 2)], max_bytes=10, max_files=9)


@pytest.mark.parametrize(("size", "count"), [(0, 1), (1, 0), (-1, 1)])
def test_senseless_limits_are_refused(size: int, count: int) -> None:
    with pytest.raises(UserError, match="limit_invalid"):
        split([], max_bytes=size, max_files=count)


_planned = st.lists(
    st.builds(
        PayloadFile,
        st.text("ab/é", min_size=1, max_size=150).map(lambda text: "x" + text.replace("/", "/x").strip("/")),
        st.integers(0, 30_000),
        st.integers(-(10**18), 10**19),
    ),
    max_size=30,
    unique_by=lambda file: file.path,
)


@given(_planned, st.integers(1, 200_000), st.integers(1, 8))
def test_packages_are_complete_within_limits_and_filled(
    planned: list[PayloadFile], max_bytes: int, max_files: int
) -> None:
    parts = split(planned, max_bytes=max_bytes, max_files=max_files, envelope=ENVELOPE)
    assert split(planned[::-1], max_bytes=max_bytes, max_files=max_files, envelope=ENVELOPE) == parts
    ordered = sorted(planned, key=lambda file: file.path.encode())
    assert [file for part in parts for file in part] == ordered
    for part, following in zip(parts, [*parts[1:], ()][: len(parts)], strict=True):
        assert len(part) <= max_files
        assert len(part) == 1 or sealed_size(part, name="bag", info=INFO) <= max_bytes
        if following and len(part) < max_files:
            # Only the room left for a longer Payload-Oxum may stay free.
            assert sealed_size([*part, following[0]], name="bag", info=INFO) + BLOCK > max_bytes


def test_the_default_envelope_holds_any_name_and_much_information(tmp_path: Path) -> None:
    for index in range(40):
        (tmp_path / f"{index}").write_bytes(bytes(index * 100))
    planned = [PayloadFile(f"{i}", i * 100, (tmp_path / f"{i}").stat().st_mtime_ns) for i in range(40)]
    for index, part in enumerate(split(planned, max_bytes=60_000, max_files=40)):
        bag = write_bag(
            tmp_path, part, tmp_path / f"{index}.tar", name="n" * 200, info={"Note": "x" * 15_000}
        )
        assert bag.size <= 60_000


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=300),
    st.one_of(st.integers(0, 2**20), st.integers(8**11 - 2, 8**11 + 2), st.just(2**62)),
    st.one_of(st.integers(-(10**20), 10**20), st.integers(0, 2**33).map(lambda seconds: seconds * 10**9)),
)
def test_headers_are_read_as_written(name: str, size: int, mtime_ns: int) -> None:
    raw = encode(name, size, mtime_ns)
    assert len(raw) % BLOCK == 0
    records = decode_records(raw[BLOCK : BLOCK + decode(raw[:BLOCK], {}).size]) if len(raw) > BLOCK else {}
    header = decode(raw[-BLOCK:], records)
    assert (header.kind, header.name, header.size, header.mtime_ns) == (b"0", name, size, mtime_ns)


@pytest.mark.parametrize("size", [0, 8**11 - 1, 8**11, 2**45])
@pytest.mark.parametrize("name", ["a", "n" * 100, "n" * 101, "é/" * 60 + "x", "line\nfeed"])
def test_pythons_tarfile_reads_the_headers(name: str, size: int) -> None:
    raw = encode(name, size, 1_500_000_000 * 10**9)
    with tarfile.open(fileobj=io.BytesIO(raw + bytes(BLOCK)), mode="r:") as tar:
        info = tar.next()
    assert info is not None
    assert (info.name, info.size, info.mtime) == (name, size, 1_500_000_000)
    assert (info.uid, info.uname, info.mode) == (0, "root", 0o644)
