"""What packing and unpacking can find wrong, and the errors that carry it.

Permanent ── PayloadChanged       source files that are not what was planned, all of them at once
          ├─ BagDamaged           a package that is not what was sealed, with every problem found
          ├─ PackageDiffers       a package written anew that is not the one it should be
          └─ DestinationConflict  unpacking would overwrite a different file
Retriable ── PackagingCancelled   the caller asked to stop; nothing was left behind
"""

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from libs.errors import Permanent, Retriable
from libs.packaging.payload import SealedFile

SHOWN = 5


class FileFault(StrEnum):
    """Why a source file cannot go into a package."""

    FILE_VANISHED = "file_vanished"
    """Nothing is there under this name any more."""

    FILE_CHANGED = "file_changed"
    """Its size or time differs from the plan, or it moved while it was read."""

    FILE_UNREADABLE = "file_unreadable"
    """The operating system refuses to open or to read it."""

    NOT_A_REGULAR_FILE = "not_a_regular_file"
    """A symbolic link, folder, socket, pipe or device stands there or on the way."""

    CHECKSUM_MISMATCH = "checksum_mismatch"
    """What was read has another sha256 than the instrument declared."""


class BagFault(StrEnum):
    """What is wrong with a package."""

    PACKAGE_CHECKSUM = "package_checksum"
    """The sha256 of the whole package is another one."""

    PACKAGE_SIZE = "package_size"
    """The package has more or fewer bytes than were sealed."""

    PACKAGE_UNREADABLE = "package_unreadable"
    """The storage fails to hand out its bytes."""

    HEADER_DAMAGED = "header_damaged"
    """A tar header cannot be read; nothing after it can be trusted."""

    HEADER_UNSUPPORTED = "header_unsupported"
    """A readable tar header of a kind that is never sealed: sparse, GNU, oversized, unknown records."""

    TRUNCATED = "truncated"
    """The package ends before the tar does."""

    TRAILING_DATA = "trailing_data"
    """Bytes follow the end of the tar."""

    UNSAFE_NAME = "unsafe_name"
    """A member's name is absolute, climbs with ``..``, or is no valid path."""

    UNSAFE_MEMBER = "unsafe_member"
    """A member is no regular file: link, folder, device or pipe."""

    OUTSIDE_BAG = "outside_bag"
    """A member lies outside the bag's one top folder."""

    DUPLICATE_NAME = "duplicate_name"
    """Two members have one name, or a file has the name of a folder."""

    TOO_MANY_MEMBERS = "too_many_members"
    """More members than a package may have."""

    FILE_CHECKSUM = "file_checksum"
    """A file's bytes do not have the sha256 of the manifest."""

    FILE_MISSING = "file_missing"
    """The manifest lists a file that the package lacks."""

    FILE_UNLISTED = "file_unlisted"
    """The package has a file that the manifest lacks."""

    OXUM_MISMATCH = "oxum_mismatch"
    """The count or sum of sizes differs from bag-info's Payload-Oxum."""

    TAG_FILE_MISSING = "tag_file_missing"
    """A file that every bag has is not there."""

    TAG_FILE_DAMAGED = "tag_file_damaged"
    """A bag file has other content than the tag manifest says, or cannot be understood."""


@dataclass(frozen=True, slots=True)
class BadFile:
    """One source file that cannot be packed.

    Attributes:
        path: The planned path, relative to the source root.
        code: What is wrong.
        found: What was found instead, in words.
    """

    path: str
    code: FileFault
    found: str


@dataclass(frozen=True, slots=True)
class BagProblem:
    """One thing wrong with a package.

    Attributes:
        code: What is wrong.
        member: The tar member or payload path it concerns; empty for the package as a whole.
        detail: What was found, in words.
    """

    code: BagFault
    member: str
    detail: str


class PayloadChanged(Permanent):
    """Source files are not what was planned; no package was written.

    Args:
        files: Every file found bad, in the package's order.
    """

    def __init__(self, files: Sequence[BadFile]) -> None:
        shown = "; ".join(f"{bad.path!r}: {bad.code} ({bad.found})" for bad in files[:SHOWN])
        super().__init__(
            "payload_changed",
            f"{len(files)} source files are not what was planned: {shown}{_more(len(files))}",
            "Plan the package again without these files, and scan them again.",
        )
        self.files = tuple(files)


class BagDamaged(Permanent):
    """A package is not what was sealed; nothing was unpacked from it.

    Args:
        problems: What was found, in the package's order.
    """

    def __init__(self, problems: Sequence[BagProblem]) -> None:
        shown = "; ".join(f"{one.code} {one.member!r} ({one.detail})" for one in problems[:SHOWN])
        super().__init__(
            "package_damaged",
            f"The package has {len(problems)} problems: {shown}{_more(len(problems))}",
            "Fetch the package again from another verified copy.",
        )
        self.problems = tuple(problems)


class PackageDiffers(Permanent):
    """A package was written anew, and is not the one that was sealed; it was not kept.

    Args:
        name: The bag's.
        found: The sha256 of what was written, hexadecimal.
        expected: That of the sealed one.
    """

    def __init__(self, name: str, found: str, expected: str) -> None:
        super().__init__(
            "package_differs",
            f"{name} written anew has sha256 {found}, and was sealed with {expected}",
            "The files themselves are as they were packaged: file them again as a new observation.",
        )


class DestinationConflict(Permanent):
    """Files with other content stand where the package's files belong; none was overwritten.

    Args:
        files: Of the payload, those in conflict.
    """

    def __init__(self, files: Sequence[SealedFile]) -> None:
        shown = ", ".join(repr(file.path) for file in files[:SHOWN])
        super().__init__(
            "destination_differs",
            f"{len(files)} files already exist with other content: {shown}{_more(len(files))}",
            "Unpack into another folder, or move the existing files away.",
        )
        self.files = tuple(files)


class PackagingCancelled(Retriable):
    """The caller asked to stop; nothing was left behind."""

    def __init__(self) -> None:
        super().__init__("cancelled", "The work was cancelled before its end", "Start it again.")


class CancelSignal(Protocol):
    """What tells a running pass to stop, such as `threading.Event`."""

    def is_set(self) -> bool:
        """Whether to stop at the next block."""


def stop_if(cancelled: CancelSignal | None) -> None:
    """Leaves the pass when its caller has asked for it.

    Raises:
        PackagingCancelled: The signal is set.
    """
    if cancelled is not None and cancelled.is_set():
        raise PackagingCancelled


@contextmanager
def storage_errors(folder: Path) -> Iterator[None]:
    """Turns the operating system's refusals around a target folder into errors that say who decides.

    Raises:
        Retriable: ``disk_full``, ``out_of_handles``, ``storage_unavailable``.
    """
    try:
        yield
    except OSError as error:
        raise _retriable(error, folder) from error


def _retriable(error: OSError, folder: Path) -> Retriable:
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return Retriable(
            "disk_full", f"No space is left in {folder}: {error.strerror}", "Free space, or raise the quota."
        )
    if error.errno in {errno.EMFILE, errno.ENFILE, errno.ENOMEM}:
        return Retriable(
            "out_of_handles", f"The system is out of handles or memory: {error.strerror}", "Try again later."
        )
    return Retriable(
        "storage_unavailable",
        f"Storage at {folder} answers: {error.strerror or error}",
        "Check that the folder is mounted and may be read and written by this user.",
    )


def _more(count: int) -> str:
    return f"; and {count - SHOWN} more" if count > SHOWN else ""
