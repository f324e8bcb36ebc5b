"""A destination while it grows: one try's file with its journal, going on from earlier tries. Everything here blocks.

How a successor takes over, besides what `libs.storage.partials` says of every try:
    - What a dead process has left is taken over as it is, under the successor's own name.
    - A paused process may write to its file at any time: what it has journalled is copied from there, on the
      destination's own file system, and the file is left to it, nameless.
    - Where the file system does not lock between machines, a paused process of another one counts as dead. It may
      then write into the successor's file: the same bytes at the same places, of the same source.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from libs.bus import fencing
from libs.bus.pulse import FLUSH_S, leave
from libs.storage.exactly import FileFacts
from libs.storage.partials import Try, end_tries, journal_of, lock, new_partial, tries_at
from libs.transfer.journal import SourceIdentity, decode, encode_header, encode_record, whole_length

_OLD = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
_JOURNAL = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_APPEND
_MODE = 0o644

CopyChunk = Callable[[int, int, int], None]
"""Copies the chunk with an index from one open file to another."""


class Partial:
    """A growing file of this try's own; made by `begin`.

    Attributes:
        fd: The file, of full length, to be written at any offset from any thread.
        done: Chunks that are there.
    """

    def __init__(self, destination: Path, attempt: Try, journal: int | None, done: frozenset[int]) -> None:
        self._destination = destination
        self._try = attempt
        self._journal = journal
        self.fd = attempt.fd
        self.done = done

    def check(self) -> None:
        """Go on only while no successor has taken over.

        Raises:
            Overtaken: One has.
        """
        self._try.check()

    def record(self, index: int) -> None:
        """Sync the file, then note that this chunk is there."""
        if self._journal is not None:
            with leave(FLUSH_S):
                os.fdatasync(self.fd)
            os.write(self._journal, encode_record(index))

    def publish(self, replacing: FileFacts | None) -> None:
        """Sync the whole file and give it its final name; the journal goes last.

        Raises:
            FileExistsError: Something has the name, and is not what may be replaced.
            Overtaken: A successor has taken over.
        """
        self._try.publish(self._destination, replacing)
        self._drop_journal()

    def discard(self) -> None:
        """Remove the file and its journal: what was copied is of no use."""
        self._drop_journal()
        self._try.discard()

    def close(self) -> None:
        """Let go of the file; what is journalled stays for the next try."""
        if self._journal is not None:
            os.close(self._journal)
            self._journal = None
        self._try.close()

    def _drop_journal(self) -> None:
        journal_of(self._try.path).unlink(missing_ok=True)


def begin(destination: Path, identity: SourceIdentity, chunks: int, copy_chunk: CopyChunk) -> Partial:
    """End all earlier tries and begin one, with the chunks that they have done.

    Args:
        destination: What it becomes.
        identity: What is copied, and how it is cut.
        chunks: Into how many.
        copy_chunk: For the chunks of a paused process.

    Raises:
        Overtaken: A later try is at work, or may be.
    """
    fencing.check()
    with _earlier(destination, identity, chunks) as earlier:
        own = _taken_over(destination, [one for one in earlier if one.dead])
        end_tries(destination, own.path if own else None)
        attempt = Try(own.path, os.dup(own.fd)) if own else Try.new(destination)
        try:
            fencing.check()
            partial = _opened(
                destination, attempt, identity, own.done if own else None, journalled=chunks > 1
            )
        except BaseException:
            attempt.close()
            raise
        try:
            _copy_missing(partial, earlier, copy_chunk)
        except BaseException:
            partial.close()
            raise
    return partial


@dataclass(frozen=True, slots=True)
class _Earlier:
    """An earlier try whose journal counts.

    Attributes:
        fd: Its file, open.
        dead: Whether nobody else is at it: it is locked by us.
    """

    path: Path
    fd: int
    done: frozenset[int]
    dead: bool


@contextmanager
def _earlier(destination: Path, identity: SourceIdentity, chunks: int) -> Iterator[list[_Earlier]]:
    """Earlier tries that have done something, those that have done most first; their files are open in the block."""
    found = []
    try:
        for path in tries_at(destination) if chunks > 1 else ():
            with suppress(FileNotFoundError):
                fd = os.open(path, _OLD)
                found.append(_Earlier(path, fd, _vouched(path, fd, identity, chunks), lock(fd)))
        yield sorted((one for one in found if one.done), key=lambda one: -len(one.done))
    finally:
        for one in found:
            os.close(one.fd)


def _vouched(path: Path, fd: int, identity: SourceIdentity, chunks: int) -> frozenset[int]:
    if os.fstat(fd).st_size != identity.size:
        return frozenset()
    try:
        return decode(journal_of(path).read_bytes(), identity, chunks) or frozenset()
    except FileNotFoundError:
        return frozenset()


def _taken_over(destination: Path, dead: list[_Earlier]) -> _Earlier | None:
    """The dead try that has done most, under a new name; another successor may be faster, and then ends this one."""
    for one in dead:
        path = new_partial(destination)
        with suppress(FileNotFoundError):
            journal_of(one.path).rename(journal_of(path))
            one.path.rename(path)
            return _Earlier(path, one.fd, one.done, dead=True)
    return None


def _opened(
    destination: Path,
    attempt: Try,
    identity: SourceIdentity,
    done: frozenset[int] | None,
    *,
    journalled: bool,
) -> Partial:
    """With its full length, and its journal behind the last whole record."""
    os.ftruncate(attempt.fd, identity.size)
    if not journalled:
        return Partial(destination, attempt, None, frozenset())
    journal = os.open(journal_of(attempt.path), _JOURNAL, _MODE)
    if done is None:
        os.write(journal, encode_header(identity))
    else:
        os.ftruncate(journal, whole_length(os.fstat(journal).st_size, identity))
    return Partial(destination, attempt, journal, done or frozenset())


def _copy_missing(partial: Partial, earlier: list[_Earlier], copy_chunk: CopyChunk) -> None:
    for one in earlier:
        for index in sorted(one.done - partial.done):
            copy_chunk(one.fd, partial.fd, index)
            partial.record(index)
            partial.done |= {index}
