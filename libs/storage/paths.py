"""Names from outside, kept below their root.

A relative name is canonical POSIX: components divided by single slashes, none of them empty, `.` or `..`.
Spaces, newlines, unicode and leading dashes are welcome; what no file system stores is refused.
"""

import os
from enum import Enum, auto
from pathlib import Path

from libs.errors import UserError

NAME_LIMIT = 255
"""Bytes of one component, as Linux file systems have it."""

PATH_LIMIT = 4095
"""Bytes of a whole path, without the closing NUL (PATH_MAX)."""


class SymlinkPolicy(Enum):
    """What a symbolic link in a name from outside means."""

    REFUSE = auto()
    """Any symbolic link below the root is refused, wherever it leads."""
    INSIDE = auto()
    """A symbolic link is followed as long as it leads to a place below the root."""


def split_relative(relative: str) -> tuple[str, ...]:
    """Check a relative POSIX name by its letters alone and return its components.

    Raises:
        UserError: `path_invalid`, `path_absolute` or `path_outside`.
    """
    if not relative or "\0" in relative:
        raise _invalid(relative, "it is empty or has a NUL byte")
    if relative.startswith("/"):
        raise UserError("path_absolute", f"{relative!r} is an absolute path", "Name it relative to its root.")
    parts = tuple(relative.split("/"))
    if ".." in parts:
        raise UserError("path_outside", f"{relative!r} climbs with '..'", "Name a path below the root.")
    if any(part in {"", "."} for part in parts):
        raise _invalid(relative, "a component is empty or '.'")
    _check_bytes(relative, parts)
    return parts


def resolve_inside(root: Path, relative: str, symlinks: SymlinkPolicy = SymlinkPolicy.REFUSE) -> Path:
    """Return the path that `relative` means below `root`; it need not exist.

    The answer holds for the moment it is given: who deletes, goes through `DiskStore.delete`, which
    holds each folder open while it looks.

    Args:
        root: The folder nothing may leave; symbolic links in the root itself are the operator's choice.
        relative: The name from outside.
        symlinks: Whether links below the root are refused or may lead to places below the root.

    Raises:
        UserError: `path_invalid`, `path_absolute`, `path_outside` or `path_symlink`.
    """
    target = root.joinpath(*split_relative(relative))
    if symlinks is SymlinkPolicy.REFUSE:
        _refuse_links(root, target, relative)
        return target
    real_root = Path(os.path.realpath(root))
    real = Path(os.path.realpath(target))
    if not real.is_relative_to(real_root):
        raise _symlink(relative, f"leads to {real}, which is outside {real_root}")
    return target


def _refuse_links(root: Path, target: Path, relative: str) -> None:
    step = root
    for part in target.relative_to(root).parts:
        step = step / part
        if step.is_symlink():
            raise _symlink(relative, f"passes the symbolic link {str(step.relative_to(root))!r}")


def _check_bytes(relative: str, parts: tuple[str, ...]) -> None:
    try:
        longest = max(len(part.encode()) for part in parts)
        whole = len(relative.encode())
    except UnicodeEncodeError:
        raise _invalid(relative, "it is not valid UTF-8") from None
    if longest > NAME_LIMIT or whole > PATH_LIMIT:
        raise _invalid(relative, f"it is longer than {NAME_LIMIT} bytes a component or {PATH_LIMIT} in all")


def _invalid(relative: str, why: str) -> UserError:
    return UserError("path_invalid", f"{relative[:200]!r} is no path: {why}", "Send a relative POSIX path.")


def _symlink(relative: str, what: str) -> UserError:
    return UserError("path_symlink", f"{relative!r} {what}", "File the real file, not a link to it.")
