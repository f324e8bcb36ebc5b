import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from libs.transfer.engine import AlreadyThere, Copied, Progress, TransferItem
from libs.transfer.journal import SourceIdentity, encode_header, encode_record
from libs.transfer.local import LocalEngine, LocalSettings

pytestmark = pytest.mark.integration

MIB = 1 << 20
SIZE = 64 * MIB + 12345
SETTINGS = LocalSettings(streams=2, chunk=2 * MIB, block=MIB)

MOVER = """
import asyncio, sys
from pathlib import Path
from libs.transfer.engine import TransferItem
from libs.transfer.local import LocalEngine, LocalSettings
from libs.transfer.ratelimit import RateLimit

source, destination, size, sha256 = sys.argv[1:]
item = TransferItem("x", Path(source), Path(destination), int(size), sha256)
engine = LocalEngine(LocalSettings(streams=2, chunk=2 << 20, block=1 << 20))
asyncio.run(engine.transfer([item], progress=print, limit=RateLimit(20 << 20)))
"""


def unheard(progress: Progress) -> None:
    del progress


def make_item(folder: Path) -> TransferItem:
    data = os.urandom(SIZE)
    source = folder / "source.tar"
    source.write_bytes(data)
    return TransferItem("x", source, folder / "buffer" / "x.tar", SIZE, hashlib.sha256(data).hexdigest())


def journal_length(item: TransferItem) -> int:
    return max((path.stat().st_size for path in item.destination.parent.glob(".x.tar.*.journal")), default=0)


def kill_in_the_middle(item: TransferItem) -> int:
    """Start a mover, kill it once a few chunks are journalled, and return how many were."""
    facts = item.source.stat()
    header = len(
        encode_header(SourceIdentity(SIZE, facts.st_mtime_ns, facts.st_ino, SETTINGS.chunk, item.sha256))
    )
    record = len(encode_record(0))
    arguments = [str(item.source), str(item.destination), str(item.size), item.sha256]
    with subprocess.Popen([sys.executable, "-c", MOVER, *arguments], stdout=subprocess.DEVNULL) as mover:
        deadline = time.monotonic() + 30
        while journal_length(item) < header + 3 * record and time.monotonic() < deadline:
            time.sleep(0.01)
        mover.send_signal(signal.SIGKILL)
        assert mover.wait() == -signal.SIGKILL
    return (journal_length(item) - header) // record


async def test_a_killed_transfer_goes_on_with_the_missing_chunks_only(tmp_path: Path) -> None:
    item = make_item(tmp_path)
    done = kill_in_the_middle(item)
    assert done >= 3
    assert not item.destination.exists()
    told: list[Progress] = []
    report = await LocalEngine(SETTINGS).transfer([item], progress=told.append)
    assert report.outcomes == (Copied(item, SIZE - done * SETTINGS.chunk),)
    assert told[-1].bytes_done == SIZE
    assert hashlib.sha256(item.destination.read_bytes()).hexdigest() == item.sha256
    assert [path.name for path in item.destination.parent.iterdir()] == ["x.tar"]
    again = await LocalEngine(SETTINGS).transfer([item], progress=unheard)
    assert again.outcomes == (AlreadyThere(item),)


async def test_between_two_file_systems(tmp_path: Path) -> None:
    item = make_item(tmp_path)
    other = Path("/dev/shm") / f"chasqui-{os.getpid()}-{tmp_path.name}"
    away = TransferItem("x", item.source, other / "x.tar", SIZE, item.sha256)
    try:
        report = await LocalEngine(SETTINGS).transfer([away], progress=unheard)
        assert report.outcomes == (Copied(away, SIZE),)
        assert hashlib.sha256(away.destination.read_bytes()).hexdigest() == item.sha256
    finally:
        for path in other.iterdir():
            path.unlink()
        other.rmdir()
