"""Bundles and their hops.

That a package is transferring follows from two facts, that it is in a bundle and that a transfer of that
bundle began, which may be told in either order: `reconciling` draws the conclusion.
"""

from contracts.bundles import BundleReceived, BundleSealed
from contracts.envelope import Envelope
from contracts.states import WorkState
from contracts.transfers import TransferCompleted, TransferFailed, TransferStarted
from libs.opsdb.projection.changes import NO_PROBLEM, Change, Upsert, one, problem_columns
from libs.opsdb.projection.folds.journals import transfer_entry
from libs.opsdb.projection.tables import (
    BUNDLED_PACKAGE,
    DATA_TRANSFER,
    DATA_TRANSFER_PACKAGE,
    RAW_DATA_PACKAGE,
)


def bundle_sealed(told: Envelope, event: BundleSealed) -> list[Change]:
    """These packages travel together."""
    bundle = event.bundle_id
    columns = {
        "route": event.route,
        "origin": event.origin,
        "destination": event.destination,
        "priority": event.priority,
        "reason": event.reason.value,
        "size": event.size,
        "package_count": len(event.packages),
        "state": WorkState.PENDING,
        "sealed_at": told.time,
    }
    packages = [bundled.package for bundled in event.packages]
    # A relay puts damaged packages into bundles of its own: which one came last, its stream does not say.
    sealed_here = [package.package_id for package in packages if package.provenance.site == told.site]
    travels = {"data_transfer_package_id": bundle}
    attempts = [
        ((bundle, bundled.package.package_id), {"attempt": bundled.attempt}) for bundled in event.packages
    ]
    return [
        one(DATA_TRANSFER_PACKAGE, (bundle,), columns),
        Upsert(RAW_DATA_PACKAGE, [((package,), travels) for package in sealed_here]),
        Upsert(BUNDLED_PACKAGE, attempts),
    ]


def transfer_started(told: Envelope, event: TransferStarted) -> list[Change]:
    """A mover has begun with it."""
    columns = {
        "data_transfer_package_id": event.bundle_id,
        "route": event.route,
        "engine": event.engine,
        "origin": event.origin,
        "destination": event.destination,
        "origin_location": event.origin_location,
        "destination_location": event.location,
        "size": event.size,
        "state": WorkState.IN_PROGRESS,
        "started_at": told.time,
    }
    return [
        one(DATA_TRANSFER, (event.transfer_id,), columns),
        one(DATA_TRANSFER_PACKAGE, (event.bundle_id,), {"state": WorkState.IN_PROGRESS}),
        transfer_entry(
            told,
            event.transfer_id,
            WorkState.IN_PROGRESS,
            f"{event.size} bytes from {event.origin_location} to {event.location} by {event.engine}",
        ),
    ]


def transfer_completed(told: Envelope, event: TransferCompleted) -> list[Change]:
    """Every byte is at the other end of the hop."""
    columns = {
        "data_transfer_package_id": event.bundle_id,
        "route": event.route,
        "origin": event.origin,
        "destination": event.destination,
        "origin_location": event.origin_location,
        "destination_location": event.location,
        "size": event.size,
        "state": WorkState.COMPLETED,
        "completed_at": told.time,
        "seconds": event.seconds,
        **NO_PROBLEM,
    }
    return [
        one(DATA_TRANSFER, (event.transfer_id,), columns),
        transfer_entry(
            told,
            event.transfer_id,
            WorkState.COMPLETED,
            f"{event.size} bytes from {event.origin_location} to {event.location} in {event.seconds:.3f} s",
        ),
    ]


def transfer_failed(told: Envelope, event: TransferFailed) -> list[Change]:
    """The hop was given up, and with it the bundle."""
    columns = {
        "data_transfer_package_id": event.bundle_id,
        "route": event.route,
        "state": WorkState.FAILED,
        **problem_columns(event.problem),
    }
    return [
        one(DATA_TRANSFER, (event.transfer_id,), columns),
        one(DATA_TRANSFER_PACKAGE, (event.bundle_id,), {"state": WorkState.FAILED}),
        transfer_entry(
            told, event.transfer_id, WorkState.FAILED, f"{event.problem.reason} ({event.problem.code})"
        ),
    ]


def bundle_received(told: Envelope, event: BundleReceived) -> list[Change]:
    """Everything of it was read at its destination."""
    columns = {"state": WorkState.COMPLETED, "received_at": told.time}
    return [one(DATA_TRANSFER_PACKAGE, (event.bundle_id,), columns)]
