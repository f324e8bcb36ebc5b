"""Sorting a package's members while they come by: payload, the bag's own files, and what may not be there."""

from collections.abc import Iterator
from typing import Protocol

from libs.errors import UserError
from libs.packaging.faults import BagFault, BagProblem
from libs.packaging.headers import REGULAR, Header
from libs.packaging.judging import Arrived, Contents
from libs.packaging.lanes import Digest, Piece
from libs.packaging.names import check_path, is_bag_name
from libs.packaging.reading import LostTrackError
from libs.packaging.tagfiles import MANIFEST, PAYLOAD_FOLDER, TAG_FILES

MAX_MEMBERS = 1_000_000
MAX_TAG_FILE_BYTES = 1024 * 1024
MAX_PROBLEMS = 1000


class PayloadStore(Protocol):
    """What keeps the payload files of a package that is unpacked."""

    def begin(self, path: str, header: Header) -> None:
        """A payload file starts; its path is safe and unique."""

    def data(self, piece: memoryview, *, last: bool) -> None:
        """The file's next bytes; they are gone after the call."""


class BagCheck:
    """Hears of a package's members, keeps what the verdict needs, and passes payload on.

    Args:
        store: Where payload goes; None to look only.

    Attributes:
        contents: What was found so far.
        problems: What is wrong so far.
    """

    def __init__(self, store: PayloadStore | None = None) -> None:
        self.contents = Contents()
        self.problems: list[BagProblem] = []
        self._store = store
        self._pieces: list[Piece] = []
        self._folders: set[str] = set()
        self._role = ""
        self._path: str | None = None
        self._digest = Digest()

    def take_pieces(self) -> list[Piece]:
        """What has to be hashed of the block just read."""
        pieces, self._pieces = self._pieces, []
        return pieces

    def begin(self, header: Header, offset: int) -> None:
        """A member starts: decides what it is, and refuses what no bag of ours has."""
        contents = self.contents
        self._role, self._path, self._digest = "", None, Digest()
        if len(contents.payload) + len(contents.tags) >= MAX_MEMBERS:
            raise LostTrackError(
                BagProblem(BagFault.TOO_MANY_MEMBERS, header.name, f"more than {MAX_MEMBERS} members")
            )
        problem = _unsafe(header) or self._misplaced(header)
        if problem is not None:
            self.refuse(problem)
            return
        self._accept(header, header.name.partition("/")[2], offset)

    def data(self, piece: memoryview, *, last: bool) -> None:
        """The member's next bytes."""
        if self._path is not None and self._store is not None:
            self._store.data(piece, last=last)
        if not self._role:
            return
        self._pieces.append(Piece(self._digest, piece, last))
        if self._role == MANIFEST:
            self.contents.manifest.feed(bytes(piece))
        elif self._role in TAG_FILES:
            self.contents.texts[self._role] += piece

    def refuse(self, problem: BagProblem) -> None:
        """Notes a problem; a package with very many of them needs no complete list.

        Raises:
            LostTrackError: Enough is enough.
        """
        if len(self.problems) >= MAX_PROBLEMS:
            raise LostTrackError(problem)
        self.problems.append(problem)

    def _misplaced(self, header: Header) -> BagProblem | None:
        top, slash, inner = header.name.partition("/")
        if not self.contents.name and is_bag_name(top):
            self.contents.name = top
        if not slash or top != self.contents.name:
            return BagProblem(BagFault.OUTSIDE_BAG, header.name, f"the bag is {self.contents.name!r}")
        if inner in self.contents.tags or self._clashes(inner):
            return BagProblem(BagFault.DUPLICATE_NAME, header.name, "this name was there before")
        if inner in TAG_FILES:
            too_long = inner != MANIFEST and header.size > MAX_TAG_FILE_BYTES
            return (
                BagProblem(BagFault.TAG_FILE_DAMAGED, header.name, f"{header.size} bytes")
                if too_long
                else None
            )
        if not inner.startswith(PAYLOAD_FOLDER):
            return BagProblem(BagFault.FILE_UNLISTED, header.name, "neither payload nor a file of the bag")
        return None

    def _clashes(self, inner: str) -> bool:
        """Whether the name stands already, as a file or as a folder, or has a file for a folder."""
        if inner in self._folders:
            return True
        payload = self.contents.payload
        if inner.removeprefix(PAYLOAD_FOLDER) in payload:
            return True
        for folder in _folders_of(inner):
            if folder in self._folders:
                return False
            if folder.removeprefix(PAYLOAD_FOLDER) in payload:
                return True
        return False

    def _accept(self, header: Header, inner: str, offset: int) -> None:
        arrived = Arrived(header.size, header.mtime_ns, offset, self._digest)
        if inner in TAG_FILES:
            self._role = inner
            self.contents.tags[inner] = arrived
            self.contents.texts[inner] = bytearray()
            return
        self._role, self._path = PAYLOAD_FOLDER, inner.removeprefix(PAYLOAD_FOLDER)
        self.contents.payload[self._path] = arrived
        for folder in _folders_of(inner):
            if folder in self._folders:
                break
            self._folders.add(folder)
        if self._store is not None:
            self._store.begin(self._path, header)


def _folders_of(inner: str) -> Iterator[str]:
    """The folders above a path, the nearest first."""
    folder, slash, _ = inner.rpartition("/")
    while slash:
        yield folder
        folder, slash, _ = folder.rpartition("/")


def _unsafe(header: Header) -> BagProblem | None:
    if header.kind != REGULAR:
        return BagProblem(BagFault.UNSAFE_MEMBER, header.name, f"type {header.kind!r} is no regular file")
    try:
        top, slash, inner = header.name.partition("/")
        check_path(top)
        if slash:
            check_path(inner.removeprefix(PAYLOAD_FOLDER))
    except UserError as error:
        return BagProblem(BagFault.UNSAFE_NAME, header.name, error.problem.reason)
    return None
