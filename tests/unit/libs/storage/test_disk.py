import asyncio
import hashlib
import os
import resource
import socket
from pathlib import Path

import pytest

from libs.errors import Permanent, Retriable, UserError
from libs.storage.deletion import Deleted, EmptiedFolders
from libs.storage.disk import DiskStore, Space
from libs.storage.walk import FoundFile, Oddity


def test_used_fraction() -> None:
    assert Space(total=100, free=25).used_fraction == pytest.approx(0.75)
    assert Space(total=0, free=0).used_fraction == 1.0


async def test_facts_and_space(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"12345")
    store = DiskStore(tmp_path)
    facts = await store.facts("f")
    assert facts is not None
    assert (facts.size, facts.mtime_ns) == (5, (tmp_path / "f").stat().st_mtime_ns)
    assert await store.facts("missing") is None
    assert await store.facts("f/below-a-file") is None
    space = await store.space()
    assert 0 < space.free <= space.total


async def test_space_of_a_folder_still_to_be_made(tmp_path: Path) -> None:
    assert (await DiskStore(tmp_path / "a" / "b").space()).total > 0


async def test_sha256_of_a_file_and_of_none(tmp_path: Path) -> None:
    data = os.urandom((1 << 20) + 7)
    (tmp_path / "f").write_bytes(data)
    store = DiskStore(tmp_path)
    assert await store.sha256("f") == hashlib.sha256(data).hexdigest()
    with pytest.raises(Permanent) as caught:
        await store.sha256("missing")
    assert caught.value.problem.code == "source_missing"


async def test_write_makes_folders_and_leaves_nothing_else(tmp_path: Path) -> None:
    store = DiskStore(tmp_path)
    path = await store.write("a/b/c.json", b"one")
    await store.write("a/b/c.json", b"two")
    assert path.read_bytes() == b"two"
    assert [entry.name for entry in path.parent.iterdir()] == ["c.json"]


async def test_write_beyond_the_limit_is_told_and_leaves_the_old(tmp_path: Path) -> None:
    store = DiskStore(tmp_path)
    await store.write("f", b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(Retriable) as caught:
            await store.write("f", bytes(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.problem.code == "disk_full"
    assert contents(tmp_path) == {"f": b"old"}


async def test_write_refuses_to_leave_the_root(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        await DiskStore(tmp_path / "root").write("../f", b"")


async def test_rename(tmp_path: Path) -> None:
    store = DiskStore(tmp_path)
    await store.write("a", b"x")
    assert (await store.rename("a", "new/b")).read_bytes() == b"x"
    assert not (tmp_path / "a").exists()
    with pytest.raises(Permanent) as caught:
        await store.rename("a", "new/c")
    assert caught.value.problem.code == "source_missing"


async def test_delete_is_idempotent_and_keeps_folders(tmp_path: Path) -> None:
    store = DiskStore(tmp_path)
    await store.write("a/b/f", b"x")
    assert await store.delete("a/b/f") is Deleted.REMOVED
    assert await store.delete("a/b/f") is Deleted.ALREADY_GONE
    assert await store.delete("never/was") is Deleted.ALREADY_GONE
    assert (tmp_path / "a/b").is_dir()


async def test_delete_removes_emptied_folders_up_to_the_root(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    store = DiskStore(root)
    await store.write("a/b/f", b"x")
    await store.write("a/g", b"x")
    await store.delete("a/b/f", EmptiedFolders.REMOVE)
    assert sorted(entry.name for entry in (root / "a").iterdir()) == ["g"]
    await store.delete("a/g", EmptiedFolders.REMOVE)
    assert list(root.iterdir()) == []


async def test_delete_takes_the_link_and_never_its_target(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "precious").write_bytes(b"x")
    (root / "folder").symlink_to(outside)
    (root / "file").symlink_to(outside / "precious")
    store = DiskStore(root)
    with pytest.raises(Permanent) as caught:
        await store.delete("folder/precious")
    assert caught.value.problem.code == "delete_refused"
    assert await store.delete("file") is Deleted.REMOVED
    assert (outside / "precious").read_bytes() == b"x"


@pytest.mark.parametrize("relative", ["../x", "/x", "", "a/../x"])
async def test_delete_refuses_names_that_leave(tmp_path: Path, relative: str) -> None:
    with pytest.raises(UserError):
        await DiskStore(tmp_path).delete(relative)


async def test_delete_refuses_a_folder(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    with pytest.raises(Permanent):
        await DiskStore(tmp_path).delete("d")
    assert (tmp_path / "d").is_dir()


def contents(folder: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in folder.iterdir()}


async def walked(store: DiskStore, batch: int = 1000) -> tuple[set[str], dict[str, str]]:
    files: set[str] = set()
    odd: dict[str, str] = {}
    async for found in store.walk(batch):
        assert 0 < len(found.files) + len(found.oddities) <= batch
        files |= {file.path for file in found.files}
        odd |= {oddity.path: oddity.code for oddity in found.oddities}
    return files, odd


async def test_walk_names_every_file_once(tmp_path: Path) -> None:
    names = {"a", "sub/b c", "sub/deep/x\ny", "-rf", "é", "f" * 255, ".hidden"}
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    os.link(tmp_path / "a", tmp_path / "hard")
    assert await walked(DiskStore(tmp_path), 2) == (names | {"hard"}, {})


async def test_walk_tells_size_and_time(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"123")
    os.utime(tmp_path / "f", ns=(1, 1_700_000_000_123_456_789))
    batches = [batch async for batch in DiskStore(tmp_path).walk()]
    assert batches[0].files == (FoundFile("f", 3, 1_700_000_000_123_456_789),)


async def test_walk_reports_what_is_odd_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good").write_bytes(b"")
    (tmp_path / "loop").symlink_to(".")
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    os.close(os.open(b"bad\xff", os.O_CREAT))
    tmp_path.joinpath(os.fsdecode(b"dir\xfe")).mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("sock")
        files, odd = await walked(DiskStore(tmp_path))
    assert files == {"good"}
    assert odd == {
        "loop": "symlink",
        "dangling": "symlink",
        "pipe": "fifo",
        "sock": "socket",
        "bad\\xff": "name_not_utf8",
        "dir\\xfe": "name_not_utf8",
    }


async def test_walk_reports_what_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "good").write_bytes(b"")
    (tmp_path / "closed").write_bytes(b"")
    monkeypatch.setattr(os, "access", lambda path, *_, **__: not str(path).endswith("closed"))
    batches = [batch async for batch in DiskStore(tmp_path).walk()]
    assert [file.path for file in batches[0].files] == ["good"]
    assert batches[0].oddities == (Oddity("closed", "unreadable", "the file may not be read by this user"),)


async def test_walk_of_a_missing_root_is_no_empty_walk(tmp_path: Path) -> None:
    with pytest.raises(Retriable) as caught:
        await walked(DiskStore(tmp_path / "unmounted"))
    assert caught.value.problem.code == "location_missing"


async def test_walk_leaves_the_event_loop_free(tmp_path: Path) -> None:
    for index in range(300):
        (tmp_path / str(index)).write_bytes(b"")
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0)
            ticks += 1

    ticking = asyncio.create_task(tick())
    await walked(DiskStore(tmp_path), 10)
    ticking.cancel()
    assert ticks > 10
