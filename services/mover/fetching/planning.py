"""Which way the bytes of an asset go: a pure decision on the deployment."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.states import LocationType
from libs.errors import Permanent, Retriable
from libs.sites.models import Deployment, DiskLocation
from libs.skynet.knowing import KnownAsset, KnownFile
from libs.skynet.places import disk_of, path_at_node, path_here
from services.mover.hops import next_hop, stops


@dataclass(frozen=True, slots=True)
class Way:
    """From the node's disk to a BUFFER.

    Attributes:
        source: The root of the node's location; `source_path` is below it.
        location: The BUFFER's name.
        destination: Its root; `destination_path` is below it.
        route: Whose limits hold; None between sites that no route joins.
        size: Bytes, as declared.
        sha256: Hex digest, as declared.
    """

    source: Path
    source_path: str
    location: str
    destination: Path
    destination_path: str
    route: str | None
    size: int
    sha256: str


def plan(deployment: Deployment, here: str, known: KnownAsset) -> Way:
    """The way of an asset's bytes: from elsewhere into a BUFFER of this site, from this site into the next one's.

    Raises:
        UserError: ``path_outside``, ``path_absolute``, ``path_invalid`` or ``location_unknown``: another attempt would
            find the same.
        Permanent: ``undeclared``: size or checksum are unknown, and the bytes could not be proven; ``no_way``.
        Retriable: ``file_unknown``: the file is not filed yet; ``no_buffer``.
    """
    if known.file is None:
        raise Retriable(
            "file_unknown",
            f"file {known.asset.file_id} of asset {known.asset.uid} is not filed",
            "File it; the asset waits.",
        )
    source = disk_of(deployment, known.file.location)
    source_path = path_at_node(known.asset.remote_file_path or "", source.path, known.file.path)
    destination_path = path_here(known.asset)
    size, sha256 = _declared(known.file)
    there, _ = deployment.location(known.file.location)
    route, location = _outward(deployment, here) if there == here else _inward(deployment, there, here)
    destination = disk_of(deployment, location)
    return Way(
        source=source.path,
        source_path=source_path,
        location=location,
        destination=destination.path,
        destination_path=destination_path,
        route=route,
        size=size,
        sha256=sha256,
    )


def _declared(file: KnownFile) -> tuple[int, str]:
    if file.size is None or file.sha256 is None:
        raise Permanent(
            "undeclared",
            f"size or checksum of {file.path} are not declared: bytes that came could not be proven",
            "Declare both when the file is filed.",
        )
    return file.size, file.sha256


def _outward(deployment: Deployment, here: str) -> tuple[str | None, str]:
    routes = [name for name, route in sorted(deployment.routes.items()) if here in stops(route)[:-1]]
    if not routes:
        raise Permanent(
            "no_way",
            f"no route leads from {here}, where the bytes are",
            "Add a route to the deployment, then request the transfer again.",
        )
    return routes[0], next_hop(deployment, routes[0], here).location


def _inward(deployment: Deployment, there: str, here: str) -> tuple[str | None, str]:
    buffers = _disks(deployment, here)
    if not buffers:
        raise Retriable(
            "no_buffer",
            f"the site {here} has no active BUFFER",
            "Activate one in the deployment and restart the site; the asset waits.",
        )
    joining = (n for n, r in sorted(deployment.routes.items()) if (r.origin, r.destination) == (there, here))
    return next(joining, None), buffers[0]


def _disks(deployment: Deployment, site: str) -> Sequence[str]:
    buffers = deployment.site(site).locations_of(LocationType.BUFFER)
    return [name for name, location in buffers.items() if isinstance(location, DiskLocation)]
