"""Rendering the files of one event, one after the other, and what is said of them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import psutil

from contracts.base import Event
from contracts.files import AssetRendered, FilesScanned, ProblemFile, RenderedAsset, RenderFailed
from libs.bus.parts import in_parts
from libs.bus.pulse import beat
from libs.imaging.outcomes import NoPreview, NoPreviewCode, Rendered, RenderSettings
from libs.imaging.pool import RenderPool
from libs.service.background import background
from services.renderer.pictures import keep, kept
from services.renderer.sorting import VANISHED, Image, problem_of, sort, vanished

NICE = 15
LOOK_EVERY_S = 0.25
PART_ITEMS = 200
"""A reason may quote a path of 4096 bytes: so many stay well below the server's message limit."""


class Heard(Enum):
    """Whether an event was answered before."""

    FIRST = "first"
    """It was not, as far as is known."""
    AGAIN = "again"
    """It was: files that are gone since have had their turn."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the files of one event."""

    assets: tuple[RenderedAsset, ...]
    failures: tuple[ProblemFile, ...]


async def render(
    event: FilesScanned,
    root: Path,
    previews: Path,
    pool: RenderPool,
    settings: RenderSettings,
    *,
    heard: Heard = Heard.FIRST,
) -> Outcome:
    """Make and keep the pictures of every file that has an image.

    Args:
        event: The files.
        root: Of their SOURCE location.
        previews: The site's preview folder.
        pool: The workers.
        settings: How the pictures are made.
        heard: Whether the event was answered before.

    Raises:
        Retriable: ``location_missing``, ``disk_full``.
    """
    found = await asyncio.to_thread(sort, root, event.files)
    if heard is Heard.AGAIN and await asyncio.to_thread(_all_kept, previews, found.images):
        return Outcome((), ())
    assets: list[RenderedAsset] = []
    failures: list[ProblemFile] = []
    for image in found.images:
        said = await _one(image, previews, pool, settings)
        beat()
        if isinstance(said, RenderedAsset):
            assets.append(said)
        else:
            failures.append(said)
    earlier, without = await asyncio.to_thread(_recovered, previews, [*found.others, *failures])
    if heard is Heard.AGAIN:
        without = tuple(one for one in without if one.problem.code != VANISHED)
    return _in_order(event, [*assets, *earlier], without)


def _all_kept(previews: Path, images: Sequence[Image]) -> bool:
    return all(kept(previews, image.file.file_id) is not None for image in images)


def _in_order(
    event: FilesScanned, assets: Sequence[RenderedAsset], failures: Sequence[ProblemFile]
) -> Outcome:
    """In the order of the event's files: a repeat that finds some of them gone says the same events."""
    place = {file.file_id: number for number, file in enumerate(event.files)}
    return Outcome(
        tuple(sorted(assets, key=lambda asset: place[asset.file_id])),
        tuple(sorted(failures, key=lambda failure: place[failure.file_id])),
    )


async def _one(
    image: Image, previews: Path, pool: RenderPool, settings: RenderSettings
) -> RenderedAsset | ProblemFile:
    file = image.file
    match await pool.render(image.path, settings, beat):
        case Rendered() as rendered:
            return await asyncio.to_thread(keep, previews, file.file_id, rendered)
        case NoPreview(code=NoPreviewCode.UNREADABLE) if not await asyncio.to_thread(image.path.exists):
            return ProblemFile(file_id=file.file_id, path=file.path, problem=vanished(file.path))
        case NoPreview() as refusal:
            return ProblemFile(file_id=file.file_id, path=file.path, problem=problem_of(refusal))


def _recovered(
    previews: Path, failures: Sequence[ProblemFile]
) -> tuple[tuple[RenderedAsset, ...], tuple[ProblemFile, ...]]:
    """Files that vanished after an earlier run had rendered them have their pictures still."""
    earlier: list[RenderedAsset] = []
    without: list[ProblemFile] = []
    for failure in failures:
        asset = kept(previews, failure.file_id) if failure.problem.code == VANISHED else None
        if asset is None:
            without.append(failure)
        else:
            earlier.append(asset)
    return tuple(earlier), tuple(without)


def events_of(event: FilesScanned, outcome: Outcome) -> list[Event]:
    """What is said of the files of one event."""
    unit = event.executed_obs_unit_id
    rendered = in_parts(
        outcome.assets,
        lambda chunk, part, parts: AssetRendered(
            executed_obs_unit_id=unit, assets=chunk, part=part, parts=parts
        ),
        PART_ITEMS,
    )
    failed = in_parts(
        outcome.failures,
        lambda chunk, part, parts: RenderFailed(
            executed_obs_unit_id=unit, files=chunk, part=part, parts=parts
        ),
        PART_ITEMS,
    )
    return [*rendered, *failed]


@asynccontextmanager
async def kept_polite(pool: RenderPool, nice: int = NICE) -> AsyncIterator[None]:
    """Give every worker that the pool starts while the block runs a low priority.

    The workers alone: a process cannot take back its own, and tests run services in theirs.
    """

    async def keep_polite() -> None:
        while True:
            for pid in pool.processes:
                with suppress(psutil.NoSuchProcess):
                    psutil.Process(pid).nice(nice)
            await asyncio.sleep(LOOK_EVERY_S)

    async with background(keep_polite()):
        yield
