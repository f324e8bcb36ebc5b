"""A disk: files under names, folders, room, and what can be wrong with it."""

import errno
import os
from dataclasses import dataclass, replace
from enum import Enum

from tests.simulation.storage.contents import Content


class Mount(Enum):
    """Whether a disk is where it should be."""

    THERE = "there"
    """It is."""
    EMPTY = "empty"
    """It is not, and its mount point is an empty folder."""
    GONE = "gone"
    """It is not, and nor is its mount point."""


@dataclass(frozen=True)
class Node:
    """A file.

    Attributes:
        inode: Tells it from another file that had the name before.
        mark: What the mover noted beside its copy: checksum, size and time.
        changed_at: Seconds since 1970, when it came to its place.
    """

    content: Content
    size: int
    mtime_ns: int
    inode: int
    changed_at: float
    mark: tuple[str, int, int] | None = None


class Disk:
    """A data location on disk.

    Args:
        location: Its name.
        site: Where it is.
        capacity: Bytes.
    """

    def __init__(self, location: str, site: str, capacity: int = 1_000_000) -> None:
        self.location = location
        self.site = site
        self.capacity = capacity
        self.mount = Mount.THERE
        self.reserved = 0
        self.nodes: dict[str, Node] = {}
        self.folders: set[str] = set()
        self._inodes = 0

    def free(self) -> int:
        """Bytes that may still be written."""
        used = sum(node.size for node in self.nodes.values())
        return max(0, self.capacity - self.reserved - used)

    def is_folder(self, path: str) -> bool:
        """Whether a folder is there; the root is the empty path."""
        match self.mount:
            case Mount.GONE:
                return False
            case Mount.EMPTY:
                return not path
            case Mount.THERE:
                return not path or path in self.folders

    def find(self, path: str) -> Node | None:
        """The file under a name."""
        return self.nodes.get(path) if self.mount is Mount.THERE else None

    def require(self, path: str) -> Node:
        """The file under a name.

        Raises:
            FileNotFoundError: There is none.
        """
        node = self.find(path)
        if node is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return node

    def make_folder(self, path: str) -> None:
        """Make a folder and those above it."""
        self._require_mounted()
        while path:
            self.folders.add(path)
            path = path.rpartition("/")[0]

    def put(self, path: str, content: Content, size: int, *, mtime_ns: int, now: float) -> Node:
        """Write a file, replacing what has the name.

        Raises:
            OSError: ENOSPC, with as much of it written as there was room for; ENOENT without its folder.
        """
        self._require_mounted()
        folder = path.rpartition("/")[0]
        if folder and folder not in self.folders:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        before = self.nodes.pop(path, None)
        room = self.free()
        self._inodes += 1
        if room < size:
            if before is not None:
                self.nodes[path] = before
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        node = self.nodes[path] = Node(content, size, mtime_ns, self._inodes, now)
        return node

    def move(self, old: str, new: str) -> None:
        """Give a file another name, replacing what has it."""
        self._require_mounted()
        self.nodes[new] = self.require(old)
        del self.nodes[old]

    def mark(self, path: str, sha256: str) -> None:
        """Note beside a file what it is said to be a copy of."""
        node = self.require(path)
        self.nodes[path] = replace(node, mark=(sha256, node.size, node.mtime_ns))

    def spoil(self, path: str, content: Content) -> None:
        """Change a file's bytes and nothing else: no clock, no size and no inode tells."""
        self.nodes[path] = replace(self.nodes[path], content=content)

    def delete(self, path: str) -> None:
        """Delete a file.

        Raises:
            FileNotFoundError: There is none.
        """
        self.require(path)
        del self.nodes[path]

    def below(self, folder: str) -> list[str]:
        """The names of all files below a folder, sorted."""
        start = f"{folder}/" if folder else ""
        return sorted(path for path in self.nodes if path.startswith(start))

    def remove_tree(self, folder: str) -> None:
        """Delete a folder and everything in it."""
        self._require_mounted()
        for path in self.below(folder):
            del self.nodes[path]
        self.folders = {one for one in self.folders if one != folder and not one.startswith(f"{folder}/")}

    def remove_emptied(self, path: str, keep: str) -> None:
        """Remove the folders above a path that have nothing in them, up to `keep`."""
        folder = path.rpartition("/")[0]
        while folder and folder != keep:
            occupied = any(one.startswith(f"{folder}/") for one in (*self.nodes, *self.folders))
            if occupied:
                return
            self.folders.discard(folder)
            folder = folder.rpartition("/")[0]

    def _require_mounted(self) -> None:
        if self.mount is not Mount.THERE:
            raise OSError(errno.EIO, os.strerror(errno.EIO), self.location)
