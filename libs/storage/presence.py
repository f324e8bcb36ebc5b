"""Telling a file that is gone from a disk that is away: only the first may ever be held against a copy."""

from pathlib import Path

from libs.errors import Retriable
from libs.storage.paths import split_relative


def require_location(root: Path, relative: str | None = None) -> None:
    """Make sure that a location on disk is there; blocking.

    An unmounted disk leaves an empty folder behind, or a stale handle. So a location that is said to hold
    `relative` counts as away, too, when it lacks even the topmost folder of that path.

    Args:
        root: The location's folder.
        relative: What somebody wrote there.

    Raises:
        Retriable: `location_missing`.
        UserError: `relative` is no path below the root.
    """
    folders = [root]
    if relative is not None:
        folders += [root / part for part in split_relative(relative)[:-1][:1]]
    for folder in folders:
        try:
            there = folder.is_dir()
        except OSError as error:
            raise _away(root, str(error)) from error
        if not there:
            raise _away(root, f"{folder} is not there")


def _away(root: Path, what: str) -> Retriable:
    return Retriable(
        "location_missing",
        f"the location {root} cannot be used: {what}",
        "Mount the location or correct its path; the work goes on by itself.",
    )
