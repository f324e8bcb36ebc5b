"""Where the bytes of an asset are, and where they are kept once they were fetched: pure."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from contracts.skynet.assets import ObservationAsset
from contracts.states import LocationType
from libs.errors import UserError
from libs.sites.models import Deployment, DiskLocation
from libs.skynet.knowing import KnownAsset
from libs.storage.paths import split_relative

FOLDER = "assets"
"""Below the root of a BUFFER."""


def path_at_node(remote: str, root: Path, filed: str) -> str:
    """The path of a remote file, relative to the disk location that its file was filed in.

    Args:
        remote: As the node says it: relative to that location, absolute and below it, or relative to the instrument's
            folder, as files are filed.
        root: The location's folder.
        filed: Where the file was filed, relative to that.

    Raises:
        UserError: ``path_outside``, ``path_absolute`` or ``path_invalid``: it leads elsewhere, or nowhere.
    """
    path = PurePosixPath(remote)
    below = remote
    if path.is_absolute() and path.is_relative_to(root):
        below = str(path.relative_to(root))
    split_relative(below)
    return filed if filed.endswith(f"/{below}") else below


def path_here(asset: ObservationAsset) -> str:
    """Where a fetched asset is kept, relative to the BUFFER's root; the same for every attempt.

    Raises:
        UserError: ``path_invalid``: it has no name that a file could have.
    """
    name = PurePosixPath(asset.remote_file_path or "").name
    split_relative(name)
    return f"{FOLDER}/{asset.uid.hex[:2]}/{asset.uid}/{name}"


def was_fetched(known: KnownAsset) -> bool:
    """Whether its bytes came from elsewhere; those of others are where they were filed."""
    return known.care.transfer_attempts > 0


def candidates(deployment: Deployment, known: KnownAsset) -> Iterator[tuple[Path, str]]:
    """The places where the bytes may be that are no longer remote: the root of a location, and a path below it.

    A fetched asset may be in any BUFFER: since it was fetched, the deployment may have changed.

    Raises:
        UserError: As `path_here`, and ``location_unknown`` for a location that the deployment does not have.
    """
    if was_fetched(known):
        path = path_here(known.asset)
        for _, _, location in deployment.locations():
            if isinstance(location, DiskLocation) and location.type is LocationType.BUFFER:
                yield location.path, path
    elif known.file is not None:
        yield disk_of(deployment, known.file.location).path, known.file.path


def disk_of(deployment: Deployment, name: str) -> DiskLocation:
    """The settings of a disk location.

    Raises:
        UserError: ``location_unknown``.
    """
    try:
        return deployment.disk(name)
    except KeyError as unknown:
        raise UserError(
            "location_unknown",
            f"the deployment has no disk location {name}",
            "Describe the location in the deployment again, then request the transfer again.",
        ) from unknown
