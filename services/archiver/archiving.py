"""One package into one archive, from wherever an earlier try stopped: upload, sidecar, proof."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from contracts.base import derived_id
from contracts.packages import ArchiveProof, PackageArchived, PackageRecord
from libs.bus import fencing
from libs.copies.archived import misread
from libs.errors import Permanent
from libs.sites.models import S3Location
from libs.storage.base import ByteProgress
from libs.storage.paths import resolve_inside
from libs.storage.presence import require_location
from libs.storage.s3 import S3Store
from libs.storage.s3_job import SOURCE_FAULTS
from libs.storage.s3_objects import ExistingObject, Uploaded
from libs.storage.s3_proof import Proof, ProofMode, Verdict
from libs.telemetry.logs import logger
from services.archiver.arrivals import Arrival
from services.archiver.naming import package_key, sidecar_key
from services.archiver.sidecar import access_url, sidecar

log = logger("archiver")


class BufferDamaged(Permanent):
    """The copy in the BUFFER is not what was verified: its bytes say so, or it is not there on a disk that is."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A LONG_TERM_ARCHIVE and the way to it."""

    location: str
    settings: S3Location
    store: S3Store


async def archive(
    arrival: Arrival, target: Archive, *, root: Path, created: datetime, progress: ByteProgress
) -> PackageArchived:
    """Make sure that an archive holds a package and its sidecar, and prove it.

    What the archive holds already is not looked for in the BUFFER, which may have been cleared since.

    Args:
        arrival: The package and its copy.
        target: The archive.
        root: The folder of the BUFFER.
        created: Told in the sidecar.
        progress: Hears the bytes sent.

    Raises:
        Retriable: The server, the bucket, the credentials or the BUFFER's disk; ``archive_misread``.
        BufferDamaged: The copy in the BUFFER is not what was verified.
        Permanent: ``object_differs``; ``proof_failed``: the archive does not give back what it was given.
    """
    package, key = arrival.package, package_key(target.settings.prefix, arrival.package)
    uploaded = await _upload(arrival, target, root=root, existing=ExistingObject.KEEP, progress=progress)
    await put_sidecar(target, package, key, created=created, existing=ExistingObject.KEEP)
    proof = await _prove(target, package, uploaded)
    if proof.verdict is not Verdict.PROVEN:
        log.warning("archived_again", package=package.name, archive=target.location, reason=proof.found)
        uploaded = await _upload(
            arrival, target, root=root, existing=ExistingObject.REPLACE, progress=progress
        )
        proof = (await _prove(target, package, uploaded)).require()
    return _archived(arrival, target, key, proof)


async def put_sidecar(
    target: Archive,
    package: PackageRecord,
    key: str,
    *,
    created: datetime,
    existing: ExistingObject = ExistingObject.REPLACE,
) -> None:
    """Write the document beside a package; the same ones give the same document.

    Args:
        target: The archive.
        package: The package.
        key: Its own.
        created: When it was found fit for the archive.
        existing: Whether one that declares the same is written anew.
    """
    fencing.check()  # of two, the one that was paused writes last: with other code, another document
    url = access_url(target.settings.endpoint, target.settings.bucket, key)
    document = sidecar(package, access_url=url, created=created)
    await target.store.put_json(sidecar_key(key), document.model_dump(mode="json"), existing=existing)


async def _upload(
    arrival: Arrival, target: Archive, *, root: Path, existing: ExistingObject, progress: ByteProgress
) -> Uploaded:
    package = arrival.package
    path = await asyncio.to_thread(resolve_inside, root, arrival.path)
    try:
        return await target.store.upload_file(
            path,
            package_key(target.settings.prefix, package),
            size=package.size,
            expected_sha256=package.sha256,
            metadata=labels(package),
            existing=existing,
            progress=progress,
        )
    except Permanent as error:
        if error.problem.code not in SOURCE_FAULTS:
            raise
        await asyncio.to_thread(require_location, root, arrival.path)
        raise BufferDamaged(**error.problem.model_dump()) from error


async def _prove(target: Archive, package: PackageRecord, uploaded: Uploaded) -> Proof:
    """Look whether the archive has what it was given: if other bytes come back, they must do so twice.

    What a disk has lost stays lost, in the same way, while a faulty way to it turns other bits each time.

    Raises:
        Retriable: ``archive_misread``: other bytes came back each time, which says nothing of the object.
    """
    first = await _look_at(target, package, uploaded)
    if first.mode is ProofMode.HEAD or first.verdict is not Verdict.CHECKSUM_DIFFERS:
        return first
    second = await _look_at(target, package, uploaded)
    if second.verdict is Verdict.CHECKSUM_DIFFERS and second.found != first.found:
        raise misread(f"{target.location}: {uploaded.key}", f"{first.found}; {second.found}")
    return second


async def _look_at(target: Archive, package: PackageRecord, uploaded: Uploaded) -> Proof:
    return await target.store.prove(
        uploaded.key,
        size=package.size,
        sha256=package.sha256,
        mode=ProofMode(target.settings.proof.value),
        crc64nvme=uploaded.crc64nvme,
    )


def labels(package: PackageRecord) -> dict[str, str]:
    """What the object says of itself, in ASCII; the sidecar says the rest."""
    return {
        "package-id": str(package.package_id),
        "executed-obs-unit-id": str(package.provenance.executed_obs_unit_id),
        "instrument": package.provenance.instrument,
        "file-count": str(package.file_count),
    }


def archived_id(site: str, package_id: UUID, location: str) -> UUID:
    """The id of the event with which a site says that an archive holds a package."""
    return derived_id(PackageArchived.type_name(), site, package_id, location)


def _archived(arrival: Arrival, target: Archive, key: str, proof: Proof) -> PackageArchived:
    package = arrival.package
    return PackageArchived(
        package=package,
        location=target.location,
        bucket=target.settings.bucket,
        key=key,
        sidecar_key=sidecar_key(key),
        buffer=arrival.buffer,
        buffer_path=arrival.path,
        proof=ArchiveProof(
            mode=target.settings.proof,
            proven_at=proof.at,
            size=package.size,
            sha256=package.sha256,
            bytes_read=proof.bytes_read,
        ),
    )
