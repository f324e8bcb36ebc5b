"""Places that can run full at will, and have room again.

A file system in memory of a size that can be changed, where mounting is allowed; elsewhere a limit on the length of
files that the services there may write, which the kernel enforces with the error of a file that is too large.
"""

import os
import resource
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MIB = 1 << 20
ROOMY = 4096 * MIB
"""Bytes; only those that are used take memory. In the long form two archives keep more than a gigabyte."""
TRIES = 20
LEFT = 64 << 10
"""Bytes that a full place still has: a small file, but no package."""


class Room(ABC):
    """A folder that runs full and has room again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def fill(self) -> None:
        """Leave hardly any room."""

    @abstractmethod
    def free(self) -> None:
        """Have room again."""


class Mounted(Room):
    """A file system of its own."""

    def fill(self) -> None:
        """Leave `LEFT` bytes, or a little less: whoever writes meanwhile may have more than is to be left."""
        for attempt in range(TRIES):
            try:
                self._resize(self._used() + LEFT)
            except subprocess.CalledProcessError:
                if attempt == TRIES - 1:
                    raise
            else:
                return

    def _used(self) -> int:
        facts = os.statvfs(self.folder)
        return (facts.f_blocks - facts.f_bfree) * facts.f_frsize

    def free(self) -> None:
        """Have room again."""
        self._resize(ROOMY)

    def _resize(self, size: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", str(self.folder)], check=True)


class Limited(Room):
    """A limit on what some processes may write into one file.

    Args:
        folder: Where they write.
        writers: Their ids as they run now.
    """

    def __init__(self, folder: Path, writers: Callable[[], Iterable[int]]) -> None:
        super().__init__(folder)
        self._writers = writers

    def fill(self) -> None:
        """Let no writer write more than `LEFT` bytes into a file."""
        self._limit(LEFT)

    def free(self) -> None:
        """Let them write again."""
        self._limit(resource.RLIM_INFINITY)

    def _limit(self, size: int) -> None:
        for pid in self._writers():
            with suppress(ProcessLookupError):
                _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, most))


@contextmanager
def mounted(folder: Path) -> Iterator[Mounted | None]:
    """A file system of its own at a folder while the block lasts; None where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={ROOMY},mode=0700", "chasqui-faults", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield Mounted(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
