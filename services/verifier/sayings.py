"""What is said of what arrived: pure."""

from collections.abc import Mapping
from uuid import UUID

from contracts.base import Event
from contracts.bundles import BundledPackage, BundleForwarded, BundleReceived
from contracts.packages import PackageCorrupted, PackageVerified
from contracts.transfers import MovedPackage, TransferCompleted
from libs.copies.examining import Damaged, Intact, Verdict
from libs.sites.models import Deployment


def package_event(transfer: TransferCompleted, moved: MovedPackage, verdict: Verdict) -> Event:
    """What is said of one package."""
    match verdict:
        case Intact():
            return PackageVerified(
                package=moved.package,
                bundle_id=transfer.bundle_id,
                transfer_id=transfer.transfer_id,
                location=transfer.location,
                path=moved.path,
            )
        case Damaged(problems):
            return PackageCorrupted(
                package=moved.package,
                bundle_id=transfer.bundle_id,
                transfer_id=transfer.transfer_id,
                origin=transfer.origin,
                origin_location=transfer.origin_location,
                origin_path=moved.origin_path,
                location=transfer.location,
                attempt=moved.attempt,
                problems=problems,
            )


def bundle_events(
    transfer: TransferCompleted, verdicts: Mapping[UUID, Verdict], deployment: Deployment, site: str
) -> list[Event]:
    """What is said of the bundle once every package was read: received, or forwarded by a relay."""
    intact = tuple(
        moved
        for moved in transfer.packages
        if isinstance(verdicts[moved.package.package_id], Intact)
    )  # fmt: skip
    route = deployment.routes.get(transfer.route)
    if route is not None and site in route.via:
        return _forwarded(transfer, intact, route.destination, site)
    received = BundleReceived(
        bundle_id=transfer.bundle_id,
        transfer_id=transfer.transfer_id,
        route=transfer.route,
        location=transfer.location,
        verified=len(intact),
        corrupted=len(transfer.packages) - len(intact),
    )
    return [received]


def events_if_intact(transfer: TransferCompleted, deployment: Deployment, site: str) -> list[Event]:
    """What ends the reading of a bundle: their ids are the same whatever was found in it."""
    intact = {moved.package.package_id: Intact() for moved in transfer.packages}
    return bundle_events(transfer, intact, deployment, site)


def _forwarded(
    transfer: TransferCompleted, intact: tuple[MovedPackage, ...], destination: str, site: str
) -> list[Event]:
    """The relay sends on what is whole; damaged packages follow in their repairs.

    A repair stays one on its next hop: attempts are counted over the whole road, so that they come to an end.
    """
    if not intact:
        return []
    forwarded = BundleForwarded(
        bundle_id=transfer.bundle_id,
        route=transfer.route,
        relay=site,
        destination=destination,
        priority=min(moved.package.priority for moved in intact),
        size=sum(moved.package.size for moved in intact),
        packages=tuple(
            BundledPackage(
                package=moved.package, location=transfer.location, path=moved.path, attempt=moved.attempt
            )
            for moved in intact
        ),
    )
    return [forwarded]
