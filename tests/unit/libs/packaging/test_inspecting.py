"""Damage of every kind: whatever is done to a package is noticed, with and without its checksum known."""

import hashlib
import io
import os
import random
import struct
import tarfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from libs.packaging import (
    BagDamaged,
    BagFault,
    PackagingCancelled,
    PayloadFile,
    SealedBag,
    inspect_bag,
    unpack_bag,
    write_bag,
)
from libs.packaging.headers import END_OF_TAR, encode, padding
from libs.packaging.tagfiles import BAGIT_TXT, bag_info, manifest

Member = tuple[tarfile.TarInfo, bytes]


@pytest.fixture
def bag(tmp_path: Path) -> SealedBag:
    root = tmp_path / "source"
    (root / "sub").mkdir(parents=True)
    for index in range(6):
        (root / "sub" / f"file {index}é").write_bytes(random.Random(index).randbytes(3000 + index))  # noqa: S311  # filler
    (root / "empty").write_bytes(b"")
    files = [
        PayloadFile(str(path.relative_to(root)), path.stat().st_size, path.stat().st_mtime_ns)
        for path in root.rglob("*")
        if path.is_file()
    ]
    return write_bag(root, files, tmp_path / "bag.tar", name="bag", info={"Bagging-Date": "2026-01-01"})


def faults(path: Path, sealed: SealedBag | None = None) -> set[BagFault]:
    """What inspecting and unpacking find, which must be the same."""
    sha256, size = (sealed.sha256, sealed.size) if sealed else (None, None)
    with pytest.raises(BagDamaged) as inspected:
        inspect_bag(path, expected_sha256=sha256, expected_size=size)
    destination = path.parent / "unpacked" / "here"
    with pytest.raises(BagDamaged) as unpacked:
        unpack_bag(path, destination, expected_sha256=sha256, expected_size=size)
    assert unpacked.value.problems == inspected.value.problems
    assert not destination.parent.exists() or list(destination.parent.iterdir()) == []
    return {problem.code for problem in inspected.value.problems}


def test_a_sound_bag_is_told_in_full(bag: SealedBag) -> None:
    found = inspect_bag(bag.path, expected_sha256=bag.sha256, expected_size=bag.size)
    assert (found.name, found.size, found.sha256, found.files) == ("bag", bag.size, bag.sha256, bag.files)
    assert (found.file_count, found.payload_bytes) == (bag.file_count, bag.payload_bytes)
    assert inspect_bag(bag.path, expected_sha256=None, expected_size=None) == found


def test_any_flipped_byte_is_noticed(bag: SealedBag, tmp_path: Path) -> None:
    raw = bag.path.read_bytes()
    damaged = tmp_path / "damaged.tar"
    for offset in [*range(0, bag.size, 97), bag.size - 1]:
        damaged.write_bytes(raw[:offset] + bytes([raw[offset] ^ 1]) + raw[offset + 1 :])
        with pytest.raises(BagDamaged):
            inspect_bag(damaged, expected_sha256=bag.sha256, expected_size=bag.size)


