"""A package of an observation, sealed, carried and archived as the services of the road would, for tests of
what comes after them."""

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

from contracts.base import Event
from contracts.bundles import BundledPackage, BundleReceived, BundleSealed, SealReason, bundle_id
from contracts.files import FilesAssigned, FilesPackaged, PackagedFile
from contracts.packages import (
    ArchiveProof,
    PackageArchived,
    PackagePlanned,
    PackageRecord,
    PackageSealed,
    PackageVerified,
    ProofMode,
    Provenance,
    package_id,
)
from libs.bus.parts import in_parts
from libs.packaging import PayloadFile, SealedBag, write_bag
from libs.storage.s3 import S3Store
from tests.support.observing import Observation
from tests.support.road import Road

FILED_AT_ONCE = 1000


@dataclass
class Package:
    """A package on the road.

    Attributes:
        path: Relative to either BUFFER.
        contents: Its files by path relative to the SOURCE location's root.
        mtimes: Their times in nanoseconds since 1970.
    """

    road: Road
    observation: Observation
    record: PackageRecord
    bag: SealedBag
    path: str
    contents: dict[str, bytes]
    mtimes: dict[str, int]

    @property
    def id(self) -> UUID:
        """The package's id."""
        return self.record.package_id

    @property
    def key(self) -> str:
        """Its name in the archive."""
        return f"camera/2026/03/01/{self.observation.unit}/{self.record.name}"

    @property
    def bundled(self) -> tuple[BundledPackage, ...]:
        """The package as its bundle lists it."""
        return (
            BundledPackage(
                package=self.record, location=f"{self.road.telescope.site}-buffer", path=self.path
            ),
        )

    @property
    def at_source(self) -> list[Path]:
        """Its files on the instrument's disk."""
        return [self.observation.on_disk(path) for path in self.contents]

    @property
    def at_telescope(self) -> Path:
        """The tar in the telescope's buffer."""
        return self.road.folder(f"{self.road.telescope.site}-buffer") / self.path

    @property
    def at_centre(self) -> Path:
        """The tar in the data centre's buffer."""
        return self.road.folder(f"{self.road.centre.site}-buffer") / self.path

    async def travel(self) -> None:
        """In a bundle to the data centre, verified there."""
        road = self.road
        route = f"{road.telescope.site}-{road.centre.site}"
        bundle = bundle_id(route, self.bundled)
        await road.publisher(road.telescope).publish(
            [
                BundleSealed(
                    bundle_id=bundle,
                    route=route,
                    origin=road.telescope.site,
                    destination=road.centre.site,
                    priority=5,
                    reason=SealReason.IDLE_ROUTE,
                    size=self.record.size,
                    packages=self.bundled,
                )
            ]
        )
        await asyncio.to_thread(_copy, self.at_telescope, self.at_centre)
        transfer = uuid4()
        events: list[Event] = [
            PackageVerified(
                package=self.record,
                bundle_id=bundle,
                transfer_id=transfer,
                location=f"{road.centre.site}-buffer",
                path=self.path,
            ),
            BundleReceived(
                bundle_id=bundle,
                transfer_id=transfer,
                route=route,
                location=f"{road.centre.site}-buffer",
                verified=1,
                corrupted=0,
            ),
        ]
        await road.publisher(road.centre).publish(events)

    async def upload(self) -> None:
        """Into the archive; nothing is said of it."""
        location = f"{self.road.centre.site}-archive"
        async with S3Store(self.road.centre.s3(location)) as store:
            await store.upload_file(
                self.at_telescope, self.key, size=self.record.size, expected_sha256=self.record.sha256
            )

    def archived(self) -> PackageArchived:
        """What the archiver says of it."""
        proof = ArchiveProof(
            mode=ProofMode.BYTES,
            proven_at=datetime.now(UTC),
            size=self.record.size,
            sha256=self.record.sha256,
            bytes_read=self.record.size,
        )
        location = f"{self.road.centre.site}-archive"
        return PackageArchived(
            package=self.record,
            location=location,
            bucket=self.road.centre.s3(location).bucket,
            key=self.key,
            sidecar_key=self.key.removesuffix(".tar") + ".json",
            buffer=f"{self.road.centre.site}-buffer",
            buffer_path=self.path,
            proof=proof,
        )

    async def announce(self) -> None:
        """The archiver says that it is archived."""
        await self.road.publisher(self.road.centre).publish([self.archived()])

    async def archive(self) -> None:
        """All of the way: carried, uploaded, announced."""
        await self.travel()
        await self.upload()
        await self.announce()


