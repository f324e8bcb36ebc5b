"""One observation's events, from filing to the archive, in the order in which they happen."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from contracts.base import Event, derived_id
from contracts.bundles import BundledPackage, BundleReceived, BundleSealed, SealReason, bundle_id
from contracts.copies import CopyDeleted, CopyRef
from contracts.files import (
    AssetRendered,
    FilesAssigned,
    FilesPackaged,
    FilesScanned,
    PackagedFile,
    RenderedAsset,
    ScannedFile,
)
from contracts.observations import (
    FiledFile,
    FilesFiled,
    ObservationFinished,
    ObservationStarted,
    Outcome,
    Target,
    file_id,
)
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
from contracts.states import CopyKind
from contracts.transfers import MovedPackage, TransferCompleted, TransferStarted, transfer_id

ORIGIN = "chile"
DESTINATION = "cologne"
INSTRUMENT = "camera"
MODULE = "red"
SOURCE = "chile-source"
ORIGIN_BUFFER = "chile-buffer"
BUFFER = "cologne-buffer"
ARCHIVE = "cologne-archive"
PROCESSING = "cologne-processing"
ROUTE = "chile-to-cologne"
FILE_SIZE = 20 * 1024 * 1024

Step = tuple[str, Event]
"""Where something happens, and what."""


def digest(*parts: object) -> str:
    """A sha256 as if of some content."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


@dataclass(frozen=True)
class Observation:
    """What the events of one observation tell of.

    Attributes:
        number: Different for each observation.
        files: How many it has.
        start: When it began.
        plan: Counts the plans of its package from 1.
        attempt: How many times its package travels.
    """

    number: int
    files: int
    start: datetime
    plan: int = 1
    attempt: int = 1

    @property
    def id(self) -> UUID:
        """The ExecutedObsUnit."""
        return derived_id("executed_obs_unit", INSTRUMENT, f"obs-{self.number}", self.start)

    @property
    def paths(self) -> list[str]:
        """Of its files, relative to the SOURCE location."""
        return [f"{INSTRUMENT}/night/{self.number:06d}/exposure {n:05d}.fits" for n in range(self.files)]

    @property
    def file_ids(self) -> list[UUID]:
        """Of its files, in the same order."""
        return [file_id(self.id, path) for path in self.paths]

    @property
    def end(self) -> datetime:
        """When it ended."""
        return self.start + timedelta(minutes=2)

    @property
    def package_id(self) -> UUID:
        """Of its one package, by this plan."""
        return package_id(self.id, MODULE, self.plan)

    @property
    def provenance(self) -> Provenance:
        """Of that package."""
        return Provenance(
            observatory="Observatory",
            telescope="Telescope",
            site=ORIGIN,
            instrument=INSTRUMENT,
            module=MODULE,
            executed_obs_unit_id=self.id,
            obs_unit=f"obs-{self.number}",
            start_time=self.start,
            end_time=self.end,
        )

    @property
    def record(self) -> PackageRecord:
        """The sealed package."""
        return PackageRecord(
            package_id=self.package_id,
            name=f"{self.package_id}.tar",
            size=self.files * FILE_SIZE + 10_240,
            sha256=digest(self.package_id),
            file_count=self.files,
            payload_bytes=self.files * FILE_SIZE,
            provenance=self.provenance,
        )

    @property
    def bundle(self) -> tuple[BundledPackage, ...]:
        """What travels."""
        record = self.record
        return (
            BundledPackage(package=record, location=ORIGIN_BUFFER, path=record.name, attempt=self.attempt),
        )

    @property
    def bundle_id(self) -> UUID:
        """Of the bundle that its package travels in."""
        return bundle_id(ROUTE, self.bundle)

    @property
    def transfer_id(self) -> UUID:
        """Of that bundle's one hop."""
        return transfer_id(self.bundle_id, DESTINATION)


def road(observation: Observation) -> Iterator[Step]:
    """Everything, without any mishap."""
    yield from filing(observation)
    yield from scan(observation)
    yield ORIGIN, pictures(observation)
    yield from packing(observation)
    yield from travel(observation)
    yield DESTINATION, verified(observation)
    yield DESTINATION, received(observation)
    yield DESTINATION, archived(observation)
    yield ORIGIN, source_cleared(observation)


def filing(observation: Observation) -> Iterator[Step]:
    """The instrument's three requests."""
    unit = observation.id
    yield (
        ORIGIN,
        ObservationStarted(
            executed_obs_unit_id=unit,
            instrument=INSTRUMENT,
            start_time=observation.start,
            obs_unit=f"obs-{observation.number}",
            target=Target(name="M 31", ra_deg=10.6847, dec_deg=41.2688),
            obs_mode="imaging",
            conditions={"seeing_arcsec": 0.8, "sky": "clear"},
        ),
    )
    yield ORIGIN, filed(observation)
    yield (
        ORIGIN,
        ObservationFinished(
            executed_obs_unit_id=unit,
            instrument=INSTRUMENT,
            end_time=observation.end,
            outcome=Outcome.COMPLETED,
            file_count=observation.files,
        ),
    )


def filed(observation: Observation, *, declared: str | None = None, after: UUID | None = None) -> FilesFiled:
    """Its files; with a declared checksum if one is wanted."""
    files = tuple(
        FiledFile(file_id=i, path=path, module=MODULE, size=FILE_SIZE, sha256=declared)
        for i, path in zip(observation.file_ids, observation.paths, strict=True)
    )
    return FilesFiled(
        executed_obs_unit_id=observation.id,
        instrument=INSTRUMENT,
        location=SOURCE,
        files=files,
        after=after,
    )


