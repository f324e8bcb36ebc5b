"""Files that are not yet whole. Each try at one has a file of its own, which its successors end.

`libs.transfer.partial` goes on where an earlier try ended, and `libs.storage.partial_trees` does the same for folders.

    .NAME.NONCE.partial            what one try has written
    .NAME.NONCE.partial.journal    what of that is there, where a later try may go on (`libs.transfer`)

Invariants:
    1. A try begins by ending all others of the same file (their names go), then makes its own, then asks whether it
       may (`libs.bus.fencing`). So whoever began before a successor was ended by it, and whoever begins after one has
       lost its claim, and stops.
    2. The final name is given by a link, which needs the try's own name and replaces nothing: of several tries one
       gets it. Who was paused and overtaken finds its own name gone, and knows. A damaged file is replaced by a
       rename, which needs the try's own name as well.
    3. Whoever clears a file ends its tries first: none of them can bring it back afterwards.
    4. A try is locked by the process that is at it, dead or not ended: what is not locked is a leftover.

Where the file system knows no links, the final name is given by a rename after a look: a try that is paused between
the two would replace a file of the same content. Everything here blocks.
"""

import errno
import fcntl
import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from libs.bus import fencing
from libs.bus.fencing import overtaken
from libs.bus.pulse import FLUSH_S, leave
from libs.storage.exactly import FileFacts, facts_of
from libs.storage.files import PARTIAL_SUFFIX, full_or, make_folders, sync_folder, write_all
from libs.storage.paths import NAME_LIMIT

JOURNAL_SUFFIX = ".journal"

_ADDED = len(f"..{'0' * 16}{PARTIAL_SUFFIX}{JOURNAL_SUFFIX}")
_OWN_NAME = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_MODE = 0o644


def new_partial(final: Path) -> Path:
    """A name for a try at a file, which no other try has."""
    return final.with_name(f".{_stem(final.name)}.{secrets.token_hex(8)}{PARTIAL_SUFFIX}")


def journal_of(partial: Path) -> Path:
    """The journal of a try."""
    return partial.with_name(partial.name + JOURNAL_SUFFIX)


def tries_at(final: Path) -> list[Path]:
    """What tries at a file have left or are writing, journals not included. A folder that is not there has none."""
    names = partials_among(_names(final.parent), final.name)
    return [final.with_name(name) for name in names if name.endswith(PARTIAL_SUFFIX)]


def partials_among(names: list[str], final: str) -> list[str]:
    """Those of a folder's names that belong to tries at a file, journals included; also of versions before nonces."""
    belongs = re.compile(
        rf"\.{re.escape(_stem(final))}(\.[0-9a-f]{{16}})?{re.escape(PARTIAL_SUFFIX)}({re.escape(JOURNAL_SUFFIX)})?"
    )
    return [name for name in names if belongs.fullmatch(name)]


def end_tries(final: Path, but: Path | None = None) -> None:
    """End all tries at a file: none of them will give it its name.

    Args:
        final: The file.
        but: The one that goes on.
    """
    kept = set() if but is None else {but, journal_of(but)}
    for path in {final.with_name(name) for name in partials_among(_names(final.parent), final.name)} - kept:
        path.unlink(missing_ok=True)


def lock(fd: int) -> bool:
    """Try to lock an open file for this process; return whether it worked. A kill or close frees it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Attempt:
    """What a try has of its own, open and locked.

    Attributes:
        path: The try's own name.
        fd: What has it.
    """

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.fd = fd

    def check(self) -> None:
        """Go on only while no successor has ended this try.

        Raises:
            Overtaken: One has.
        """
        try:
            named = self.path.lstat()
        except FileNotFoundError:
            raise overtaken(f"{self.path.name} was taken away") from None
        if not os.path.samestat(named, os.fstat(self.fd)):
            raise overtaken(f"{self.path.name} is another's")

    def discard(self) -> None:
        """Take the try's own name away."""
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of what has it."""
        os.close(self.fd)


class Try(Attempt):
    """One try at a file, its own one open to be written."""

    @classmethod
    def new(cls, final: Path) -> "Try":
        """Make and lock an empty file under a name of its own."""
        path = new_partial(final)
        fd = os.open(path, os.O_RDWR | _OWN_NAME, _MODE)
        lock(fd)
        return cls(path, fd)

    def publish(self, final: Path, replacing: FileFacts | None = None) -> None:
        """Sync the file and give it its final name.

        Args:
            final: The name.
            replacing: The file that may be replaced if it has the name.

        Raises:
            FileExistsError: Something else has it.
            Overtaken: A successor has ended this try.
        """
        with leave(FLUSH_S):
            os.fsync(self.fd)
        try:
            if replacing is not None and facts_of(final) == replacing:
                self.path.rename(final)
            else:
                _name(self.path, final)
        except FileNotFoundError:
            raise overtaken(f"{self.path.name} was taken away") from None
        self.path.unlink(missing_ok=True)
        sync_folder(final.parent)


@contextmanager
def trying(final: Path) -> Iterator[Try]:
    """Write a file as the only one who does; nothing of it is left unless it was published in the block.

    Raises:
        Overtaken: A successor may be, or is, at the same work. Whatever else went wrong then says nothing.
    """
    fencing.check()
    end_tries(final)
    with under_way(Try.new(final)) as attempt:
        yield attempt


A = TypeVar("A", bound=Attempt)


@contextmanager
def under_way(attempt: A) -> Iterator[A]:
    """Go on with a try that was just begun, if that may be, and take away what it has at the end.

    Raises:
        Overtaken: A successor may be, or is, at the same work. Whatever else went wrong then says nothing.
    """
    try:
        fencing.check()
        yield attempt
    except Exception:
        attempt.check()
        raise
    finally:
        attempt.discard()
        attempt.close()


def write_whole(final: Path, data: bytes) -> None:
    """Give a file this content, whatever it had, as the only one who does; it has the old one or the new one, whole.

    Raises:
        Retriable: ``disk_full``.
        Overtaken: A successor may be, or is, at the same work.
    """
    make_folders(final.parent)
    try:
        with trying(final) as attempt:
            write_all(attempt.fd, memoryview(data))
            attempt.publish(final, replacing=facts_of(final))
    except FileExistsError as error:
        raise overtaken(f"{final.name} was written by somebody else") from error
    except OSError as error:
        raise full_or(error, final) from error


def _name(partial: Path, final: Path) -> None:
    try:
        final.hardlink_to(partial)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(final):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(final)) from error
        partial.rename(final)


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _stem(name: str) -> str:
    """A file's name, or its hash where there would be no room for what is added to it."""
    if len(os.fsencode(name)) + _ADDED <= NAME_LIMIT:
        return name
    return hashlib.sha256(os.fsencode(name)).hexdigest()
