import asyncio
import errno
import hashlib
import os
import resource
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from libs.bus.fencing import Overtaken
from libs.errors import Retriable, UserError
from libs.storage.disk import Space
from libs.storage.exactly import FileFacts
from libs.storage.partials import Try, partials_among
from libs.transfer import room
from libs.transfer.engine import (
    AlreadyThere,
    Cancel,
    Copied,
    Existing,
    Failed,
    Outcome,
    Progress,
    Recovery,
    TransferEngine,
    TransferItem,
)
from libs.transfer.journal import SourceIdentity, encode_header, encode_record
from libs.transfer.local import LocalEngine, LocalSettings
from libs.transfer.ratelimit import RateLimit
from libs.transfer.sweep import Swept, sweep

KIB = 1 << 10
SMALL = LocalSettings(streams=4, chunk=64 * KIB, block=16 * KIB)


def unheard(progress: Progress) -> None:
    del progress


def make_item(folder: Path, name: str, size: int, existing: Existing = Existing.KEEP) -> TransferItem:
    data = os.urandom(size)
    source = folder / "from" / name
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_bytes(data)
    return TransferItem(name, source, folder / "to" / name, size, hashlib.sha256(data).hexdigest(), existing)


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def run(*items: TransferItem, engine: TransferEngine | None = None) -> tuple[Outcome, ...]:
    report = await (engine or LocalEngine(SMALL)).transfer(items, progress=unheard)
    return report.outcomes


def same(item: TransferItem) -> bool:
    return item.source.read_bytes() == item.destination.read_bytes()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if not path.is_dir())


def code(outcome: Outcome) -> str:
    assert isinstance(outcome, Failed)
    return outcome.problem.code


async def test_copies_every_size_and_leaves_only_the_files(tmp_path: Path) -> None:
    sizes = [0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 1_000_003]
    items = [make_item(tmp_path, f"sub{size % 3}/f{size}", size) for size in sizes]
    report = await LocalEngine(SMALL).transfer(items, progress=unheard)
    assert report.outcomes == tuple(Copied(item, item.size) for item in items)
    assert report.bytes_moved == sum(sizes)
    assert all(map(same, items))
    assert names(tmp_path / "to") == sorted(f"f{size}" for size in sizes)


async def test_sources_are_never_moved(tmp_path: Path) -> None:
    item = make_item(tmp_path, "f", 200 * KIB)
    before = item.source.stat()
    await run(item)
    after = item.source.stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_size) == (
        before.st_ino,
        before.st_mtime_ns,
        before.st_size,
    )


@pytest.mark.parametrize("number", [errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP])
async def test_falls_back_where_the_kernel_cannot_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "copy_file_range", refuse)
    item = make_item(tmp_path, "f", 300 * KIB + 5)
    await run(item)
    assert same(item)


async def test_short_kernel_copies_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.copy_file_range
    monkeypatch.setattr(
        os, "copy_file_range", lambda src, dst, count, *at: whole(src, dst, min(count, 1000), *at)
    )
    item = make_item(tmp_path, "f", 100 * KIB)
    await run(item)
    assert same(item)


async def test_a_second_transfer_moves_nothing(tmp_path: Path) -> None:
    item = make_item(tmp_path, "f", 200 * KIB)
    await run(item)
    inode = item.destination.stat().st_ino
    assert await run(item) == (AlreadyThere(item),)
    assert item.destination.stat().st_ino == inode


async def test_an_unmarked_file_counts_by_its_bytes(tmp_path: Path) -> None:
    good, bad = make_item(tmp_path, "good", 100), make_item(tmp_path, "bad", 100)
    good.destination.parent.mkdir()
    good.destination.write_bytes(good.source.read_bytes())
    bad.destination.write_bytes(bytes(100))
    outcomes = await run(good, bad)
    assert outcomes[0] == AlreadyThere(good)
    assert code(outcomes[1]) == "destination_differs"
    assert bad.destination.read_bytes() == bytes(100)