def scan(
    observation: Observation, *, mtime_ns: int = 1_790_000_000_000_000_000, after: UUID | None = None
) -> Iterator[Step]:
    """The scanner finds every file."""
    files = tuple(
        ScannedFile(file_id=i, path=path, module=MODULE, size=FILE_SIZE, mtime_ns=mtime_ns)
        for i, path in zip(observation.file_ids, observation.paths, strict=True)
    )
    yield (
        ORIGIN,
        FilesScanned(
            executed_obs_unit_id=observation.id,
            instrument=INSTRUMENT,
            location=SOURCE,
            files=files,
            after=after,
        ),
    )


def pictures(observation: Observation) -> AssetRendered:
    """Every file has them."""
    assets = tuple(
        RenderedAsset(
            file_id=i,
            thumbnail=f"{i}/thumbnail.png",
            preview=f"{i}/preview.png",
            etag=digest("preview", i),
            width=1024,
            height=1024,
        )
        for i in observation.file_ids
    )
    return AssetRendered(executed_obs_unit_id=observation.id, assets=assets)


def planning(observation: Observation) -> Iterator[Step]:
    """Its files are chosen for one package."""
    yield (
        ORIGIN,
        FilesAssigned(
            package_id=observation.package_id,
            executed_obs_unit_id=observation.id,
            file_ids=tuple(observation.file_ids),
        ),
    )
    record = observation.record
    yield (
        ORIGIN,
        PackagePlanned(
            package_id=observation.package_id,
            number=observation.plan,
            name=record.name,
            source=SOURCE,
            buffer=ORIGIN_BUFFER,
            file_count=record.file_count,
            payload_bytes=record.payload_bytes,
            provenance=record.provenance,
        ),
    )


def packing(observation: Observation) -> Iterator[Step]:
    """Planned, written, sealed."""
    yield from planning(observation)
    files = tuple(
        PackagedFile(file_id=i, sha256=digest("content", i), offset=512 + n * (FILE_SIZE + 512))
        for n, i in enumerate(observation.file_ids)
    )
    yield (
        ORIGIN,
        FilesPackaged(package_id=observation.package_id, executed_obs_unit_id=observation.id, files=files),
    )
    record = observation.record
    yield ORIGIN, PackageSealed(package=record, source=SOURCE, buffer=ORIGIN_BUFFER, path=record.name)


def travel(observation: Observation) -> Iterator[Step]:
    """Bundled and moved."""
    yield ORIGIN, bundled(observation)
    yield ORIGIN, started(observation)
    record = observation.record
    yield (
        ORIGIN,
        TransferCompleted(
            transfer_id=observation.transfer_id,
            bundle_id=observation.bundle_id,
            route=ROUTE,
            origin=ORIGIN,
            destination=DESTINATION,
            origin_location=ORIGIN_BUFFER,
            location=BUFFER,
            size=record.size,
            seconds=12.5,
            packages=(MovedPackage(package=record, origin_path=record.name, path=record.name),),
        ),
    )


def bundled(observation: Observation) -> BundleSealed:
    """A bundle of this one package."""
    return BundleSealed(
        bundle_id=observation.bundle_id,
        route=ROUTE,
        origin=ORIGIN,
        destination=DESTINATION,
        priority=5,
        reason=SealReason.IDLE_ROUTE if observation.attempt == 1 else SealReason.REPAIR,
        size=observation.record.size,
        packages=observation.bundle,
    )


def started(observation: Observation) -> TransferStarted:
    """The bundle's hop has begun."""
    return TransferStarted(
        transfer_id=observation.transfer_id,
        bundle_id=observation.bundle_id,
        route=ROUTE,
        engine="local",
        origin=ORIGIN,
        destination=DESTINATION,
        origin_location=ORIGIN_BUFFER,
        location=BUFFER,
        size=observation.record.size,
    )


def verified(observation: Observation) -> PackageVerified:
    """It arrived as it left."""
    record = observation.record
    return PackageVerified(
        package=record,
        bundle_id=observation.bundle_id,
        transfer_id=observation.transfer_id,
        location=BUFFER,
        path=record.name,
    )


def received(observation: Observation, *, corrupted: int = 0) -> BundleReceived:
    """The bundle was read."""
    return BundleReceived(
        bundle_id=observation.bundle_id,
        transfer_id=observation.transfer_id,
        route=ROUTE,
        location=BUFFER,
        verified=1 - corrupted,
        corrupted=corrupted,
    )


def archived(observation: Observation) -> PackageArchived:
    """The archive has it."""
    record = observation.record
    return PackageArchived(
        package=record,
        location=ARCHIVE,
        bucket="archive",
        key=record.name,
        sidecar_key=f"{record.name}.json",
        buffer=BUFFER,
        buffer_path=record.name,
        proof=ArchiveProof(
            mode=ProofMode.BYTES,
            proven_at=observation.end + timedelta(hours=1),
            size=record.size,
            sha256=record.sha256,
            bytes_read=record.size,
        ),
    )


def source_cleared(observation: Observation) -> CopyDeleted:
    """Its files are gone from the instrument's disk."""
    copies = tuple(
        CopyRef(kind=CopyKind.RAW_DATA_FILE, entity_id=i, location=SOURCE, path=path, size=FILE_SIZE)
        for i, path in zip(observation.file_ids, observation.paths, strict=True)
    )
    return CopyDeleted(
        location=SOURCE,
        batch=derived_id("clearing", observation.id),
        deleted_at=observation.end + timedelta(days=7),
        copies=copies,
    )