def test_a_flipped_byte_of_content_names_the_file_even_without_the_packages_checksum(
    bag: SealedBag, tmp_path: Path
) -> None:
    raw = bytearray(bag.path.read_bytes())
    for file in bag.files:
        if file.size:
            raw[file.offset + file.size // 2] ^= 0x80
    (tmp_path / "damaged.tar").write_bytes(raw)
    with pytest.raises(BagDamaged) as caught:
        inspect_bag(tmp_path / "damaged.tar", expected_sha256=None, expected_size=None)
    assert [(one.code, one.member) for one in caught.value.problems] == [
        (BagFault.FILE_CHECKSUM, f"data/{file.path}") for file in bag.files if file.size
    ]


def test_any_truncation_is_noticed(bag: SealedBag, tmp_path: Path) -> None:
    raw = bag.path.read_bytes()
    damaged = tmp_path / "damaged.tar"
    for length in [*range(0, bag.size, 511), bag.size - 512, bag.size - 1]:
        damaged.write_bytes(raw[:length])
        assert BagFault.TRUNCATED in faults(damaged)


def test_appended_bytes_are_noticed(bag: SealedBag, tmp_path: Path) -> None:
    raw = bag.path.read_bytes()
    for tail in (b"x", bytes(512) + b"x", b"x" * 5_000_000):
        (tmp_path / "damaged.tar").write_bytes(raw + tail)
        assert faults(tmp_path / "damaged.tar") == {BagFault.TRAILING_DATA}
        assert faults(tmp_path / "damaged.tar", bag) == {BagFault.PACKAGE_SIZE}
    (tmp_path / "damaged.tar").write_bytes(raw + bytes(512))
    assert faults(tmp_path / "damaged.tar", bag) == {BagFault.PACKAGE_SIZE}


def test_a_missing_package_is_damage(tmp_path: Path) -> None:
    assert faults(tmp_path / "none.tar") == {BagFault.PACKAGE_UNREADABLE}
    (tmp_path / "link.tar").symlink_to(tmp_path / "none.tar")
    assert faults(tmp_path / "link.tar") == {BagFault.PACKAGE_UNREADABLE}
    (tmp_path / "folder").mkdir()
    assert faults(tmp_path / "folder") == {BagFault.PACKAGE_UNREADABLE}


def members(bag: SealedBag) -> list[Member]:
    with tarfile.open(bag.path) as tar:
        return [(one, (tar.extractfile(one) or io.BytesIO()).read()) for one in tar.getmembers()]


def rebuilt(path: Path, parts: Iterable[Member]) -> Path:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in parts:
            info.pax_headers = {}
            tar.addfile(info, io.BytesIO(data))
    return path


def test_another_tar_of_the_same_bag_is_sound(bag: SealedBag, tmp_path: Path) -> None:
    parts = [(info, data) for info, data in members(bag)]
    for info, _ in parts:
        info.mtime = int(info.mtime)
    path = rebuilt(tmp_path / "other.tar", parts)
    assert inspect_bag(path, expected_sha256=None, expected_size=None).file_count == bag.file_count


def swap_contents(parts: list[Member]) -> list[Member]:
    one, two = (
        index for index, (info, _) in enumerate(parts) if "file 0" in info.name or "file 1" in info.name
    )
    first, second = parts[one], parts[two]
    first[0].name, second[0].name = second[0].name, first[0].name
    return parts


def rewrite_info(parts: list[Member]) -> list[Member]:
    info, data = parts[0]
    assert info.name == "bag/bag-info.txt"
    return [(info, data.replace(b"2026-01-01", b"2026-01-02")), *parts[1:]]


def unlist_tags(parts: list[Member]) -> list[Member]:
    info, _ = parts[-1]
    info.size = 0
    return [*parts[:-1], (info, b"")]


def drop(name: str) -> Callable[[list[Member]], list[Member]]:
    return lambda parts: [part for part in parts if name not in part[0].name]


def repeat(parts: list[Member]) -> list[Member]:
    return [*parts, parts[3]]


def extra(
    name: str, kind: bytes = tarfile.REGTYPE, target: str = ""
) -> Callable[[list[Member]], list[Member]]:
    def add(parts: list[Member]) -> list[Member]:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        return [*parts, (info, b"")]

    return add


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (swap_contents, BagFault.FILE_CHECKSUM),
        (rewrite_info, BagFault.TAG_FILE_DAMAGED),
        (unlist_tags, BagFault.FILE_UNLISTED),
        (drop("file 2"), BagFault.FILE_MISSING),
        (drop("/data/"), BagFault.OXUM_MISMATCH),
        (drop("bag-info"), BagFault.TAG_FILE_MISSING),
        (drop("bagit"), BagFault.TAG_FILE_MISSING),
        (drop("/manifest"), BagFault.TAG_FILE_MISSING),
        (drop("tagmanifest"), BagFault.TAG_FILE_MISSING),
        (repeat, BagFault.DUPLICATE_NAME),
        (extra("bag/data/new"), BagFault.FILE_UNLISTED),
        (extra("bag/fetch.txt"), BagFault.FILE_UNLISTED),
        (extra("bag/data/sub"), BagFault.DUPLICATE_NAME),
        (extra("bag/data/empty/below"), BagFault.DUPLICATE_NAME),
        (extra("other/data/new"), BagFault.OUTSIDE_BAG),
        (extra("new"), BagFault.OUTSIDE_BAG),
        (extra("bag/data/../../up"), BagFault.UNSAFE_NAME),
        (extra("bag/../up"), BagFault.UNSAFE_NAME),
        (extra("../up"), BagFault.UNSAFE_NAME),
        (extra("/tmp/absolute"), BagFault.UNSAFE_NAME),
        (extra("bag/data//etc/passwd"), BagFault.UNSAFE_NAME),
        (extra("bag/data/./x"), BagFault.UNSAFE_NAME),
        (extra("bag/data/link", tarfile.SYMTYPE, "/etc"), BagFault.UNSAFE_MEMBER),
        (extra("bag/data/hard", tarfile.LNKTYPE, "bag/data/empty"), BagFault.UNSAFE_MEMBER),
        (extra("bag/data/device", tarfile.CHRTYPE), BagFault.UNSAFE_MEMBER),
        (extra("bag/data/block", tarfile.BLKTYPE), BagFault.UNSAFE_MEMBER),
        (extra("bag/data/pipe", tarfile.FIFOTYPE), BagFault.UNSAFE_MEMBER),
        (extra("bag/data/folder", tarfile.DIRTYPE), BagFault.UNSAFE_MEMBER),
        (extra("bag/data/sparse", tarfile.GNUTYPE_SPARSE), BagFault.HEADER_UNSUPPORTED),
    ],
)
def test_every_tampering_has_its_name(
    bag: SealedBag, tmp_path: Path, change: Callable[[list[Member]], list[Member]], fault: BagFault
) -> None:
    path = rebuilt(tmp_path / "evil.tar", change(members(bag)))
    assert fault in faults(path)


