"""What the engine is asked to copy. Everything here blocks: it runs in a thread."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from contracts.bundles import BundledPackage
from libs.errors import Permanent
from libs.storage.files import sha256_file
from libs.storage.paths import resolve_inside
from libs.storage.presence import require_location
from libs.transfer.engine import Existing, TransferItem


def load(
    packages: Sequence[BundledPackage], root_of: Callable[[str], Path], destination: Path
) -> list[TransferItem]:
    """Turn a bundle's list into the engine's, with the same relative paths at both ends.

    Args:
        packages: The bundle's list.
        root_of: The folder of a location, by its name.
        destination: The folder of the BUFFER they go to.

    Raises:
        Retriable: ``location_missing`` when either end is away.
        UserError: A path leads out of its location.
    """
    require_ends(packages, root_of, destination)
    return [_item(one, root_of(one.location), destination) for one in packages]


def require_ends(
    packages: Sequence[BundledPackage], root_of: Callable[[str], Path], destination: Path
) -> None:
    """Make sure that the disks of both ends are there: what is missing on one that is away is not lost.

    Raises:
        Retriable: ``location_missing``.
        UserError: A path leads out of its location.
    """
    require_location(destination)
    for one in packages:
        require_location(root_of(one.location), one.path)


def _item(one: BundledPackage, origin: Path, destination: Path) -> TransferItem:
    target = resolve_inside(destination, one.path)
    return TransferItem(
        id=str(one.package.package_id),
        source=resolve_inside(origin, one.path),
        destination=target,
        size=one.package.size,
        sha256=one.package.sha256,
        existing=_about_existing(target, one),
    )


def _about_existing(target: Path, one: BundledPackage) -> Existing:
    """Keep what is there; in a repair only if its bytes are right, for then this repair was done before."""
    if one.attempt == 1:
        return Existing.KEEP
    with suppress(Permanent, OSError):  # nothing is there, or nothing that can be read
        if sha256_file(target) == one.package.sha256:
            return Existing.KEEP
    return Existing.REPLACE
