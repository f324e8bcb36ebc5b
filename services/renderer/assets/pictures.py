"""The picture files of assets, below the site's preview folder. Everything here blocks: it runs in threads.

assets/UI/UID/NUMBER-FILE_ID.FORMAT    UI: the first two letters of the asset's uid; NUMBER: of the run
"""

import re
from pathlib import Path
from uuid import UUID

from contracts.base import derived_id
from contracts.skynet.runs import AssetRun
from libs.imaging.outcomes import Picture, Rendered
from libs.skynet.runs import Made
from libs.storage.partials import write_whole

_OF_A_RUN = re.compile(r"(\d+)-[0-9a-f-]{36}\.\w+")


def folder_of(previews: Path, asset: UUID) -> Path:
    """Where the pictures of an asset are."""
    return previews / "assets" / asset.hex[:2] / str(asset)


def keep(previews: Path, asset: UUID, run: AssetRun, rendered: Rendered) -> Made:
    """Write both pictures of a run, each whole or not at all. They count once the run is completed.

    Raises:
        Retriable: ``disk_full``.
        Overtaken: A successor makes them.
    """
    thumbnail, preview = (derived_id("asset_picture", run.uid, what) for what in ("thumbnail", "preview"))
    folder = folder_of(previews, asset)
    _write(folder, run, thumbnail, rendered.thumbnail)
    _write(folder, run, preview, rendered.preview)
    return Made(thumbnail=thumbnail, preview=preview)


def find(previews: Path, asset: UUID, picture: UUID) -> Path | None:
    """The file of a picture; None if it is not there."""
    return next(folder_of(previews, asset).glob(f"*-{picture}.*"), None)


def remove_earlier(previews: Path, asset: UUID, run: AssetRun) -> None:
    """Remove the pictures of all runs before one that is current."""
    folder = folder_of(previews, asset)
    for path in folder.iterdir() if folder.is_dir() else ():
        found = _OF_A_RUN.fullmatch(path.name)
        if found is not None and int(found[1]) < run.number:
            path.unlink(missing_ok=True)


def _write(folder: Path, run: AssetRun, file: UUID, picture: Picture) -> None:
    name = f"{run.number}-{file}.{picture.format}"
    write_whole(folder / name, picture.data)
    for other in folder.glob(f"{run.number}-{file}.*"):  # an iteration before may have had another format
        if other.name != name:
            other.unlink(missing_ok=True)