def test_a_link_and_a_write_through_it_reach_nothing(bag: SealedBag, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    parts = extra("bag/data/way", tarfile.SYMTYPE, str(outside))(members(bag))
    parts = extra("bag/data/way/in")(parts)
    assert BagFault.UNSAFE_MEMBER in faults(rebuilt(tmp_path / "evil.tar", parts))
    assert list(outside.iterdir()) == []


def packed(entries: dict[str, bytes], listed: dict[str, bytes] | None = None) -> bytes:
    """A bag built by hand, whose manifest may lie."""
    said = entries if listed is None else listed
    info = bag_info({}, payload_bytes=sum(map(len, entries.values())), file_count=len(entries))
    text = manifest((hashlib.sha256(data).hexdigest(), f"data/{path}") for path, data in said.items())
    tags = {"bag-info.txt": info, "bagit.txt": BAGIT_TXT, "manifest-sha256.txt": text}
    tag_text = manifest((hashlib.sha256(data).hexdigest(), name) for name, data in tags.items())
    tree = {
        **tags,
        **{f"data/{path}": data for path, data in entries.items()},
        "tagmanifest-sha256.txt": tag_text,
    }
    return b"".join(member(f"bag/{name}", data) for name, data in tree.items()) + END_OF_TAR


def member(name: str, data: bytes, size: int | None = None) -> bytes:
    return encode(name, len(data) if size is None else size, 0) + data + bytes(padding(len(data)))


def test_a_bag_built_by_hand_is_sound(tmp_path: Path) -> None:
    (tmp_path / "bag.tar").write_bytes(packed({"a": b"1", "b/c": b"2"}))
    assert inspect_bag(tmp_path / "bag.tar", expected_sha256=None, expected_size=None).file_count == 2


def test_a_lying_manifest_is_noticed_although_its_own_checksum_is_right(tmp_path: Path) -> None:
    (tmp_path / "bag.tar").write_bytes(packed({"a": b"1"}, {"a": b"2"}))
    assert faults(tmp_path / "bag.tar") == {BagFault.FILE_CHECKSUM}
    (tmp_path / "bag.tar").write_bytes(packed({"a": b"1"}, {"a": b"1", "b": b"2"}))
    assert faults(tmp_path / "bag.tar") == {BagFault.FILE_MISSING}
    (tmp_path / "bag.tar").write_bytes(packed({"a": b"1", "b": b"2"}, {"a": b"1"}))
    assert faults(tmp_path / "bag.tar") == {BagFault.FILE_UNLISTED}


@pytest.mark.parametrize("size", [2, 513, 10**6, 2**40, 2**62])
def test_sizes_that_lie_allocate_nothing(tmp_path: Path, size: int) -> None:
    good = packed({"a": b"1"})
    (tmp_path / "bag.tar").write_bytes(member("bag/data/z", b"", size) + good)
    assert faults(tmp_path / "bag.tar") & {
        BagFault.TRUNCATED, BagFault.HEADER_DAMAGED, BagFault.FILE_UNLISTED, BagFault.TAG_FILE_MISSING
    }  # fmt: skip


def pax(body: bytes, size: int | None = None) -> bytes:
    """A pax header with any records, before a member."""
    block = bytearray(encode("pax", len(body), 0))
    block[156:157] = b"x"
    if size is not None:
        block[124:136] = b"%011o\0" % size
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + body + bytes(padding(len(body)))


@pytest.mark.parametrize(
    ("head", "fault"),
    [
        (pax(b"x" * 16385), BagFault.HEADER_UNSUPPORTED),
        (pax(b"", 8**11 - 1), BagFault.HEADER_UNSUPPORTED),
        (pax(b""), BagFault.HEADER_UNSUPPORTED),
        (pax(b"22 GNU.sparse.size=10\n"), BagFault.HEADER_UNSUPPORTED),
        (pax(b"9 size=1\n9 size=2\n"), BagFault.HEADER_UNSUPPORTED),
        (pax(b"99 size=1\n"), BagFault.HEADER_DAMAGED),
        (pax(b"0 size=1\n"), BagFault.HEADER_DAMAGED),
        (pax(b"99999999999999999999 size=1\n"), BagFault.HEADER_DAMAGED),
        (pax(b"10 size=-1\n"), BagFault.HEADER_DAMAGED),
        (pax(b"13 mtime=nan\n"), BagFault.HEADER_DAMAGED),
        (pax(b"11 path=\xff\xfe\n"), BagFault.HEADER_DAMAGED),
        (pax(b"12 path=a\0b\n"), BagFault.UNSAFE_NAME),
        (bytes(512) + member("bag/x", b""), BagFault.HEADER_DAMAGED),
    ],
)
def test_headers_that_lie(tmp_path: Path, head: bytes, fault: BagFault) -> None:
    (tmp_path / "bag.tar").write_bytes(head + member("bag/data/z", b"") + END_OF_TAR)
    assert fault in faults(tmp_path / "bag.tar")


def test_a_gnu_header_is_unsupported(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "gnu.tar", "w", format=tarfile.GNU_FORMAT) as tar:
        tar.addfile(tarfile.TarInfo("bag/data/x"), io.BytesIO())
    assert faults(tmp_path / "gnu.tar") == {BagFault.HEADER_UNSUPPORTED}


def test_noise_is_no_package(tmp_path: Path) -> None:
    for seed in range(20):
        (tmp_path / "noise").write_bytes(struct.pack("I", seed) + os.urandom(2000))
        assert faults(tmp_path / "noise") == {BagFault.HEADER_DAMAGED}


def test_thousands_of_problems_are_cut_short(tmp_path: Path) -> None:
    stream = b"".join(member(f"bag{index}/x", b"") for index in range(3000))
    (tmp_path / "evil.tar").write_bytes(stream + END_OF_TAR)
    with pytest.raises(BagDamaged) as caught:
        inspect_bag(tmp_path / "evil.tar", expected_sha256=None, expected_size=None)
    assert 1000 <= len(caught.value.problems) <= 2001


def test_cancelled(bag: SealedBag) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(PackagingCancelled):
        inspect_bag(bag.path, expected_sha256=None, expected_size=None, cancelled=stop)