async def test_a_marked_file_written_to_since_counts_by_its_bytes(tmp_path: Path) -> None:
    item = make_item(tmp_path, "f", 100)
    await run(item)
    with item.destination.open("r+b") as file:
        file.write(bytes(50))
    assert code((await run(item))[0]) == "destination_differs"


async def test_a_mark_for_another_content_does_not_count(tmp_path: Path) -> None:
    item = make_item(tmp_path, "f", 100)
    await run(item)
    other = make_item(tmp_path, "f", 100)
    assert code((await run(other))[0]) == "destination_differs"


async def test_a_damaged_copy_is_replaced_on_request(tmp_path: Path) -> None:
    item = make_item(tmp_path, "f", 200 * KIB, existing=Existing.REPLACE)
    item.destination.parent.mkdir()
    item.destination.write_bytes(bytes(item.size))
    assert await run(item) == (Copied(item, item.size),)
    assert same(item)


async def test_a_link_at_the_destination_is_not_followed(tmp_path: Path) -> None:
    item = make_item(tmp_path, "f", 100)
    item.destination.parent.mkdir()
    item.destination.symlink_to(item.source)
    assert code((await run(item))[0]) == "destination_differs"


async def test_one_bad_item_does_not_fail_the_others(tmp_path: Path) -> None:
    good = make_item(tmp_path, "good", 100 * KIB)
    gone = make_item(tmp_path, "gone", 10)
    gone.source.unlink()
    short = replace(make_item(tmp_path, "short", 10), size=11)
    folder = make_item(tmp_path, "folder", 0)
    folder.source.unlink()
    folder.source.mkdir()
    outcomes = await run(gone, short, good, folder)
    assert outcomes[2] == Copied(good, good.size)
    assert [code(outcomes[at]) for at in (0, 1, 3)] == ["source_missing", "source_changed", "source_changed"]
    assert all(failed.recovery is Recovery.PERSON for failed in outcomes if isinstance(failed, Failed))
    assert names(tmp_path / "to") == ["good"]


@pytest.mark.parametrize("change", ["append", "truncate", "touch"])
async def test_a_source_written_to_while_it_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    item = make_item(tmp_path, "f", 300 * KIB)
    whole = os.copy_file_range

    def meddle(*arguments: int) -> int:
        done = whole(*arguments)
        if change == "touch":
            os.utime(item.source, ns=(1, 1))
        else:
            os.truncate(item.source, item.size + (1 if change == "append" else -200 * KIB))
        return done

    monkeypatch.setattr(os, "copy_file_range", meddle)
    assert code((await run(item))[0]) == "source_changed"
    assert not item.destination.exists()


async def test_room_is_looked_at_before_the_first_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [make_item(tmp_path, name, 600 * KIB) for name in ("a", "b")]
    monkeypatch.setattr(room, "measure_space", lambda _: Space(total=10**9, free=1_000_000))
    with pytest.raises(Retriable) as caught:
        await run(*items)
    assert caught.value.problem.code == "disk_full"
    assert "1228800 bytes" in caught.value.problem.reason
    assert "1000000 are free" in caught.value.problem.reason
    assert not (tmp_path / "to").exists()


async def test_a_reserve_stays_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    item = make_item(tmp_path, "a", 600 * KIB)
    monkeypatch.setattr(room, "measure_space", lambda _: Space(total=10**9, free=1_000_000))
    with pytest.raises(Retriable):
        await run(item, engine=LocalEngine(LocalSettings(reserve=500_000)))
    assert isinstance((await run(item, engine=LocalEngine(LocalSettings(reserve=300_000))))[0], Copied)


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_disk_that_fills_up_on_the_way(tmp_path: Path) -> None:
    item = make_item(tmp_path, "f", 300 * KIB)
    with file_size_limit(100 * KIB):
        outcome = (await run(item))[0]
    assert code(outcome) == "disk_full"
    assert isinstance(outcome, Failed)
    assert outcome.recovery is Recovery.RETRY
    assert not item.destination.exists()
    assert isinstance((await run(item))[0], Copied)
    assert same(item)


