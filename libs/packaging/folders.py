"""Reaching a path below a root folder without ever leaving it: each part is opened by itself, no link followed."""

import errno
import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FOLDER_MODE = 0o755


class Missing(StrEnum):
    """What to do about folders on the way that are not there."""

    REFUSE = "refuse"
    """Raise FileNotFoundError."""

    CREATE = "create"
    """Create them with mode 0755."""


class Root:
    """A folder, and the handle of the last folder below it that was asked for.

    Only one handle is kept beside the root's, since paths come sorted and depth must not cost handles.

    Args:
        path: The root itself may be reached through links; nothing below it may.

    Raises:
        OSError: The root cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._parts: Sequence[str] = ()
        self._folder = self._root

    def parent_of(self, path: str, missing: Missing = Missing.REFUSE) -> tuple[int, str]:
        """The handle of the folder that holds a path's last part, and that part.

        The handle is valid until the next call.

        Raises:
            OSError: A part on the way is missing, a link, no folder, or may not be entered.
        """
        *parts, name = path.split("/")
        if parts != self._parts:
            self._go_to_root()
            for part in parts:
                self._enter(part, missing)
            self._parts = parts
        return self._folder, name

    def close(self) -> None:
        """Closes the handles."""
        self._go_to_root()
        os.close(self._root)

    def _enter(self, part: str, missing: Missing) -> None:
        try:
            below = os.open(part, _FOLDER, dir_fd=self._folder)
        except FileNotFoundError:
            if missing is Missing.REFUSE:
                raise
            below = self._create(part)
        self._leave()
        self._folder = below

    def _create(self, part: str) -> int:
        try:
            os.mkdir(part, FOLDER_MODE, dir_fd=self._folder)
        except FileExistsError:
            # Another package of the same observation was quicker: its folder serves as well.
            return os.open(part, _FOLDER, dir_fd=self._folder)
        below = os.open(part, _FOLDER, dir_fd=self._folder)
        os.fchmod(below, FOLDER_MODE)
        return below

    def _go_to_root(self) -> None:
        self._leave()
        self._folder, self._parts = self._root, ()

    def _leave(self) -> None:
        if self._folder != self._root:
            os.close(self._folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def is_no_entry(error: OSError) -> bool:
    """Whether the name is simply not there."""
    return error.errno == errno.ENOENT


def is_wrong_kind(error: OSError) -> bool:
    """Whether a link, or something that is no file or folder, stands on the way or at the end."""
    return error.errno in {errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO, errno.ENODEV}
