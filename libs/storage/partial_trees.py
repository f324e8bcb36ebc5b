"""Folders that are not yet whole, by the rules of `libs.storage.partials`.

    .WHAT.HASH.NONCE.partial/payload    what one try has written, beside the folder that it is for

Several things may come into one folder (the packages of an observation): each has tries of its own, whose name says
which folder they are for. A try is ended by giving it another name and then removing it, so that it is gone at once:
whatever its process does when it wakes, nothing has the names any more under which it would move its files. Everything
here blocks.
"""

import errno
import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from libs.bus import fencing
from libs.bus.pulse import FLUSH_S, leave
from libs.storage.files import PARTIAL_SUFFIX
from libs.storage.partials import Attempt, lock, new_partial, tries_at, under_way

PAYLOAD = "payload"

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OWN_MODE, _MODE = 0o700, 0o755
_ROUNDS = 50
_ROUND_S = 0.02


class TreeTry(Attempt):
    """One try at what goes into a folder."""

    def __init__(self, path: Path, fd: int, final: Path) -> None:
        super().__init__(path, fd)
        self._final = final

    @classmethod
    def new(cls, what: str, destination: Path) -> "TreeTry":
        """Make and lock a folder under a name of its own, with an empty one for the files in it."""
        final = _final(what, destination)
        path = new_partial(final)
        path.mkdir(mode=_OWN_MODE)
        fd = os.open(path, _FOLDER)
        lock(fd)
        attempt = cls(path, fd, final)
        attempt.tree.mkdir()
        attempt.tree.chmod(_MODE)
        return attempt

    @property
    def tree(self) -> Path:
        """The folder for the files."""
        return self.path / PAYLOAD

    def discard(self) -> None:
        """Take the try's own name away, and all that has not found its place."""
        _end(self.path, self._final)


@contextmanager
def trying_tree(what: str, destination: Path) -> Iterator[TreeTry]:
    """Write a tree as the only one who does; nothing of it is left that was not moved to its place in the block.

    Args:
        what: The name of what is written, few and plain letters.
        destination: The folder that is to have it. The one above it is there.

    Raises:
        Overtaken: A successor may be, or is, at the same work. Whatever else went wrong then says nothing.
    """
    fencing.check()
    end_tree_tries(what, destination)
    with under_way(TreeTry.new(what, destination)) as attempt:
        yield attempt


def end_tree_tries(what: str, destination: Path) -> None:
    """End all tries to bring something into a folder: none of them will put anything there any more."""
    final = _final(what, destination)
    for path in tries_at(final):
        _end(path, final)


def tree_tries_among(names: list[str], destination: str) -> list[str]:
    """Those of a folder's names that belong to tries at whatever is to come into `destination` beside them."""
    belongs = re.compile(
        rf"\..+\.{_short(destination)}(\.[0-9a-f]{{16}})?{re.escape(PARTIAL_SUFFIX)}", re.DOTALL
    )
    return [name for name in names if belongs.fullmatch(name)]


def _end(path: Path, final: Path) -> None:
    ended = new_partial(final)
    with suppress(FileNotFoundError):  # another successor was faster
        path.rename(ended)
        with leave(FLUSH_S):
            _remove(ended)


def _remove(path: Path) -> None:
    """Remove a folder into which a process that has not noticed its end may write a little longer."""
    for _ in range(_ROUNDS):
        try:
            shutil.rmtree(path)
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.ENOENT}:
                raise
        if not os.path.lexists(path):
            return
        time.sleep(_ROUND_S)
    raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), str(path))


def _final(what: str, destination: Path) -> Path:
    return destination.with_name(f"{what}.{_short(destination.name)}")


def _short(name: str) -> str:
    """Tells destinations side by side apart, in few letters, since file names are limited to 255 bytes."""
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:8]
