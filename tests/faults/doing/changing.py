"""Files that change between scan and packaging: what was scanned is not what is there any more."""

import hashlib
import os
from enum import Enum
from pathlib import Path

from contracts.files import FilesMissing
from tests.faults.deployment import SOURCE
from tests.faults.doing.flipping import observed, refused, scanned
from tests.faults.doing.pausing import paused
from tests.faults.ledger import Written
from tests.faults.load import Told, place
from tests.faults.scenario import Scene

SIZE = 50_000


class Change(Enum):
    """What becomes of a file."""

    TRUNCATED = "truncated"
    """Its end is cut off."""
    GROWN = "grown"
    """More is written at its end."""
    REPLACED = "replaced"
    """Another file gets its name."""
    RENAMED = "renamed"
    """It has another name for a while."""


async def change(scene: Scene, told: Told) -> None:
    """Change one file in every way after it was scanned; what is then there is archived, or mended first.

    Args:
        scene: Where.
        told: What the instrument declares. A file whose size was told is not taken at another size: it is mended.
    """
    async with paused(scene, "packager@chile"):
        observation = await observed(scene, told, (SIZE,) * (len(Change) + 1))
        await scene.chronicle.until(lambda: scanned(scene, observation), "the scan")
        root = scene.system.disk(SOURCE) / observation.instrument
        files = dict(zip(Change, observation.files, strict=False))
        originals = {one: (root / file.path).read_bytes() for one, file in files.items()}
        for one, file in files.items():
            _change(scene, root / file.path, one)
            if one is not Change.RENAMED and told is Told.NOTHING:
                # Looked at before it is packaged: it may be archived and cleared soon after.
                _is_now(root / file.path, file)
        scene.did(
            f"files are {', '.join(one.value for one in files)} after the scan; told: {told.name.lower()}"
        )
    await _told(scene, files, told)
    for one, file in files.items():
        if one is Change.RENAMED or told is not Told.NOTHING:
            _away(root / file.path).unlink(missing_ok=True)
            place(root, file.path, originals[one], file.mtime_ns)
    scene.did("each was told; what had to be mended is mended")


async def _told(scene: Scene, files: dict[Change, Written], told: Told) -> None:
    """Wait until every change was noticed: refused by the packager, and, if it cannot be taken so, missing."""
    wanted = {file.id for file in files.values()}
    await scene.chronicle.until(
        lambda: wanted <= refused(scene, "file_changed") | refused(scene, "file_vanished"), "the refusals"
    )
    gone = {file.id for one, file in files.items() if one is Change.RENAMED or told is not Told.NOTHING}
    await scene.chronicle.until(
        lambda: gone <= {file.file_id for event in scene.chronicle.of(FilesMissing) for file in event.files},
        "the report of what is missing",
    )


def _change(scene: Scene, path: Path, how: Change) -> None:
    match how:
        case Change.TRUNCATED:
            os.truncate(path, scene.rng.randrange(SIZE))
        case Change.GROWN:
            with path.open("ab") as file:
                file.write(scene.rng.randbytes(SIZE))
        case Change.REPLACED:
            place(
                path.parent, path.name, scene.rng.randbytes(SIZE // 2), scene.rng.randint(10**18, 17 * 10**17)
            )
        case Change.RENAMED:
            path.rename(_away(path))


def _away(path: Path) -> Path:
    return path.with_name(f"{path.name}.away")


def _is_now(path: Path, file: Written) -> None:
    """The instrument meant the change: the file is what is there."""
    data = path.read_bytes()
    file.size, file.mtime_ns = len(data), path.stat().st_mtime_ns
    file.sha256 = hashlib.sha256(data).hexdigest()
