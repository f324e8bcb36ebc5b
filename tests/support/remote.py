"""Assets whose bytes are on the disk of the road's telescope."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from contracts.skynet.assets import AssetEvent, AssetTransferRequested
from contracts.skynet.fields import changed
from libs.skynet import transfers
from libs.skynet.rendering import Debounce
from tests.support.histories.skynet import asset
from tests.support.observing import Observation
from tests.support.road import Road


async def filed(road: Road, name: str, data: bytes) -> tuple[Observation, str]:
    """A file is written at the telescope, filed with its checksum, and scanned; the observation, and its path."""
    observation = Observation(road)
    await observation.start()
    [path] = await observation.file({name: data}, declare={name: hashlib.sha256(data).hexdigest()})
    await observation.scan([path])
    return observation, path


async def requested(
    road: Road, observation: Observation, path: str, *, remote: str | None = None
) -> AssetTransferRequested:
    """That file is an asset whose bytes are remote, and they are to be fetched.

    Args:
        road: The road.
        observation: What it was filed in.
        path: Where it is, relative to the SOURCE location's root.
        remote: What the node says instead.
    """
    update = {"file_id": observation.files[path].file_id, "remote_file_path": remote or path}
    first = transfers.register(changed(asset(1), update), Debounce(), datetime.now(UTC))
    request = AssetTransferRequested(turn=2, asset=first.asset, care=first.care)
    await road.publisher(road.telescope, "filing").publish([first, request])
    return request


async def told(road: Road) -> Sequence[AssetEvent]:
    """Everything that was said of assets, in order."""
    return [event for _, event in await road.events(road.telescope) if isinstance(event, AssetEvent)]


def kept(road: Road) -> list[Path]:
    """The files of assets at the centre, unfinished ones included."""
    folder = road.folder(f"{road.centre.site}-buffer") / "assets"
    return [path for path in folder.rglob("*") if path.is_file()]
