"""What goes into a package and what comes out of it, as values."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from libs.errors import UserError
from libs.packaging.names import check_path

_MTIME_LIMIT_NS = 10**21


@dataclass(frozen=True, slots=True)
class PayloadFile:
    """A file that is planned for a package, as it was scanned.

    Attributes:
        path: Relative POSIX path below the source root.
        size: Bytes.
        mtime_ns: Modification time, nanoseconds since 1970-01-01 UTC; may be negative.

    Raises:
        UserError: The path may not travel (`check_path`), or ``scan_invalid`` for a negative size or a time
            above 31,000 years.
    """

    path: str
    size: int
    mtime_ns: int

    def __post_init__(self) -> None:
        check_path(self.path)
        if self.size < 0 or abs(self.mtime_ns) >= _MTIME_LIMIT_NS:
            raise UserError(
                "scan_invalid",
                f"{self.path!r} has {self.size} bytes of {self.mtime_ns} ns",
                "Scan the file again.",
            )


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A file in a sealed package.

    Attributes:
        path: Relative POSIX path, as the instrument wrote it.
        size: Bytes.
        mtime_ns: Modification time, nanoseconds since 1970-01-01 UTC.
        sha256: 64 lower-case hexadecimal digits.
        offset: Where its first byte is in the package, bytes.
    """

    path: str
    size: int
    mtime_ns: int
    sha256: str
    offset: int


@dataclass(frozen=True, slots=True)
class SealedBag:
    """A package on disk, whole and synced.

    Attributes:
        path: Where it is.
        size: Bytes of the package.
        sha256: Of the package, 64 lower-case hexadecimal digits.
        file_count: Payload files.
        payload_bytes: Sum of the payload files' sizes.
        files: Each payload file, in the package's order.
    """

    path: Path
    size: int
    sha256: str
    file_count: int
    payload_bytes: int
    files: tuple[SealedFile, ...]


@dataclass(frozen=True, slots=True)
class InspectedBag:
    """What was read of a package and found to be right.

    Attributes:
        name: The bag's top folder.
        size: Bytes of the package.
        sha256: Of the package, 64 lower-case hexadecimal digits.
        file_count: Payload files.
        payload_bytes: Sum of the payload files' sizes.
        files: Each payload file, in the package's order.
    """

    name: str
    size: int
    sha256: str
    file_count: int
    payload_bytes: int
    files: tuple[SealedFile, ...]


@dataclass(frozen=True, slots=True)
class UnpackedBag:
    """A package whose files now stand in their destination.

    Attributes:
        destination: The folder they were unpacked into.
        bag: The package, all of its files.
        written: Paths that this call put there.
        already_there: Paths that stood there with the same content.
    """

    destination: Path
    bag: InspectedBag
    written: tuple[str, ...]
    already_there: tuple[str, ...]


def in_order(files: Iterable[PayloadFile]) -> list[PayloadFile]:
    """Sorts files as they stand in a package: by the UTF-8 bytes of their paths.

    Raises:
        UserError: ``path_twice`` when two files have one path.
    """
    ordered = sorted(files, key=lambda file: file.path.encode())
    for earlier, later in pairwise(ordered):
        if earlier.path == later.path:
            raise UserError("path_twice", f"{later.path!r} is listed twice", "List each file once.")
    return ordered
