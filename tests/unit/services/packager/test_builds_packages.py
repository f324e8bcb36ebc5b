"""Writing one package, and finding it written already."""

import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from libs.errors import Retriable
from libs.packaging import FileFault, PackagingCancelled, PayloadChanged, PayloadFile
from libs.storage.disk import measure_space
from services.packager.building import Order, build, require_room

NEVER = threading.Event()


@pytest.fixture
def order(tmp_path: Path) -> Order:
    source, buffer = tmp_path / "source", tmp_path / "buffer"
    buffer.mkdir()
    (source / "camera").mkdir(parents=True)
    files = []
    for name, data in (("camera/a.fits", b"a" * 5000), ("camera/b.fits", b"b" * 70)):
        (source / name).write_bytes(data)
        facts = (source / name).stat()
        files.append(PayloadFile(name, facts.st_size, facts.st_mtime_ns))
    return Order(
        source=source,
        buffer=buffer,
        path="packages/camera/unit/p.tar",
        bag_name="p",
        info={"Bagging-Date": "2026-03-01"},
        files=tuple(files),
    )


def heard(_: int) -> None:
    """Nobody listens."""


def test_writes_the_package_with_the_predicted_size(order: Order) -> None:
    sealed = build(order, heard, NEVER)
    tar = order.buffer / order.path
    assert tar.stat().st_size == sealed.size == order.size()
    assert [file.path for file in sealed.files] == ["camera/a.fits", "camera/b.fits"]


def test_a_standing_package_is_read_instead_of_its_files(order: Order) -> None:
    first = build(order, heard, NEVER)
    (order.source / "camera/a.fits").write_bytes(b"changed meanwhile")
    again = build(order, heard, NEVER)
    assert (again.sha256, again.size, again.files) == (first.sha256, first.size, first.files)


def test_a_damaged_standing_package_is_written_again(order: Order) -> None:
    first = build(order, heard, NEVER)
    tar = order.buffer / order.path
    data = bytearray(tar.read_bytes())
    data[data.index(b"aaaa")] ^= 1
    tar.write_bytes(data)
    again = build(order, heard, NEVER)
    assert again.sha256 == first.sha256
    assert tar.read_bytes() != bytes(data)


def test_a_standing_package_of_other_files_is_written_again(order: Order) -> None:
    build(order, heard, NEVER)
    later = order.files[0].mtime_ns + 1_000_000_000
    os.utime(order.source / "camera/a.fits", ns=(later, later))
    moved = replace(order, files=(replace(order.files[0], mtime_ns=later), order.files[1]))
    assert build(moved, heard, NEVER).files[0].mtime_ns == later


def test_a_standing_package_that_differs_from_a_declared_checksum_is_judged_anew(order: Order) -> None:
    build(order, heard, NEVER)
    declared = replace(order, declared={"camera/a.fits": "0" * 64})
    with pytest.raises(PayloadChanged) as changed:
        build(declared, heard, NEVER)
    assert [bad.code for bad in changed.value.files] == [FileFault.CHECKSUM_MISMATCH]


def test_the_same_files_give_the_same_bytes(order: Order, tmp_path: Path) -> None:
    build(order, heard, NEVER)
    (tmp_path / "other").mkdir()
    build(replace(order, buffer=tmp_path / "other"), heard, NEVER)
    assert (tmp_path / "other" / order.path).read_bytes() == (order.buffer / order.path).read_bytes()


def test_a_cancelled_build_leaves_nothing(order: Order) -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(PackagingCancelled):
        build(order, heard, cancelled)
    assert list((order.buffer / order.path).parent.iterdir()) == []


def test_a_buffer_that_is_not_mounted_is_waited_for(order: Order, tmp_path: Path) -> None:
    with pytest.raises(Retriable) as waits:
        build(replace(order, buffer=tmp_path / "nowhere"), heard, NEVER)
    assert waits.value.problem.code == "location_missing"


def test_a_buffer_in_which_no_folder_can_be_made_is_waited_for(order: Order) -> None:
    (order.buffer / order.path.split("/", 1)[0]).write_text("in the way")
    with pytest.raises(Retriable) as waits:
        build(order, heard, NEVER)
    assert waits.value.problem.code == "storage_unavailable"


def test_a_full_buffer_is_told_with_numbers(order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    free = measure_space(order.buffer).free
    require_room(order.buffer, 1)
    with pytest.raises(Retriable) as full:
        require_room(order.buffer, free * 2)
    assert full.value.problem.code == "disk_full"
    assert str(free * 2) in full.value.problem.reason
    monkeypatch.setattr(Order, "size", lambda _: free * 2)
    with pytest.raises(Retriable):
        build(order, heard, NEVER)
    assert list(order.buffer.iterdir()) == []
