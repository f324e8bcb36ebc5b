"""A destination while it grows: the partial file, locked, with its journal. Everything here blocks."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from libs.bus.pulse import FLUSH_S, leave
from libs.errors import Retriable
from libs.storage.files import sync_folder
from libs.transfer.journal import (
    SourceIdentity,
    decode,
    encode_header,
    encode_record,
    journal_path,
    partial_path,
    whole_length,
)

_OPEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_MODE = 0o644


class Partial:
    """A growing file that belongs to this process until it is closed.

    Attributes:
        fd: The file, of full length, to be written at any offset from any thread.
        done: Chunks that were there when it was opened.

    Raises:
        Retriable: `transfer_in_progress` when another process or transfer works on it.
    """

    def __init__(self, destination: Path, identity: SourceIdentity, chunks: int) -> None:
        self._destination = destination
        self._path = partial_path(destination)
        self._journal_path = journal_path(self._path)
        self._journal: int | None = None
        self.done: frozenset[int] = frozenset()
        self.fd = _open_locked(self._path)
        try:
            self._resume_or_start(identity, chunks)
        except BaseException:
            self.close()
            raise

    def record(self, index: int) -> None:
        """Sync the file, then note that this chunk is there."""
        if self._journal is not None:
            with leave(FLUSH_S):
                os.fdatasync(self.fd)
            os.write(self._journal, encode_record(index))

    def publish(self) -> None:
        """Sync the whole file and give it its final name; the journal goes last."""
        with leave(FLUSH_S):
            os.fsync(self.fd)
        self._path.rename(self._destination)
        sync_folder(self._destination.parent)
        self._drop_journal()

    def discard(self) -> None:
        """Remove the file and its journal: what was copied is of no use."""
        self._drop_journal()
        with suppress(FileNotFoundError):
            self._path.unlink()

    def close(self) -> None:
        """Let go of the file; what is journalled stays for the next try."""
        if self._journal is not None:
            os.close(self._journal)
            self._journal = None
        os.close(self.fd)

    def _resume_or_start(self, identity: SourceIdentity, chunks: int) -> None:
        whole = os.fstat(self.fd).st_size == identity.size
        kept = _read(self._journal_path) if whole and chunks > 1 else b""
        done = decode(kept, identity, chunks)
        if done is None:
            self._drop_journal()
            os.ftruncate(self.fd, 0)
        os.ftruncate(self.fd, identity.size)
        if chunks > 1:
            self._open_journal(identity, done)
        self.done = done or frozenset()

    def _open_journal(self, identity: SourceIdentity, done: frozenset[int] | None) -> None:
        """Begin a journal, or go on with an old one behind its last whole record."""
        self._journal = os.open(self._journal_path, _OPEN | os.O_APPEND, _MODE)
        if done is None:
            os.ftruncate(self._journal, 0)
            os.write(self._journal, encode_header(identity))
        else:
            os.ftruncate(self._journal, whole_length(os.fstat(self._journal).st_size, identity))

    def _drop_journal(self) -> None:
        with suppress(FileNotFoundError):
            self._journal_path.unlink()


def lock(fd: int) -> bool:
    """Try to lock an open file for this process; return whether it worked. A kill or close frees it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _open_locked(path: Path) -> int:
    """Open and lock; again when the file was published or swept between the two."""
    while True:
        fd = os.open(path, _OPEN, _MODE)
        if not lock(fd):
            os.close(fd)
            raise Retriable(
                "transfer_in_progress", f"{path} is being written by another transfer", "Wait until it ends."
            )
        with suppress(FileNotFoundError):
            named = path.stat()
            held = os.fstat(fd)
            if (named.st_ino, named.st_dev) == (held.st_ino, held.st_dev):
                return fd
        os.close(fd)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
