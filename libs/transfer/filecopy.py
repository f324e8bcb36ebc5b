"""One file on its way: from the first look at both ends to the final name. Everything here blocks.

Why an existing destination is trusted on its mark: a file gets its final name only when it is whole and
synced, and just before that it is marked (extended attribute) with the expected SHA-256, its size and its
time of change. A file with a fitting mark was therefore whole, meant to be this content, and not written to
since. Whether its bytes are right is seen by the verifier, who reads all of them anyway and asks for a
damaged one again with `Existing.REPLACE`. Without a mark (another tool, a file system without attributes)
the bytes themselves are hashed.

Who was paused and overtaken gives nothing a name any more (`libs.storage.partials`): neither while the successor is
at work nor when the file has long been verified, archived and cleared.
"""

import os
import stat
import threading
from contextlib import suppress
from dataclasses import replace

from libs.bus import fencing
from libs.bus.pulse import FLUSH_S, leave
from libs.errors import Permanent, Retriable
from libs.storage.exactly import facts_of
from libs.storage.files import make_folders, sha256_file, source_missing
from libs.storage.partials import end_tries
from libs.transfer.copying import Pace, RangeCopier
from libs.transfer.engine import Cancel, Existing, TransferItem
from libs.transfer.journal import SourceIdentity
from libs.transfer.partial import CopyChunk, begin

MARK = "user.chasqui.copied"


def is_there(item: TransferItem, pace: Pace) -> bool:
    """Whether the destination already holds the expected file.

    Raises:
        Permanent: `destination_differs`.
    """
    if item.existing is Existing.REPLACE:
        return False
    try:
        found = item.destination.lstat()
    except FileNotFoundError:
        return False
    if stat.S_ISREG(found.st_mode) and found.st_size == item.size and _fits(item, found, pace):
        fencing.check()
        end_tries(item.destination)  # a kill before the tidying up leaves something behind
        return True
    raise Permanent(
        "destination_differs",
        f"{item.destination} is there with {found.st_size} bytes and is not the expected file",
        "Find out what it is and move it away; nothing was overwritten.",
    )


class FileCopy:
    """A source and its growing destination, held open. Chunks may be copied side by side.

    Attributes:
        item: What is copied.
        missing: Chunks still to copy.
        kept: Bytes that earlier tries had copied.

    Raises:
        Permanent: `source_missing`, `source_changed`.
        Overtaken: A later try is at work, or may be.
    """

    def __init__(self, item: TransferItem, chunk_size: int, pace: Pace) -> None:
        self.item = item
        self._replacing = facts_of(item.destination) if item.existing is Existing.REPLACE else None
        self._chunk = chunk_size
        self._stop = Cancel()
        self._users = 0
        self._idle = threading.Condition()
        self._source = _open_source(item)
        try:
            self._identity = _identity(item, os.fstat(self._source), chunk_size)
            chunks = -(-item.size // chunk_size)
            make_folders(item.destination.parent)
            self._partial = begin(item.destination, self._identity, chunks, self._copied_by(pace))
        except BaseException:
            os.close(self._source)
            raise
        self._copier = RangeCopier(self._source, self._partial.fd)
        self.missing = tuple(index for index in range(chunks) if index not in self._partial.done)
        self.kept = sum(self._length(index) for index in self._partial.done)

    @property
    def stop(self) -> Cancel:
        """Ends the copying of this file within one block."""
        return self._stop

    def copy_chunk(self, index: int, pace: Pace) -> int:
        """Copy one chunk, sync and journal it; return its bytes. A sibling's failure stops it."""
        with self._idle:
            pace.check()
            self._partial.check()
            self._users += 1
        try:
            self._copier.copy(index * self._chunk, self._length(index), pace)
            self._partial.record(index)
        except BaseException:
            self._stop.set()
            raise
        finally:
            with self._idle:
                self._users -= 1
                self._idle.notify_all()
        return self._length(index)

    def finish(self, pace: Pace) -> None:
        """Make sure that the source stood still, then mark, sync and name the destination.

        If something has the name by now, it must be the expected file.

        Raises:
            Permanent: `source_changed`, `destination_differs`; what was copied is dropped.
            Retriable: `destination_changed`.
            Overtaken: A later try is at work, or has done it.
        """
        try:
            _identity(self.item, os.fstat(self._source), self._chunk, self._identity)
        except Permanent:
            self._partial.discard()
            raise
        with leave(FLUSH_S):
            os.fsync(self._partial.fd)
        _mark(self._partial.fd, self.item)
        try:
            self._partial.publish(self._replacing)
        except FileExistsError as error:
            self._partial.discard()
            if not is_there(replace(self.item, existing=Existing.KEEP), pace):
                raise Retriable(
                    "destination_changed",
                    f"something stood at {self.item.destination} a moment ago",
                    "It is looked at again by itself.",
                ) from error

    def close(self) -> None:
        """Wait until no chunk is being copied, then let go of both files."""
        with self._idle:
            self._stop.set()
            self._idle.wait_for(lambda: self._users == 0)
        self._partial.close()
        os.close(self._source)

    def _copied_by(self, pace: Pace) -> CopyChunk:
        """Copies chunks at the destination: neither the limit of the way nor its figures are concerned."""
        unlimited = replace(pace, limit=None, moved=lambda _: None)

        def copy(origin: int, target: int, index: int) -> None:
            RangeCopier(origin, target).copy(index * self._chunk, self._length(index), unlimited)

        return copy

    def _length(self, index: int) -> int:
        return min(self._chunk, self.item.size - index * self._chunk)


def _open_source(item: TransferItem) -> int:
    try:
        return os.open(item.source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise source_missing(item.source) from error


def _identity(
    item: TransferItem, facts: os.stat_result, chunk: int, before: SourceIdentity | None = None
) -> SourceIdentity:
    now = SourceIdentity(facts.st_size, facts.st_mtime_ns, facts.st_ino, chunk, item.sha256)
    if (
        not stat.S_ISREG(facts.st_mode)
        or facts.st_size != item.size
        or (before is not None and now != before)
    ):
        raise Permanent(
            "source_changed",
            f"{item.source} has {facts.st_size} bytes (expected {item.size}) or was written to while it was copied",
            "Find out who writes to it; seal it again.",
        )
    return now


def _fits(item: TransferItem, found: os.stat_result, pace: Pace) -> bool:
    try:
        mark = os.getxattr(item.destination, MARK, follow_symlinks=False)
    except OSError:  # no mark, or no attributes on this file system: the bytes decide
        mark = b""
    if mark == _mark_of(item, found):
        return True
    return sha256_file(item.destination, lambda _: pace.check()) == item.sha256


def _mark(fd: int, item: TransferItem) -> None:
    with suppress(OSError):  # a file system without attributes: a later look hashes the bytes instead
        os.setxattr(fd, MARK, _mark_of(item, os.fstat(fd)))


def _mark_of(item: TransferItem, facts: os.stat_result) -> bytes:
    return f"{item.sha256} {facts.st_size} {facts.st_mtime_ns}".encode()