async def test_rate_is_never_exceeded_over_parallel_streams(tmp_path: Path) -> None:
    items = [make_item(tmp_path, f"f{index}", 500_000) for index in range(4)]
    engine = LocalEngine(LocalSettings(streams=4, chunk=256 * KIB))
    started = time.monotonic()
    await engine.transfer(items, progress=unheard, limit=RateLimit(1_000_000))
    assert time.monotonic() - started > 2.0 * 0.95


async def test_progress_is_told_seldom_and_ends_at_the_total(tmp_path: Path) -> None:
    item = make_item(tmp_path, "f", 300_000)
    told: list[Progress] = []
    await LocalEngine(SMALL).transfer([item], progress=told.append, limit=RateLimit(250_000))
    assert 2 <= len(told) <= 4
    assert [step.bytes_done for step in told] == sorted(step.bytes_done for step in told)
    assert (told[-1].bytes_done, told[-1].bytes_total) == (300_000, 300_000)
    assert told[0].eta_seconds is not None


async def test_cancel_stops_within_a_block_and_resumes(tmp_path: Path) -> None:
    item = make_item(tmp_path, "f", 6400 * KIB)
    cancel = Cancel()
    asyncio.get_running_loop().call_later(1.0, cancel.set)
    report = await LocalEngine(SMALL).transfer(
        [item], progress=unheard, limit=RateLimit(640 * KIB), cancel=cancel
    )
    assert [code(failed) for failed in report.failed] == ["transfer_cancelled"]
    assert report.failed[0].recovery is Recovery.RETRY
    resumed = (await run(item))[0]
    assert isinstance(resumed, Copied)
    assert 0 < resumed.bytes_moved < item.size
    assert same(item)


async def test_cancelling_the_task_leaves_no_thread_behind(tmp_path: Path) -> None:
    items = [make_item(tmp_path, f"f{index}", 640 * KIB) for index in range(6)]
    transfer = asyncio.create_task(
        LocalEngine(SMALL).transfer(items, progress=unheard, limit=RateLimit(32 * KIB))
    )
    await asyncio.sleep(0.3)
    transfer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(transfer, 10)  # the whole would take minutes
    held = open_files()
    await run(*items)
    assert all(map(same, items))
    assert open_files() <= held


async def test_a_later_transfer_takes_over_what_the_earlier_one_has_done(tmp_path: Path) -> None:
    item = make_item(tmp_path, "f", 640 * KIB)
    slow = asyncio.create_task(
        LocalEngine(SMALL).transfer([item], progress=unheard, limit=RateLimit(640 * KIB))
    )
    await some_chunks(item, 3)
    (outcome,) = await run(item)
    assert isinstance(outcome, Copied)
    assert outcome.bytes_moved <= item.size - 3 * SMALL.chunk
    with pytest.raises(ExceptionGroup) as overtaken:
        await slow
    assert overtaken.group_contains(Overtaken)
    assert same(item)
    assert names(item.destination.parent) == ["f"]


