"""One bit turned at every station of the road: what is there keeps its size, its name and its times."""

import asyncio
import os
import random
from pathlib import Path
from uuid import UUID

from commands.filing_client import FilingClient
from contracts.base import Event
from contracts.files import FilesRefused, FilesScanned
from contracts.packages import PackageCorrupted, PackageRecord, PackageSealed, PackageVerified
from contracts.transfers import TransferCompleted
from tests.faults.deployment import CENTRE_BUFFER, INSTRUMENTS, SOURCE, TELESCOPE_BUFFER
from tests.faults.doing.pausing import paused
from tests.faults.ledger import Observation
from tests.faults.load import Instrument, Pace, Told, planned
from tests.faults.scenario import Scene

SIZES = (200_000, 3_000_000)
TRIES = 20
"""Moves until one is caught."""


async def observed(scene: Scene, told: Told = Told.NOTHING, sizes: tuple[int, ...] = SIZES) -> Observation:
    """One observation with files of these sizes."""
    instrument = Instrument(INSTRUMENTS[0], scene.system, scene.ledger, scene.rng, Pace())
    async with FilingClient(scene.system.filing) as filing:
        observation = await instrument.begin(filing)
        plans = [
            planned(scene.rng, f"{observation.id}/{number}.raw", size, told)
            for number, size in enumerate(sizes)
        ]
        await instrument.end(filing, observation, plans, early=False)
    return observation


async def flip_in_source(scene: Scene) -> None:
    """Between scan and packaging, in a file whose instrument told its checksum: refused, mended, filed again."""
    async with paused(scene, "packager@chile"):
        observation = await observed(scene, Told.BOTH)
        await scene.chronicle.until(lambda: scanned(scene, observation), "the scan")
        file = observation.files[0]
        path = scene.system.disk(SOURCE) / observation.instrument / file.path
        at = flip(path, scene.rng)
        scene.did("a bit is turned in SOURCE, after the scan")
    await scene.chronicle.until(lambda: file.id in refused(scene, "checksum_mismatch"), "the refusal")
    assert path.exists()
    flip(path, scene.rng, at)
    async with FilingClient(scene.system.filing) as filing:
        await filing.file(observation.id, [file.declared])
    scene.did("it was refused, mended and filed again")


async def flip_in_buffer(scene: Scene) -> None:
    """Between sealing and moving: found when it arrives, built anew from SOURCE, sent again."""
    async with paused(scene, "mover@chile"):
        sealed = await sealed_package(scene, await observed(scene))
        flip(scene.system.disk(TELESCOPE_BUFFER) / sealed.path, scene.rng)
        scene.did("a bit is turned in the telescope's BUFFER, after sealing")
    await corrupted(scene, sealed.package.package_id)


async def flip_in_transit(scene: Scene) -> None:
    """In the growing copy at the other end: found when it is whole, sent again."""
    buffer = scene.system.disk(CENTRE_BUFFER)
    async with paused(scene, "verifier@cologne"):
        sealed, growing = await _caught_growing(scene, buffer)
        async with paused(scene, "mover@chile"):
            now = growing if growing.exists() else buffer / sealed.path
            flip(now, scene.rng, 4096)
            scene.did(f"a bit is turned in transit ({'partial' if now == growing else 'just arrived'})")
    await corrupted(scene, sealed.package.package_id)


async def _caught_growing(scene: Scene, buffer: Path) -> tuple[PackageSealed, Path]:
    """A package that is under way, and its partial file: on a busy machine many a one is there before it is seen."""
    for _ in range(TRIES):
        async with paused(scene, "mover@chile"):
            sealed = await sealed_package(scene, await observed(scene, sizes=(20_000_000,)))
        if (growing := await _partial_file(scene, buffer, sealed.package)) is not None:
            return sealed, growing
    raise AssertionError(f"{TRIES} moves were all too quick")


async def flip_on_arrival(scene: Scene) -> None:
    """Between the move and its verification: found, sent again."""
    async with paused(scene, "verifier@cologne"):
        sealed = await sealed_package(scene, await observed(scene))
        identity = sealed.package.package_id
        await scene.chronicle.until(lambda: identity in moved(scene), "the move")
        flip(scene.system.disk(CENTRE_BUFFER) / sealed.path, scene.rng)
        scene.did("a bit is turned in the centre's BUFFER, after the move")
    await corrupted(scene, identity)


async def flip_before_upload(scene: Scene) -> None:
    """Between verification and upload: found by whoever reads it for the archive, sent again."""
    async with paused(scene, "archiver@cologne"):
        sealed = await sealed_package(scene, await observed(scene))
        identity = sealed.package.package_id
        await scene.chronicle.until(
            lambda: identity in {one.package.package_id for one in scene.chronicle.of(PackageVerified)},
            "the verification",
        )
        flip(scene.system.disk(CENTRE_BUFFER) / sealed.path, scene.rng)
        scene.did("a bit is turned in the centre's BUFFER, after verification")
    await corrupted(scene, identity)


def flip(path: Path, rng: random.Random, at: int | None = None) -> int:
    """Turn one bit of a file, which looks as before from outside; blocking. Returns where."""
    facts = path.stat()
    at = rng.randrange(facts.st_size) if at is None else at
    with path.open("r+b") as file:
        file.seek(at)
        [byte] = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ 1]))
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    return at


def scanned(scene: Scene, observation: Observation) -> bool:
    """Whether every file of an observation was found ready."""
    found = {file.file_id for event in scene.chronicle.of(FilesScanned) for file in event.files}
    return {file.id for file in observation.files} <= found


def refused(scene: Scene, code: str) -> set[UUID]:
    """The files that were refused with this code."""
    return {
        file.file_id
        for event in scene.chronicle.of(FilesRefused)
        for file in event.files
        if file.problem.code == code
    }


def moved(scene: Scene) -> set[UUID]:
    """The packages that were moved."""
    return {
        one.package.package_id for event in scene.chronicle.of(TransferCompleted) for one in event.packages
    }


async def sealed_package(scene: Scene, observation: Observation) -> PackageSealed:
    """The package of an observation that has one, once it is sealed."""

    def found() -> list[PackageSealed]:
        return [
            one
            for one in scene.chronicle.sealed.values()
            if one.package.provenance.executed_obs_unit_id == observation.id
        ]

    await scene.chronicle.until(lambda: bool(found()), "the seal")
    return found()[0]


async def corrupted(scene: Scene, package: UUID) -> None:
    """Wait until the log tells that a package was found damaged."""

    def about(event: Event) -> bool:
        return event.about() == package

    await scene.chronicle.until(
        lambda: any(about(event) for event in scene.chronicle.of(PackageCorrupted)), "the finding"
    )
    scene.did("it was found")


async def _partial_file(scene: Scene, buffer: Path, package: PackageRecord) -> Path | None:
    """The partial file of a package on its way; None if it has arrived."""
    async with asyncio.timeout(240):
        while package.package_id not in moved(scene):
            if (growing := await asyncio.to_thread(_growing, buffer, package.name)) is not None:
                return growing
            await asyncio.sleep(0.002)
    return None


def _growing(buffer: Path, name: str) -> Path | None:
    """The partial file of a package once some of it is written."""
    for top, _, names in os.walk(buffer):
        for one in names:
            path = Path(top, one)
            if name in one and one.startswith(".") and one.endswith(".partial") and written(path) > 1 << 20:
                return path
    return None


def written(path: Path) -> int:
    """Bytes of a file that have been written so far; 0 if it is not there."""
    try:
        return path.stat().st_blocks * 512
    except FileNotFoundError:
        return 0
