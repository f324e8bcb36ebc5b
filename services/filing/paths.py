"""Declared paths against the disk: no way out of the instrument's folder, no links. Blocking."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from contracts.problems import Problem
from libs.errors import UserError
from libs.storage.paths import resolve_inside, split_relative


@dataclass(slots=True)
class PathChecker:
    """Checks paths of one instrument's folder; each folder on the way is looked at once.

    Attributes:
        root: The SOURCE location's root.
        folder: The instrument's folder, relative to it.
    """

    root: Path
    folder: str
    _folders: dict[str, UserError | None] = field(default_factory=dict)

    def problems(self, paths: Iterable[str]) -> dict[str, Problem]:
        """What is wrong, by path; codes as `libs.storage.paths`, and ``path_unreadable``."""
        found: dict[str, Problem] = {}
        for path in paths:
            try:
                self._check(path)
            except UserError as error:
                found[path] = error.problem
            except OSError as error:
                found[path] = Problem(
                    code="path_unreadable",
                    reason=f"{path!r} cannot be looked at: {error.strerror}",
                    remedy="Give the filing service permission to enter the folders on the way.",
                )
        return found

    def _check(self, path: str) -> None:
        *above, name = split_relative(path)
        parent = "/".join((self.folder, *above))
        if parent not in self._folders:
            self._folders[parent] = self._folder_error(parent)
        if (error := self._folders[parent]) is not None:
            raise error
        split_relative(f"{parent}/{name}")
        if os.path.islink(f"{self.root}/{parent}/{name}"):  # noqa: PTH114 - a Path per file doubles the time
            resolve_inside(self.root, f"{parent}/{name}")

    def _folder_error(self, parent: str) -> UserError | None:
        try:
            resolve_inside(self.root, parent)
        except UserError as error:
            return error
        return None