async def test_what_was_published_meanwhile_is_kept_if_it_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tries that have not seen each other: one of them gets the name."""
    item = make_item(tmp_path, "f", 640 * KIB)
    other = make_item(tmp_path, "g", 640 * KIB)
    publish = Try.publish

    def later(attempt: Try, final: Path, replacing: FileFacts | None = None) -> None:
        if final == item.destination:
            shutil.copy(item.source, item.destination)
        if final == other.destination:
            other.destination.write_bytes(b"something else")
        publish(attempt, final, replacing)

    monkeypatch.setattr(Try, "publish", later)
    assert await run(item) == (Copied(item, item.size),)
    assert same(item)
    (outcome,) = await run(other)
    assert code(outcome) == "destination_differs"
    assert other.destination.read_bytes() == b"something else"
    assert names(item.destination.parent) == ["f", "g"]


async def test_items_that_clash_are_refused(tmp_path: Path) -> None:
    item = make_item(tmp_path, "f", 1)
    with pytest.raises(UserError):
        await run(item, item)


async def test_a_corrupt_journal_starts_over(tmp_path: Path) -> None:
    item = make_item(tmp_path, "f", 640 * KIB)
    await stopped_half_way(item)
    (journal,) = item.destination.parent.glob(".f.*.partial.journal")
    journal.write_bytes(b"garbage" + journal.read_bytes())
    assert await run(item) == (Copied(item, item.size),)
    assert same(item)


async def test_a_replaced_source_starts_over(tmp_path: Path) -> None:
    item = make_item(tmp_path, "f", 640 * KIB)
    await stopped_half_way(item)
    again = make_item(tmp_path, "f", 640 * KIB)
    assert await run(again) == (Copied(again, again.size),)
    assert same(again)


async def test_without_marks_the_bytes_decide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: object, **__: object) -> bytes:
        raise OSError(errno.EOPNOTSUPP, "no attributes")

    monkeypatch.setattr(os, "setxattr", unsupported)
    monkeypatch.setattr(os, "getxattr", unsupported)
    item = make_item(tmp_path, "f", 100)
    await run(item)
    assert await run(item) == (AlreadyThere(item),)


async def test_a_failure_of_the_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> int:
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(os, "copy_file_range", broken)
    outcome = (await run(make_item(tmp_path, "f", 10)))[0]
    assert code(outcome) == "io_error"
    (left,) = names(tmp_path / "to")
    assert partials_among([left], "f") == [left]


async def test_sweep_takes_old_leftovers_only(tmp_path: Path) -> None:
    item = make_item(tmp_path, "f", 640 * KIB)
    await stopped_half_way(item)
    (tmp_path / "to" / "data.partial").write_bytes(b"not ours: no dot")
    assert await sweep(tmp_path / "to", timedelta(hours=1)) == Swept(0, 0)
    for leftover in (tmp_path / "to").iterdir():
        os.utime(leftover, (0, 0))
    assert (await sweep(tmp_path / "to", timedelta(hours=1))).files == 2
    assert names(tmp_path / "to") == ["data.partial"]


async def test_sweep_leaves_what_is_being_written(tmp_path: Path) -> None:
    item = make_item(tmp_path, "f", 640 * KIB)
    slow = asyncio.create_task(
        LocalEngine(SMALL).transfer([item], progress=unheard, limit=RateLimit(1_000_000))
    )
    await asyncio.sleep(0.2)
    assert await sweep(tmp_path / "to", timedelta(seconds=-60)) == Swept(0, 0)
    assert (await slow).outcomes == (Copied(item, item.size),)


async def stopped_half_way(item: TransferItem) -> None:
    cancel = Cancel()
    asyncio.get_running_loop().call_later(0.5, cancel.set)
    await LocalEngine(SMALL).transfer([item], progress=unheard, limit=RateLimit(640 * KIB), cancel=cancel)
    partial, journal = names(item.destination.parent)
    assert partials_among([partial], "f") == [partial]
    assert journal == f"{partial}.journal"


async def some_chunks(item: TransferItem, count: int) -> None:
    """Wait until so many chunks are journalled."""
    facts = item.source.stat()
    identity = SourceIdentity(item.size, facts.st_mtime_ns, facts.st_ino, SMALL.chunk, item.sha256)
    enough = len(encode_header(identity)) + count * len(encode_record(0))
    deadline = time.monotonic() + 20
    while not any(path.stat().st_size >= enough for path in item.destination.parent.glob(".f.*.journal")):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
