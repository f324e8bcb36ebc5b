"""How files are shared out over packages, and how large a package will be, to the byte."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from libs.errors import UserError
from libs.packaging.headers import END_OF_TAR, encode, padding
from libs.packaging.names import check_bag_name
from libs.packaging.payload import PayloadFile, in_order
from libs.packaging.tagfiles import (
    BAG_INFO,
    BAGIT,
    BAGIT_TXT,
    MANIFEST,
    PAYLOAD_FOLDER,
    TAG_MANIFEST,
    bag_info,
    payload_line_bytes,
)

TAG_FILE_MTIME_NS = 0
"""The bag's own files carry the epoch: their time says nothing, and must be the same at every run."""

_LONGEST_OXUM = {"payload_bytes": 10**20 - 1, "file_count": 10**10 - 1}


@dataclass(frozen=True, slots=True)
class Envelope:
    """Room that a package needs beside its payload files.

    Attributes:
        name_bytes: Length of the longest bag name, bytes.
        info_bytes: Length of the longest bag-info.txt, bytes.
    """

    name_bytes: int = 200
    info_bytes: int = 16 * 1024

    @classmethod
    def of(cls, name: str, info: Mapping[str, str]) -> "Envelope":
        """The room for bags with names and fields no longer than these."""
        return cls(len(check_bag_name(name)), len(bag_info(info, **_LONGEST_OXUM)))


class _Tally:
    """The size of a package that is being filled."""

    def __init__(self, name: str, info_bytes: int) -> None:
        self._name = name
        tag_lines = sum(64 + 2 + len(tag) + 1 for tag in (BAG_INFO, BAGIT, MANIFEST))
        self._fixed = len(END_OF_TAR) + sum(
            self._tag(tag, size)
            for tag, size in ((BAG_INFO, info_bytes), (BAGIT, len(BAGIT_TXT)), (TAG_MANIFEST, tag_lines))
        )
        self._members = 0
        self._manifest = 0
        self.files = 0

    def add(self, file: PayloadFile) -> None:
        self._members += _member(f"{self._name}/{PAYLOAD_FOLDER}{file.path}", file.size, file.mtime_ns)
        self._manifest += payload_line_bytes(file.path)
        self.files += 1

    def total(self) -> int:
        return self._fixed + self._members + self._tag(MANIFEST, self._manifest)

    def _tag(self, tag: str, size: int) -> int:
        return _member(f"{self._name}/{tag}", size, TAG_FILE_MTIME_NS)


def _member(name: str, size: int, mtime_ns: int) -> int:
    return len(encode(name, size, mtime_ns)) + size + padding(size)


def split(
    files: Iterable[PayloadFile], *, max_bytes: int, max_files: int, envelope: Envelope | None = None
) -> list[tuple[PayloadFile, ...]]:
    """Shares files out over packages, in the order of their paths, each filled before the next.

    The same files always give the same packages, in whatever order they are handed in. No package is
    larger than `max_bytes`, everything included, but for a file that would not fit even alone: it gets a
    package of its own.

    Args:
        files: What to pack; paths unique.
        max_bytes: Largest package, bytes.
        max_files: Most payload files in a package, at least 1.
        envelope: Room for name and bag-info; by default ample for any name and 16 KiB of bag-info.

    Raises:
        UserError: ``path_twice``, or ``limit_invalid``.
    """
    if max_bytes < 1 or max_files < 1:
        raise UserError(
            "limit_invalid", f"A package of {max_bytes} bytes, {max_files} files", "Give positive limits."
        )
    room = envelope or Envelope()
    packages: list[tuple[PayloadFile, ...]] = []
    current: list[PayloadFile] = []
    name = "x" * room.name_bytes
    tally = _Tally(name, room.info_bytes)
    for file in in_order(files):
        tally.add(file)
        if current and (tally.files > max_files or tally.total() > max_bytes):
            packages.append(tuple(current))
            current = []
            tally = _Tally(name, room.info_bytes)
            tally.add(file)
        current.append(file)
    return [*packages, tuple(current)] if current else packages


def sealed_size(files: Iterable[PayloadFile], *, name: str, info: Mapping[str, str]) -> int:
    """The exact size of the package that `write_bag` makes of these, in bytes.

    Raises:
        UserError: ``bag_name_invalid``, ``bag_info_invalid`` or ``path_twice``.
    """
    ordered = in_order(files)
    payload = sum(file.size for file in ordered)
    text = bag_info(info, payload_bytes=payload, file_count=len(ordered))
    tally = _Tally(check_bag_name(name), len(text))
    for file in ordered:
        tally.add(file)
    return tally.total()
