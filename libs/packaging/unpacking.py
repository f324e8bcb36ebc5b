"""Unpacking: the instrument's files again, byte for byte, with their folders and times.

Files are written and hashed in one pass into a folder beside the destination, since the manifest comes
last; nothing reaches the destination before everything in the package is proved right. Fenced by
`libs.storage.partial_trees`: a run that was overtaken puts nothing there, and holds up nobody.
"""

import os
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path

from libs.bus import fencing
from libs.errors import UserError
from libs.packaging.checking import BagCheck
from libs.packaging.faults import CancelSignal, storage_errors
from libs.packaging.folders import Missing, Root
from libs.packaging.headers import Header
from libs.packaging.passing import Readable, follow, package_file
from libs.packaging.payload import InspectedBag, SealedFile, UnpackedBag
from libs.packaging.placing import make_destination_parent, place
from libs.storage.files import sync_filesystem, write_all
from libs.storage.partial_trees import TreeTry, trying_tree

_FILE_MODE = 0o644
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def unpack_bag(
    source: Path | Readable,
    destination: Path,
    *,
    only: AbstractSet[str] | None = None,
    expected_sha256: str | None = None,
    expected_size: int | None = None,
    progress: Callable[[int], None] | None = None,
    cancelled: CancelSignal | None = None,
) -> UnpackedBag:
    """Unpacks a package's payload after proving all of it; blocks until it is in place and synced.

    A repeat finds the files in place and changes nothing. Packages of one observation may be unpacked into
    one destination at the same time. Of several runs with one package and destination, the last one goes on.

    Args:
        source: The package, or a stream of it that is read forward once and left open.
        destination: Folder that gets the files, with their folders, without ``data/``.
        only: Paths to unpack; None for all. The whole package is proved in any case.
        expected_sha256: Of the package, hexadecimal.
        expected_size: Of the package, bytes; no more than that is read.
        progress: Called in this thread with the package's bytes so far, after each block.
        cancelled: Looked at before each block.

    Raises:
        BagDamaged: The package is not what was sealed, with every problem found.
        DestinationConflict: Other content stands in the destination.
        PackagingCancelled: `cancelled` was set.
        Overtaken: A later run is at work, or may be.
        Retriable: ``disk_full``, ``storage_unavailable``, ``source_unavailable``.
        UserError: ``path_not_in_package``: `only` names a file that the package does not have.
    """
    with _stream(source) as stream, storage_errors(destination.parent), ExitStack() as stack:
        tree = _Tree(destination, only, stack)
        bag = follow(
            stream,
            BagCheck(tree),
            expected_sha256=expected_sha256,
            expected_size=expected_size,
            progress=progress,
            cancelled=cancelled,
        )
        chosen = _chosen(bag, only)
        sealed = tree.sealed()
        fencing.check()
        written, already = place(sealed, destination, chosen)
    return UnpackedBag(destination, bag, tuple(written), tuple(already))


def _stream(source: Path | Readable) -> AbstractContextManager[Readable]:
    return package_file(source) if isinstance(source, Path) else nullcontext(source)


def _chosen(bag: InspectedBag, only: AbstractSet[str] | None) -> list[SealedFile]:
    if only is None:
        return list(bag.files)
    unknown = only - {file.path for file in bag.files}
    if unknown:
        raise UserError(
            "path_not_in_package",
            f"{len(unknown)} paths are not in {bag.name}, such as {min(unknown)!r}",
            "Ask for files that this package lists.",
        )
    return [file for file in bag.files if file.path in only]


class _Tree:
    """The payload on its way: a folder beside the destination, of this run's own.

    Args:
        destination: Where the files are to go.
        only: Paths to keep; None for all.
        stack: Closes and removes everything at the end, good or bad.
    """

    def __init__(self, destination: Path, only: AbstractSet[str] | None, stack: ExitStack) -> None:
        self._destination = destination
        self._only = only
        self._stack = stack
        self._attempt: TreeTry | None = None
        self._root: Root | None = None
        self._handle: int | None = None
        self._mtime_ns = 0
        stack.callback(self._close_file)

    def begin(self, path: str, header: Header) -> None:
        """Opens a payload file, if it is wanted."""
        root = self._root or self._open(header.name.partition("/")[0])
        if self._only is not None and path not in self._only:
            return
        folder, name = root.parent_of(path, Missing.CREATE)
        self._handle = os.open(name, _NEW_FILE, _FILE_MODE, dir_fd=folder)
        self._mtime_ns = header.mtime_ns

    def data(self, piece: memoryview, *, last: bool) -> None:
        """Writes the file's next bytes; the last ones restore its time."""
        if self._handle is None:
            return
        write_all(self._handle, piece)
        if last:
            os.fchmod(self._handle, _FILE_MODE)
            os.utime(self._handle, ns=(self._mtime_ns, self._mtime_ns))
            self._close_file()

    def sealed(self) -> Path:
        """The folder with the files, synced."""
        tree = self._destination.parent if self._attempt is None else self._attempt.tree
        sync_filesystem(tree)
        return tree

    def _open(self, bag: str) -> Root:
        make_destination_parent(self._destination)
        self._attempt = self._stack.enter_context(trying_tree(bag, self._destination))
        self._root = self._stack.enter_context(Root(self._attempt.tree))
        return self._root

    def _close_file(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
