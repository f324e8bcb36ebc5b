"""What may go otherwise on the road."""

from collections.abc import Iterator
from datetime import timedelta

from contracts.base import derived_id
from contracts.bundles import BundleForwarded, SealReason
from contracts.copies import CopyDeleted, CopyRef, CopyScrubbed, DeletionRefused, RefusedCopy
from contracts.deployment import (
    DeploymentApplied,
    InstrumentFact,
    LocationFact,
    ModuleFact,
    RouteFact,
    SiteFact,
)
from contracts.files import (
    FilesMissing,
    FilesRefused,
    FilesUnfiled,
    ProblemFile,
    RenderFailed,
    ResultsFiled,
    UnfiledFile,
)
from contracts.packages import PackageAbandoned, PackageCorrupted, PackageStaged
from contracts.problems import Problem
from contracts.staging import (
    ReleaseReason,
    Selection,
    StagingCompleted,
    StagingFailed,
    StagingReleased,
    StagingRequested,
)
from contracts.states import CopyKind, CopyState, LocationType, RouteType, StorageType
from contracts.transfers import TransferFailed
from tests.support.histories import road
from tests.support.histories.road import Observation, Step


def problem(code: str) -> Problem:
    """A problem with this code."""
    return Problem(code=code, reason=f"it was {code}", remedy="Look at it.")


def _all_files(observation: Observation, code: str) -> tuple[ProblemFile, ...]:
    return tuple(
        ProblemFile(file_id=i, path=path, problem=problem(code))
        for i, path in zip(observation.file_ids, observation.paths, strict=True)
    )


def missing(observation: Observation) -> Step:
    """The files did not appear in time."""
    return road.ORIGIN, FilesMissing(
        executed_obs_unit_id=observation.id,
        instrument=road.INSTRUMENT,
        location=road.SOURCE,
        files=_all_files(observation, "file_missing"),
    )


def unfiled(observation: Observation, *, filed_later: bool) -> Step:
    """Files that nobody filed; the observation's own if they are filed later."""
    paths = observation.paths if filed_later else [f"stray/{observation.number}.fits"]
    files = tuple(
        UnfiledFile(path=path, size=road.FILE_SIZE, mtime_ns=1, problem=problem("unfiled_file"))
        for path in paths
    )
    return road.ORIGIN, FilesUnfiled(location=road.SOURCE, instrument=road.INSTRUMENT, files=files)


def refusal(observation: Observation, code: str) -> Iterator[Step]:
    """The packager plans, refuses the first file, and gives the plan up."""
    yield from road.planning(observation)
    yield (
        road.ORIGIN,
        FilesRefused(
            executed_obs_unit_id=observation.id,
            instrument=road.INSTRUMENT,
            location=road.SOURCE,
            package_id=observation.package_id,
            files=_all_files(observation, code)[:1],
        ),
    )
    yield (
        road.ORIGIN,
        PackageAbandoned(
            package_id=observation.package_id,
            executed_obs_unit_id=observation.id,
            problem=problem(code),
        ),
    )


def not_rendered(observation: Observation, code: str) -> Step:
    """There are no pictures."""
    return road.ORIGIN, RenderFailed(executed_obs_unit_id=observation.id, files=_all_files(observation, code))


def failed_travel(observation: Observation) -> Iterator[Step]:
    """A hop is given up."""
    yield road.ORIGIN, road.bundled(observation)
    yield road.ORIGIN, road.started(observation)
    yield (
        road.ORIGIN,
        TransferFailed(
            transfer_id=observation.transfer_id,
            bundle_id=observation.bundle_id,
            route=road.ROUTE,
            package_ids=(observation.package_id,),
            problem=problem("link_down"),
        ),
    )


def corrupted_travel(observation: Observation) -> Iterator[Step]:
    """What arrives is damaged."""
    yield from road.travel(observation)
    yield (
        road.DESTINATION,
        PackageCorrupted(
            package=observation.record,
            bundle_id=observation.bundle_id,
            transfer_id=observation.transfer_id,
            origin=road.ORIGIN,
            origin_location=road.ORIGIN_BUFFER,
            origin_path=observation.record.name,
            location=road.BUFFER,
            attempt=observation.attempt,
            problems=(problem("checksum_mismatch"),),
        ),
    )
    yield road.DESTINATION, road.received(observation, corrupted=1)


def forwarded(observation: Observation) -> Step:
    """The bundle is at a relay."""
    return road.DESTINATION, BundleForwarded(
        bundle_id=observation.bundle_id,
        route=road.ROUTE,
        relay=road.DESTINATION,
        destination=road.DESTINATION,
        priority=5,
        size=observation.record.size,
        packages=observation.bundle,
    )


def repaired_by_relay(observation: Observation) -> Step:
    """A relay sends a damaged package again, in a bundle of its own."""
    again = road.bundled(observation)
    own = derived_id("data_transfer_package", "relay", observation.package_id)
    update = {"bundle_id": own, "origin": road.DESTINATION, "reason": SealReason.REPAIR}
    return road.DESTINATION, again.model_copy(update=update)


