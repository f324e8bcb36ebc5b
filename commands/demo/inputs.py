"""The folder that the demo's instrument writes: which files, grouped into which observations."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from libs.errors import UserError
from libs.storage.walk import FoundFile, Oddity, scan_tree

LONGEST_PATH = 3500
"""Leaves room for the site's folders within what the kernel takes as a path."""


@dataclass(frozen=True, slots=True)
class Observation:
    """Files that are filed together: those below one top-level folder, or those beside the folders."""

    name: str
    files: tuple[FoundFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What was found in a folder.

    Attributes:
        skipped: Entries that cannot be filed: links, sockets, unreadable files and the like.
    """

    folder: Path
    observations: tuple[Observation, ...]
    skipped: tuple[Oddity, ...]

    @property
    def files(self) -> tuple[FoundFile, ...]:
        """Every file, in the order of the observations."""
        return tuple(file for observation in self.observations for file in observation.files)


def read_inputs(folder: Path) -> Inputs:
    """Look through a folder; blocking.

    Raises:
        UserError: ``no_input``: there is no such folder, or no file in it.
    """
    if not folder.is_dir():
        raise UserError("no_input", f"{folder} is no folder", "Name a folder with --input.")
    files: list[FoundFile] = []
    skipped: list[Oddity] = []
    for batch in scan_tree(folder, 1000):
        skipped += batch.oddities
        for file in batch.files:
            if len(file.path.encode()) > LONGEST_PATH:
                skipped.append(
                    Oddity(file.path, "path_too_long", f"its path is longer than {LONGEST_PATH} bytes")
                )
            else:
                files.append(file)
    if not files:
        raise UserError("no_input", f"there is no file in {folder}", "Name a folder with files with --input.")
    return Inputs(folder, group(files, folder.name), tuple(sorted(skipped, key=lambda odd: odd.path)))


def group(files: Iterable[FoundFile], loose: str) -> tuple[Observation, ...]:
    """One observation per top-level folder; `loose` names the one of the files beside the folders."""
    groups: dict[str | None, list[FoundFile]] = {}
    for file in sorted(files, key=lambda found: found.path):
        top, slash, _ = file.path.partition("/")
        groups.setdefault(top if slash else None, []).append(file)
    return tuple(
        Observation(loose if name is None else name, tuple(members)) for name, members in groups.items()
    )