async def sealed(road: Road, contents: Mapping[str, bytes], *, name: str = "") -> Package:
    """An observation with these files, by name, in one sealed package in the telescope's buffer."""
    observation = Observation(road)
    paths = await _observed(observation, list(contents.items()))
    unit = observation.unit
    package, name = package_id(unit, "main", 1), name or f"camera-main-{unit.hex[:8]}-001.tar"
    path = f"packages/camera/{unit}/{name}"
    root = observation.on_disk("")
    found = {path: observation.on_disk(path).stat() for path in paths}
    files = [PayloadFile(path, facts.st_size, facts.st_mtime_ns) for path, facts in found.items()]
    destination = road.folder(f"{road.telescope.site}-buffer") / path
    destination.parent.mkdir(parents=True, exist_ok=True)
    info = {"Bagging-Date": "2026-03-01"}
    bag = await asyncio.to_thread(
        write_bag, root, files, destination, name=name.removesuffix(".tar"), info=info
    )
    provenance = Provenance(
        observatory="Test Observatory",
        telescope="Test Telescope",
        site=road.telescope.site,
        instrument="camera",
        module="main",
        executed_obs_unit_id=unit,
    )
    record = PackageRecord(
        package_id=package,
        name=name,
        size=bag.size,
        sha256=bag.sha256,
        file_count=bag.file_count,
        payload_bytes=bag.payload_bytes,
        provenance=provenance,
    )
    made = Package(
        road=road,
        observation=observation,
        record=record,
        bag=bag,
        path=path,
        contents={path: observation.on_disk(path).read_bytes() for path in paths},
        mtimes={path: facts.st_mtime_ns for path, facts in found.items()},
    )
    await observation.publisher.publish(_sealing(made))
    return made


async def _observed(observation: Observation, contents: Sequence[tuple[str, bytes]]) -> list[str]:
    """Start, file and scan in parts that fit into messages, finish."""
    await observation.start()
    paths: list[str] = []
    for start in range(0, len(contents), FILED_AT_ONCE):
        paths += await observation.file(dict(contents[start : start + FILED_AT_ONCE]))
    await observation.scan(paths)
    await observation.finish()
    return paths


def _sealing(made: Package) -> list[Event]:
    """What the packager says."""
    record, unit = made.record, made.observation.unit
    files = made.observation.files
    assigned = in_parts(
        [files[path].file_id for path in made.contents],
        lambda chunk, part, parts: FilesAssigned(
            package_id=made.id, executed_obs_unit_id=unit, file_ids=chunk, part=part, parts=parts
        ),
    )
    packaged = in_parts(
        [
            PackagedFile(file_id=files[file.path].file_id, sha256=file.sha256, offset=file.offset)
            for file in made.bag.files
        ],
        lambda chunk, part, parts: FilesPackaged(
            package_id=made.id, executed_obs_unit_id=unit, files=chunk, part=part, parts=parts
        ),
    )
    source, buffer = f"{made.road.telescope.site}-source", f"{made.road.telescope.site}-buffer"
    planned = PackagePlanned(
        package_id=made.id,
        number=1,
        name=record.name,
        source=source,
        buffer=buffer,
        file_count=record.file_count,
        payload_bytes=record.payload_bytes,
        provenance=record.provenance,
    )
    return [
        *assigned,
        planned,
        *packaged,
        PackageSealed(package=record, source=source, buffer=buffer, path=made.path),
    ]


def _copy(source: Path, destination: Path) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, destination)
