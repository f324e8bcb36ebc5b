"""Is a package in an archive still what was archived? Its bytes say so, not what the server says of them.

One pass gives the checksum of the package and that of every file in it: the first alone would be proof enough of a
whole copy, the others tell how much of a damaged one is left.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from io import BufferedReader
from typing import Any

from contracts.packages import PackageRecord
from contracts.problems import Problem
from libs.copies.examining import summed, told
from libs.copies.holdings import ArchivedCopy
from libs.errors import Permanent, Retriable
from libs.packaging import BagDamaged, InspectedBag, inspect_stream
from libs.storage.s3 import S3Store
from libs.transfer.ratelimit import RateLimit

OBJECT_MISSING = "archive_copy_missing"
"""The code of a copy that is not there, in a bucket that is."""
OBJECT_BROKEN = "archive_copy_broken"
"""The code of a copy of which the server says that it has lost a part of it."""
SIDECAR_MISSING = "sidecar_missing"
"""The code of a copy that is whole, but for the document beside it, which is not there."""
SIDECAR_DAMAGED = "sidecar_damaged"
"""The code of a copy that is whole, but for the document beside it, which does not tell of it."""
SIDECAR_FAULTS = frozenset({SIDECAR_MISSING, SIDECAR_DAMAGED})

REMEDY = "Nothing to do: it is written anew from another copy, if there is one."

_FORMAT = "chasqui-sidecar-"
_GONE = {"object_missing": OBJECT_MISSING, "object_broken": OBJECT_BROKEN}
_SIDECAR_LOST = {
    "object_missing": SIDECAR_MISSING,
    "object_broken": SIDECAR_DAMAGED,
    "checksum_mismatch": SIDECAR_DAMAGED,
}
MOST_SIDECAR = 1 << 20
"""Bytes; what is larger is no sidecar, and is not read into memory."""


async def examine_copy(
    store: S3Store,
    copy: ArchivedCopy,
    *,
    read: Callable[[int], None],
    limit: RateLimit | None = None,
) -> Problem | None:
    """Read an archive copy in full, and the document beside it; None if all is as it should be.

    Args:
        store: The archive.
        copy: What is on record of it.
        read: Hears the bytes read so far, in another thread.
        limit: How fast it is read at most; may be shared.

    Raises:
        Retriable: The archive cannot be read now, which says nothing of the copy.
    """
    problem = await examine_object(store, copy.copy.ref.path, copy.package, read=read, limit=limit)
    if problem is None and copy.sidecar_key is not None:
        return await examine_sidecar(store, copy.sidecar_key, copy.package)
    return problem


async def examine_object(
    store: S3Store,
    key: str,
    package: PackageRecord,
    *,
    read: Callable[[int], None],
    limit: RateLimit | None = None,
) -> Problem | None:
    """Read a package in an archive in full, again if it seems damaged; None if it is whole.

    What a disk has lost stays lost, in the same way, while a faulty way to it turns other bits each time.

    Args:
        store: The archive.
        key: The package's.
        package: As it was sealed.
        read: Hears the bytes read so far, in another thread.
        limit: How fast it is read at most; may be shared.

    Raises:
        Retriable: The archive cannot be read now, which says nothing of the copy.
    """
    if await store.head(key) is None:
        return Problem(code=OBJECT_MISSING, reason=f"{key} is not in its bucket", remedy=REMEDY)
    try:
        damage = await _damage(store, key, package, read, limit)
    except Permanent as lost:
        if lost.problem.code not in _GONE:
            raise
        return Problem(code=_GONE[lost.problem.code], reason=lost.problem.reason, remedy=REMEDY)
    if damage is None:
        return None
    try:
        again = await _damage(store, key, package, read, limit)
    except Permanent as lost:
        if lost.problem.code not in _GONE:
            raise
        again = damage  # a server that noticed it has taken the object away
    if again is None:
        return None
    if again.problems != damage.problems:
        raise misread(key, damage.problem.reason)
    return summed(told(again.problems, REMEDY))


def misread(what: str, found: str) -> Retriable:
    """The error for an object that was read twice, with other bytes each time: that says nothing of the object.

    Args:
        what: The object.
        found: What was wrong with what was read.
    """
    return Retriable(
        "archive_misread",
        f"{what} was read twice, with other bytes each time: {found}",
        "It is read again by itself. Have the network and the memory of this machine and the archive's examined.",
    )


async def examine_sidecar(store: S3Store, key: str, package: PackageRecord) -> Problem | None:
    """Look whether the document beside a package is there, and tells of it; None if it does.

    Raises:
        Retriable: The archive cannot be read now.
    """
    facts = await store.head(key)
    if facts is None:
        return Problem(code=SIDECAR_MISSING, reason=f"{key} is not in its bucket", remedy=REMEDY)
    if facts.size > MOST_SIDECAR:
        return Problem(code=SIDECAR_DAMAGED, reason=f"{key} has {facts.size} bytes", remedy=REMEDY)
    try:
        document = await store.get_json(key)
    except Permanent as lost:
        if lost.problem.code not in _SIDECAR_LOST:
            raise
        return Problem(code=_SIDECAR_LOST[lost.problem.code], reason=lost.problem.reason, remedy=REMEDY)
    if wrong := _misnamed(document, package):
        return Problem(code=SIDECAR_DAMAGED, reason=f"{key} says {wrong}", remedy=REMEDY)
    return None


def _misnamed(document: Any, package: PackageRecord) -> str:  # noqa: ANN401  JSON of any kind
    """What a document says that is not so of its package; nothing if it tells of it."""
    if not isinstance(document, dict) or not str(document.get("format", "")).startswith(_FORMAT):
        return "nothing that a sidecar says"
    wanted = {
        "package_id": str(package.package_id),
        "name": package.name,
        "size": package.size,
        "sha256": package.sha256,
    }
    wrong = [name for name, value in wanted.items() if document.get(name) != value]
    return ", ".join(f"{name} {document.get(name)!r}" for name in wrong)


async def _damage(
    store: S3Store,
    key: str,
    package: PackageRecord,
    read: Callable[[int], None],
    limit: RateLimit | None,
) -> BagDamaged | None:
    """What reading a package found wrong with it."""
    try:
        await _read(store, key, package, read, limit)
    except BagDamaged as damage:
        return damage
    return None


async def _read(
    store: S3Store,
    key: str,
    package: PackageRecord,
    read: Callable[[int], None],
    limit: RateLimit | None,
) -> InspectedBag:
    stop = threading.Event()
    reading: asyncio.Future[InspectedBag] | None = None
    try:
        async with store.open_reader(key) as reader:
            reading = asyncio.ensure_future(
                asyncio.to_thread(
                    inspect_stream,
                    Paced(reader, limit, stop, read),
                    expected_sha256=package.sha256,
                    expected_size=package.size,
                    cancelled=stop,
                )
            )
            return await asyncio.shield(reading)
    finally:
        # The reader is closed by now, so that a thread that waits for bytes wakes up and sees the signal.
        stop.set()
        if reading is not None:
            while not reading.done():
                with suppress(asyncio.CancelledError):  # said again; the thread was told, and is waited for
                    await asyncio.wait({reading})
            reading.exception()


class Paced:
    """A stream that is read no faster than a limit allows, in small pieces: the server sees a slow reader, no pauses.

    Args:
        stream: What is read.
        limit: May be shared with other streams; None for none.
        stop: Ends a pause.
        read: Hears the bytes read so far.
    """

    def __init__(
        self,
        stream: BufferedReader,
        limit: RateLimit | None,
        stop: threading.Event,
        read: Callable[[int], None],
    ) -> None:
        self._stream = stream
        self._limit = limit
        self._stop = stop
        self._read = read
        self._done = 0

    def read(self, size: int, /) -> bytes:
        """Up to so many bytes; none at the end only."""
        data = self._stream.read(self._room(size))
        self._took(len(data))
        return data

    def readinto(self, buffer: memoryview, /) -> int:
        """Fills the buffer from its start, as far as the limit allows at a time; 0 at the end only."""
        with buffer[: self._room(len(buffer))] as room:
            count = self._stream.readinto(room)
        self._took(count)
        return count

    def _room(self, size: int) -> int:
        return size if self._limit is None else self._limit.block_size(size)

    def _took(self, count: int) -> None:
        self._done += count
        self._read(self._done)
        if count and self._limit is not None:
            self._stop.wait(self._limit.reserve(count))
