"""Inspecting: is a package still what was sealed?"""

from collections.abc import Callable
from pathlib import Path

from libs.packaging.checking import BagCheck
from libs.packaging.faults import CancelSignal
from libs.packaging.passing import Readable, follow, package_file
from libs.packaging.payload import InspectedBag


def inspect_bag(
    path: Path,
    *,
    expected_sha256: str | None,
    expected_size: int | None,
    progress: Callable[[int], None] | None = None,
    cancelled: CancelSignal | None = None,
) -> InspectedBag:
    """Reads a package once, and proves it whole: as a file, as a tar, as a bag, and each file in it.

    The files are hashed even if the package's checksum is right, so that a fault of the writer is found.

    Args:
        path: The package.
        expected_sha256: Of the package, hexadecimal; None if nobody knows.
        expected_size: Of the package, bytes; None if nobody knows.
        progress: Called in this thread with the bytes read so far, after each block.
        cancelled: Looked at before each block.

    Raises:
        BagDamaged: With every problem found.
        PackagingCancelled: `cancelled` was set.
    """
    with package_file(path) as stream:
        return follow(
            stream,
            BagCheck(),
            expected_sha256=expected_sha256,
            expected_size=expected_size,
            progress=progress,
            cancelled=cancelled,
        )


def inspect_stream(
    stream: Readable,
    *,
    expected_sha256: str | None,
    expected_size: int | None,
    progress: Callable[[int], None] | None = None,
    cancelled: CancelSignal | None = None,
) -> InspectedBag:
    """As `inspect_bag`, of a package that comes as a stream, such as the body of a download.

    Raises:
        BagDamaged: With every problem found.
        PackagingCancelled: `cancelled` was set.
        Retriable: ``source_unavailable``: the stream broke off; or what the stream itself raises.
    """
    return follow(
        stream,
        BagCheck(),
        expected_sha256=expected_sha256,
        expected_size=expected_size,
        progress=progress,
        cancelled=cancelled,
    )
