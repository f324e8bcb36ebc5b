"""Paths below ``/simulated/<location>``: `pathlib` over simulated disks."""

import errno
import os
import stat
from collections.abc import Generator
from pathlib import Path, PosixPath
from types import SimpleNamespace
from typing import Any

from tests.simulation.active import world
from tests.simulation.storage.disk import Disk

ROOT = "/simulated"
_DEPTH = 3


class SimulatedPath(PosixPath):
    """A path on a simulated disk; whatever is not defined here never touches a file system."""

    @property
    def _place(self) -> tuple[Disk, str]:
        parts = self.parts
        return world().disk_for(parts[2]), "/".join(parts[_DEPTH:])

    def is_dir(self) -> bool:
        disk, path = self._place
        return world().reaches(disk) and disk.is_folder(path)

    def is_symlink(self) -> bool:
        return False

    def exists(self) -> bool:
        if len(self.parts) < _DEPTH:
            return True
        disk, path = self._place
        return world().reaches(disk) and (disk.is_folder(path) or disk.find(path) is not None)

    def is_file(self) -> bool:
        disk, path = self._place
        return world().reaches(disk) and disk.find(path) is not None

    def lstat(self) -> Any:
        disk, path = self._place
        if not world().reaches(disk):
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(self))
        if disk.is_folder(path):
            return SimpleNamespace(st_mode=stat.S_IFDIR | 0o755, st_size=0, st_mtime_ns=0, st_ctime_ns=0)
        node = disk.require(path)
        return SimpleNamespace(
            st_mode=stat.S_IFREG | 0o644,
            st_size=node.size,
            st_mtime_ns=node.mtime_ns,
            st_ctime=node.changed_at,
            st_ctime_ns=int(node.changed_at * 1e9),
            st_ino=node.inode,
            st_dev=1,
        )

    def stat(self, *, follow_symlinks: bool = True) -> Any:
        return self.lstat()

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        disk, path = self._place
        disk.make_folder(path)

    def rename(self, target: str | os.PathLike[str]) -> "SimulatedPath":
        disk, path = self._place
        other, new = SimulatedPath(target)._place
        assert other is disk, "a rename stays on its disk"
        disk.move(path, new)
        world().changed(disk, path)
        return SimulatedPath(target)

    def unlink(self, missing_ok: bool = False) -> None:
        disk, path = self._place
        if disk.find(path) is None and missing_ok:
            return
        world().delete(disk, path)

    def iterdir(self) -> Generator["SimulatedPath", None, None]:
        disk, path = self._place
        if not disk.is_folder(path):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self))
        names = {one.removeprefix(f"{path}/").partition("/")[0] for one in disk.below(path)}
        return (self / name for name in sorted(names))

    def open(self, *_: Any, **__: Any) -> Any:
        raise AssertionError(f"{self} is on no real disk: give the code that opens it a seam")


def root_of(location: str) -> Path:
    """The root folder of a location."""
    return SimulatedPath(f"{ROOT}/{location}")


def place_of(path: Path) -> tuple[Disk, str]:
    """The disk a path is on, and the name there."""
    assert isinstance(path, SimulatedPath), f"{path} is on no simulated disk"
    return path._place