def staging(observation: Observation, *, fails: bool) -> Iterator[Step]:
    """Somebody asks for the observation; asked at one site, done at the other."""
    job = derived_id("staging_job", observation.id)
    folder = f"jobs/{job}"
    there = observation.end + timedelta(days=1)
    yield (
        road.ORIGIN,
        StagingRequested(
            job_id=job,
            selection=Selection(executed_obs_unit_ids=(observation.id,)),
            requested_by="somebody",
            requested_at=there,
            location=road.PROCESSING,
            folder=folder,
        ),
    )
    if fails:
        yield (
            road.DESTINATION,
            StagingFailed(job_id=job, location=road.PROCESSING, problem=problem("archive_unavailable")),
        )
        return
    size = observation.files * road.FILE_SIZE
    yield (
        road.DESTINATION,
        PackageStaged(
            job_id=job,
            package_id=observation.package_id,
            location=road.PROCESSING,
            folder=folder,
            file_count=observation.files,
            payload_bytes=size,
        ),
    )
    yield (
        road.DESTINATION,
        StagingCompleted(
            job_id=job,
            location=road.PROCESSING,
            folder=folder,
            packages=1,
            files=observation.files,
            payload_bytes=size,
            expires_at=there + timedelta(days=30),
        ),
    )
    results = (UnfiledFile(path=f"{folder}/result.fits", size=1, mtime_ns=1),)
    yield (
        road.DESTINATION,
        ResultsFiled(job_id=job, location=road.PROCESSING, filed_at=there, files=results),
    )
    yield (
        road.DESTINATION,
        StagingReleased(job_id=job, location=road.PROCESSING, folder=folder, reason=ReleaseReason.RELEASED),
    )


def keeping(observation: Observation) -> Iterator[Step]:
    """The janitor may not, then may; the verifier scrubs the archive's copy."""
    record = observation.record
    buffered = CopyRef(
        kind=CopyKind.RAW_DATA_PACKAGE,
        entity_id=record.package_id,
        location=road.BUFFER,
        path=record.name,
        size=record.size,
    )
    gone = observation.end + timedelta(days=8)
    for state, code in (
        (CopyState.DELETION_POSSIBLE, "too_fresh"),
        (CopyState.PRESENT, "held"),
        (CopyState.DELETION_FAILED, "delete_refused"),
    )[: 1 + observation.number % 3]:
        refused = RefusedCopy(copy_ref=buffered, problem=problem(code), state=state, after=observation.end)
        yield road.DESTINATION, DeletionRefused(location=road.BUFFER, refusals=(refused,))
    yield (
        road.DESTINATION,
        CopyDeleted(
            location=road.BUFFER,
            batch=derived_id("clearing", record.package_id),
            deleted_at=gone,
            copies=(buffered,),
        ),
    )
    kept = buffered.model_copy(update={"location": road.ARCHIVE})
    damage = problem("checksum_mismatch") if observation.number % 2 else None
    yield road.DESTINATION, CopyScrubbed(copy_ref=kept, scrubbed_at=gone, problem=damage)


def deployment(revision: int) -> DeploymentApplied:
    """The deployment of the two sites; every revision describes the first one in other words."""

    def location(
        name: str, site: str, kind: LocationType, storage: StorageType, address: str
    ) -> LocationFact:
        return LocationFact(
            name=name, site=site, type=kind, storage=storage, address=address, priority=1, active=True
        )

    disk = StorageType.DISK
    return DeploymentApplied(
        revision=revision,
        observatory="Observatory",
        telescope="Telescope",
        sites=(
            SiteFact(name=road.ORIGIN, description=f"revision {revision}"),
            SiteFact(name=road.DESTINATION),
        ),
        locations=(
            location(road.SOURCE, road.ORIGIN, LocationType.SOURCE, disk, f"/source/{revision}"),
            location(road.ORIGIN_BUFFER, road.ORIGIN, LocationType.BUFFER, disk, "/buffer"),
            location(road.BUFFER, road.DESTINATION, LocationType.BUFFER, disk, "/buffer"),
            location(
                road.ARCHIVE,
                road.DESTINATION,
                LocationType.LONG_TERM_ARCHIVE,
                StorageType.S3,
                f"http://s3:8080/archive{revision}",
            ),
            location(
                "vault", road.DESTINATION, LocationType.LONG_TERM_ARCHIVE, StorageType.TAPE, "library-1"
            ),
        ),
        instruments=(
            InstrumentFact(
                name=road.INSTRUMENT,
                site=road.ORIGIN,
                source=road.SOURCE,
                folder=road.INSTRUMENT,
                available=bool(revision % 2),
                package_limit=50_000_000_000,
                modules=(ModuleFact(name=road.MODULE), ModuleFact(name="blue")),
            ),
        ),
        routes=(
            RouteFact(
                name=road.ROUTE,
                type=RouteType.RELAY,
                origin=road.ORIGIN,
                destination=road.DESTINATION,
                via=("relay-a", "relay-b")[:revision],
            ),
        ),
    )
