"""One forward pass over a package: read once, hashed as a whole and file by file, and judged."""

import hashlib
import io
import os
import stat
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Protocol, runtime_checkable

from libs.bus.pulse import beat
from libs.errors import Retriable
from libs.packaging.checking import MAX_PROBLEMS, BagCheck
from libs.packaging.faults import BagDamaged, BagFault, BagProblem, CancelSignal, stop_if
from libs.packaging.judging import verdict
from libs.packaging.lanes import Block, Lanes, Ring, add_pieces
from libs.packaging.payload import InspectedBag, SealedFile
from libs.packaging.reading import LostTrackError, TarReader

READ_AHEAD = 2


class Readable(Protocol):
    """A stream of bytes that can only be read forward, such as the body of a download."""

    def read(self, size: int, /) -> bytes:
        """Up to so many bytes; none at the end only."""


@runtime_checkable
class ReadableInto(Protocol):
    """A stream that can fill a buffer without a copy."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fills the buffer from its start; 0 at the end only."""


class _Follower:
    """Reads blocks ahead, and hands each to the hash of the package, the tar reader, the hashes of files."""

    def __init__(self, stream: Readable, check: BagCheck, lanes: Lanes, limit: int | None) -> None:
        self._stream = stream
        self._check = check
        self._lanes = lanes
        self._limit = limit
        self._ring = Ring()
        self._ahead: deque[Block] = deque()
        self._digest = hashlib.sha256()
        self.size = 0

    def run(self, progress: Callable[[int], None] | None, cancelled: CancelSignal | None) -> None:
        """Follows the package to its end.

        Raises:
            LostTrackError: The tar cannot be followed that far, or is longer than it may be.
            PackagingCancelled: `cancelled` was set.
        """
        reader = TarReader(self._check)
        for view in self._blocks():
            stop_if(cancelled)
            beat()
            reader.feed(view)
            if progress is not None:
                progress(self.size)
        reader.finish()

    def sha256(self) -> str:
        """Of the whole package, hexadecimal."""
        return self._digest.hexdigest()

    def _blocks(self) -> Iterator[memoryview]:
        while True:
            while len(self._ahead) < READ_AHEAD:
                self._request()
            block = self._ahead.popleft()
            block.wait()
            view = block.view[: block.used]
            self._count(len(view))
            self._lanes.run("package", block, partial(self._digest.update, view))
            yield view
            self._lanes.run("files", block, partial(add_pieces, self._check.take_pieces()))
            self._ring.put_back(block)
            if len(view) < len(block.view):
                break
        self._ring.drain()

    def _request(self) -> None:
        block = self._ring.next()
        self._lanes.run("read", block, partial(_fill, self._stream, block))
        self._ahead.append(block)

    def _count(self, more: int) -> None:
        self.size += more
        if self._limit is not None and self.size > self._limit:
            raise LostTrackError(
                BagProblem(BagFault.PACKAGE_SIZE, "", f"more than the {self._limit} bytes that were sealed")
            )


def follow(
    stream: Readable,
    check: BagCheck,
    *,
    expected_sha256: str | None,
    expected_size: int | None,
    progress: Callable[[int], None] | None,
    cancelled: CancelSignal | None,
) -> InspectedBag:
    """Reads a package to its end and compares it with all that is known of it.

    Args:
        stream: The package from its first byte.
        check: What sorts its members.
        expected_sha256: Of the package, hexadecimal.
        expected_size: Of the package, bytes; no more than that is read.
        progress: Called in this thread with the bytes so far, after each block.
        cancelled: Looked at before each block.

    Raises:
        BagDamaged: With all problems found.
        PackagingCancelled: `cancelled` was set.
        Retriable: ``source_unavailable``: the stream broke off with an OSError.
    """
    with Lanes("read", "package", "files") as lanes:
        follower = _Follower(stream, check, lanes, expected_size)
        try:
            follower.run(progress, cancelled)
        except LostTrackError as lost:
            raise BagDamaged([*check.problems, lost.problem]) from lost
    problems = [
        *_judge_whole(follower, expected_sha256, expected_size),
        *check.problems,
        *islice(verdict(check.contents), MAX_PROBLEMS),
    ]
    if problems:
        raise BagDamaged(problems)
    return _inspected(check, follower)


def _judge_whole(
    follower: _Follower, expected_sha256: str | None, expected_size: int | None
) -> Iterator[BagProblem]:
    if expected_size is not None and follower.size != expected_size:
        yield BagProblem(BagFault.PACKAGE_SIZE, "", f"{follower.size} bytes, sealed with {expected_size}")
    found = follower.sha256()
    if expected_sha256 is not None and found != expected_sha256.lower():
        yield BagProblem(BagFault.PACKAGE_CHECKSUM, "", f"sha256 {found}, sealed with {expected_sha256}")


def _inspected(check: BagCheck, follower: _Follower) -> InspectedBag:
    contents = check.contents
    files = tuple(
        SealedFile(path, member.size, member.mtime_ns, member.digest.value.hex(), member.offset)
        for path, member in contents.payload.items()
    )
    return InspectedBag(
        name=contents.name,
        size=follower.size,
        sha256=follower.sha256(),
        file_count=len(files),
        payload_bytes=sum(file.size for file in files),
        files=files,
    )


def _fill(stream: Readable, block: Block) -> None:
    try:
        while block.used < len(block.view):
            count = _read_some(stream, block.view[block.used :])
            if not count:
                return
            block.used += count
    except OSError as error:
        raise Retriable(
            "source_unavailable",
            f"The package's stream broke off: {error.strerror or error}",
            "Read it again.",
        ) from error


def _read_some(stream: Readable, room: memoryview) -> int:
    if isinstance(stream, ReadableInto):
        return stream.readinto(room) or 0
    data = stream.read(len(room))
    room[: len(data)] = data
    return len(data)


class _PackageFile(io.FileIO):
    """A package on disk; what cannot be read of it is damage, not a passing fault."""

    def readinto(self, buffer: memoryview, /) -> int | None:  # type: ignore[override]  # narrower than Buffer
        """As FileIO.

        Raises:
            LostTrackError: The disk fails to hand out the bytes.
        """
        try:
            return super().readinto(buffer)
        except OSError as error:
            raise _unreadable(error.strerror or str(error)) from error


@contextmanager
def package_file(path: Path) -> Iterator[Readable]:
    """Opens a package on disk for one pass.

    Raises:
        BagDamaged: It is not there, no regular file, or may not be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise BagDamaged([_unreadable(error.strerror or str(error)).problem]) from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise BagDamaged([_unreadable("no regular file").problem])
    with _PackageFile(handle, closefd=True) as stream:
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_SEQUENTIAL)
        yield stream


def _unreadable(detail: str) -> LostTrackError:
    return LostTrackError(BagProblem(BagFault.PACKAGE_UNREADABLE, "", detail))
