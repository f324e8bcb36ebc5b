"""Taking away exactly the file that was looked at, whoever puts another one in its place meanwhile.

Invariants:
    1. A file loses its name only by `take`, which gives it a name of its own and then compares: what is taken is the
       file that was looked at, or it is given its name back. Nothing is ever replaced.
    2. Killed in between, it stands aside as ``.NAME.NONCE.chasqui-deleting``, and gets its name back by whoever deletes
       in that folder next (`give_back`). If that was not dead but slow, it takes the file again: after the deed it
       looks whether the file is back. One whose name another file has by then stays aside, for a person to see.
    3. A file that took the other's place after the last look is not found under its name while the two are compared:
       for microseconds, or until the next deletion in its folder if that was the very moment of a pause.
"""

import os
import re
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from libs.storage.paths import NAME_LIMIT

_ASIDE = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{16}\.chasqui-deleting", re.DOTALL)


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a file looks like without reading it: bytes, last change (ns since 1970), inode and device."""

    size: int
    mtime_ns: int
    inode: int
    device: int

    @classmethod
    def of(cls, found: os.stat_result) -> "FileFacts":
        """From what the system says of it."""
        return cls(found.st_size, found.st_mtime_ns, found.st_ino, found.st_dev)


def facts_of(path: Path) -> FileFacts | None:
    """The facts of a file itself, never of what a link points to; None when it is not there; blocking."""
    try:
        return FileFacts.of(path.lstat())
    except (FileNotFoundError, NotADirectoryError):
        return None


def remove(folder: int, name: str, exactly: FileFacts) -> bool:
    """Delete a file if it is the very one; returns whether it was there. Blocking.

    Args:
        folder: An open folder.
        name: In it.
        exactly: The file that may go.
    """
    removed = False
    while (aside := take(folder, name, exactly)) is not None:
        with suppress(FileNotFoundError):  # given back meanwhile: it is taken again
            os.unlink(aside, dir_fd=folder)
        removed = True
    return removed


def take(folder: int, name: str, exactly: FileFacts) -> str | None:
    """Give a file another name in its folder if it is the very one; None if it is not."""
    aside = f".{name}.{secrets.token_hex(8)}.chasqui-deleting"
    while _facts_at(folder, name) == exactly:
        if len(os.fsencode(aside)) > NAME_LIMIT:
            # No room for another name: the last look was a moment ago, and that must do.
            return name
        try:
            os.rename(name, aside, src_dir_fd=folder, dst_dir_fd=folder)
        except FileNotFoundError:
            return None
        taken = _facts_at(folder, aside)
        if taken == exactly:
            return aside
        if taken is not None:
            _give_back(folder, aside, name)
            return None
        # Somebody who deletes in this folder, too, has given it its name back: it is taken again.
    return None


def give_back(folder: int) -> int:
    """Give files that a killed process has taken aside in a folder their names back; returns how many."""
    found = [(entry, match["name"]) for entry in os.listdir(folder) if (match := _ASIDE.fullmatch(entry))]
    for aside, name in found:
        _give_back(folder, aside, name)
    return len(found)


def _give_back(folder: int, aside: str, name: str) -> None:
    with suppress(FileNotFoundError):
        try:
            # A link, unlike a rename, replaces nothing.
            os.link(aside, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        except FileExistsError:
            if _facts_at(folder, name) != _facts_at(folder, aside):
                return
        os.unlink(aside, dir_fd=folder)


def _facts_at(folder: int, name: str) -> FileFacts | None:
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return FileFacts.of(found) if stat.S_ISREG(found.st_mode) else None
