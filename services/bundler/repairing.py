"""A package that arrived damaged: it travels again, alone, or is given up."""

from contracts.bundles import BundledPackage, BundleSealed, SealReason
from contracts.packages import PackageCorrupted
from libs.errors import Permanent
from libs.sites.models import Deployment
from services.bundler.closing import bundle_sealed
from services.bundler.routing import way_again

MOST_ATTEMPTS = 3


def repair(event: PackageCorrupted, deployment: Deployment, site: str) -> BundleSealed | None:
    """The bundle in which the package travels once more; None if another site has to send it.

    Raises:
        Permanent: ``package_undeliverable`` after the last attempt, or ``no_route``.
    """
    if event.origin != site:
        return None
    if event.attempt >= MOST_ATTEMPTS:
        raise Permanent(
            "package_undeliverable",
            f"{event.package.name} arrived damaged at {event.location} {event.attempt} times: {_why(event)}",
            "Check the disks of both buffers and the link between them, then have the package sealed or copied anew.",
        )
    destination, _ = deployment.location(event.location)
    way = way_again(deployment, site, destination)
    if way is None:
        raise Permanent(
            "no_route",
            f"no route leads from {site} to {destination}, where {event.package.name} arrived damaged",
            "Put the route back into the deployment file, then send the dead letter again.",
        )
    again = BundledPackage(
        package=event.package,
        location=event.origin_location,
        path=event.origin_path,
        attempt=event.attempt + 1,
    )
    return bundle_sealed(way, site, SealReason.REPAIR, (again,))


def _why(event: PackageCorrupted) -> str:
    return "; ".join(problem.reason for problem in event.problems[:3]) or "no reason was given"
