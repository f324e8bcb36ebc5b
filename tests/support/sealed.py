"""Sealed packages as the packager leaves them in a BUFFER, for tests of what comes after it."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from contracts.bundles import BundledPackage, BundleSealed, SealReason, bundle_id
from contracts.observations import Target
from contracts.packages import PackageRecord, PackageVerified, Provenance
from contracts.transfers import MovedPackage, TransferCompleted, transfer_id
from libs.packaging import PayloadFile, write_bag
from libs.sites.models import Deployment
from tests.support.road import Road

START = datetime(2026, 3, 1, 4, 5, 6, tzinfo=UTC)
FILES = {"a.fits": b"A" * 5000, "sub/folder/b.fits": b"B" * 3000, "sub/ümlaut c.txt": b""}


def seal(
    folder: Path,
    site: str,
    files: Mapping[str, bytes] = FILES,
    *,
    name: str | None = None,
    priority: int = 5,
) -> BundledPackage:
    """Write a package into a BUFFER whose folder has the name of its location.

    Args:
        folder: The BUFFER.
        site: Where it was observed.
        files: Payload by path.
        name: Of the tar; a new one if left out.
        priority: Of the package.
    """
    unit = uuid4()
    source = folder.parent / f"payload-{unit.hex[:8]}"
    for path, data in files.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes(data)
    payload = [
        PayloadFile(path, len(data), (source / path).stat().st_mtime_ns) for path, data in files.items()
    ]
    name = name or f"camera-main-{unit.hex[:8]}-001.tar"
    path = f"packages/camera/{unit}/{name}"
    (folder / path).parent.mkdir(parents=True)
    bag = write_bag(
        source, payload, folder / path, name=name.removesuffix(".tar"), info={"Bagging-Date": "2026-03-01"}
    )
    record = PackageRecord(
        package_id=uuid4(),
        name=name,
        size=bag.size,
        sha256=bag.sha256,
        file_count=bag.file_count,
        payload_bytes=bag.payload_bytes,
        priority=priority,
        provenance=provenance(site, unit),
    )
    return BundledPackage(package=record, location=folder.name, path=path)


def provenance(site: str, unit: UUID) -> Provenance:
    """Of a package with everything known."""
    return Provenance(
        observatory="Test Observatory",
        telescope="Test Telescope",
        site=site,
        instrument="camera",
        module="main",
        executed_obs_unit_id=unit,
        target=Target(name="Vega", ra_deg=279.2, dec_deg=38.8),
        start_time=START,
        end_time=START + timedelta(minutes=30),
    )


def large(size: int) -> dict[str, bytes]:
    """One file of random bytes."""
    return {"large.fits": os.urandom(size)}


def buffer_of(road: Road, site: str) -> Path:
    """A site's BUFFER."""
    return road.folder(f"{site}-buffer")


def seal_at_telescope(road: Road, files: Mapping[str, bytes] = FILES) -> BundledPackage:
    """A package in the telescope's BUFFER."""
    return seal(buffer_of(road, road.telescope.site), road.telescope.site, files)


def bundle_of(deployment: Deployment, *packages: BundledPackage) -> BundleSealed:
    """A bundle on the deployment's one route."""
    [(name, route)] = deployment.routes.items()
    return BundleSealed(
        bundle_id=bundle_id(name, packages),
        route=name,
        origin=route.origin,
        destination=route.destination,
        priority=5,
        reason=SealReason.IDLE_ROUTE,
        size=sum(one.package.size for one in packages),
        packages=packages,
    )


def arrive(road: Road, *packages: BundledPackage) -> TransferCompleted:
    """Put packages of the telescope's BUFFER into the centre's, as a mover does, and tell of it."""
    bundle = bundle_of(road.telescope.deployment, *packages)
    origin, destination = road.telescope.site, road.centre.site
    for one in packages:
        target = buffer_of(road, destination) / one.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((buffer_of(road, origin) / one.path).read_bytes())
    return TransferCompleted(
        transfer_id=transfer_id(bundle.bundle_id, destination),
        bundle_id=bundle.bundle_id,
        route=bundle.route,
        origin=origin,
        destination=destination,
        origin_location=f"{origin}-buffer",
        location=f"{destination}-buffer",
        size=bundle.size,
        seconds=0.1,
        packages=tuple(
            MovedPackage(package=one.package, origin_path=one.path, path=one.path, attempt=one.attempt)
            for one in packages
        ),
    )


def verified_at_centre(road: Road, files: Mapping[str, bytes] = FILES) -> PackageVerified:
    """A package in the centre's BUFFER that was found whole."""
    one = seal(buffer_of(road, road.centre.site), road.telescope.site, files)
    return PackageVerified(
        package=one.package,
        bundle_id=uuid4(),
        transfer_id=uuid4(),
        location=one.location,
        path=one.path,
    )


def flip(path: Path, offset: int) -> None:
    """Change one byte of a file, keeping its size and time of change."""
    facts = path.stat()
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 0xFF]))
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
