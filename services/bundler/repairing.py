"""A package that arrived damaged: it travels again, alone, or is given up. Pure."""

from enum import Enum, auto

from contracts.bundles import BundledPackage, BundleSealed, SealReason, repair_id
from contracts.packages import PackageCorrupted
from libs.copies.examining import summed
from libs.copies.records import CopyOnRecord
from libs.errors import ChasquiError, Permanent, Postponed
from libs.sites.models import Deployment
from services.bundler.routing import way_again

MOST_ATTEMPTS = 3
"""So many times a package is sent before a person is asked, and so many times again each time one says so."""

LOOK_AGAIN_S = 2.0
"""Between two looks whether the copy that is to be sent was built anew."""


class Asked(Enum):
    """Who asks for a package to be sent again."""

    BY_EVENT = auto()
    """The site where it arrived damaged."""
    BY_OPERATOR = auto()
    """A person, who had the dead letter sent again: the attempts are counted anew."""


def repair(
    event: PackageCorrupted,
    deployment: Deployment,
    site: str,
    *,
    route: str | None = None,
    asked: Asked = Asked.BY_EVENT,
) -> BundleSealed:
    """The bundle in which a package of this site travels once more.

    Args:
        event: What arrived damaged.
        deployment: The routes.
        site: The site that sends it.
        route: The one it took before, if that is known.
        asked: Who asks.

    Raises:
        Permanent: ``package_undeliverable`` after the last attempt, or ``no_route``.
    """
    if asked is Asked.BY_EVENT and event.attempt % MOST_ATTEMPTS == 0:
        raise Permanent(
            "package_undeliverable",
            f"{event.package.name} was sent {event.attempt} times, and is damaged at {event.location}: {_why(event)}",
            "Check the disks of both buffers and the link between them, then send the dead letter again: it "
            f"travels up to {MOST_ATTEMPTS} times more.",
        )
    destination, _ = deployment.location(event.location)
    way = way_again(deployment, site, destination, before=route)
    if way is None:
        raise Permanent(
            "no_route",
            f"no route leads from {site} to {destination}, where {event.package.name} arrived damaged",
            "Put the route back into the deployment file, then send the dead letter again.",
        )
    package = event.package
    again = BundledPackage(
        package=package, location=event.origin_location, path=event.origin_path, attempt=event.attempt + 1
    )
    return BundleSealed(
        bundle_id=repair_id(way.name, package.package_id, event.location, event.transfer_id),
        route=way.name,
        origin=site,
        destination=way.route.destination,
        priority=package.priority,
        reason=SealReason.REPAIR,
        size=package.size,
        packages=(again,),
    )


def without_a_copy(event: PackageCorrupted, origin: CopyOnRecord) -> ChasquiError:
    """What to raise while the site that is to send a package again has no whole copy of it either.

    Args:
        event: What arrived damaged.
        origin: The copy at the site that is to send it; damaged.

    Returns:
        Postponed as long as it may be made anew; Permanent ``origin_copy_lost`` otherwise.
    """
    name, where = event.package.name, f"{origin.ref.path} in {origin.ref.location}"
    found = origin.problem.reason if origin.problem is not None else "it cannot be used"
    if not origin.given_up:
        return Postponed(
            "origin_copy_damaged",
            f"{name} is to be sent again, but {where} is damaged, too: {found}",
            "Nothing: the packager builds it anew from SOURCE, then it is sent again.",
            delay_s=LOOK_AGAIN_S,
        )
    return Permanent(
        "origin_copy_lost",
        f"{name} is to be sent again, but {where} is damaged, too ({found}), and cannot be built anew from SOURCE",
        f"Put the files back to SOURCE as they were, or a whole copy of the package to {where}; then send the "
        "dead letter again.",
    )


def _why(event: PackageCorrupted) -> str:
    return summed(event.problems).reason if event.problems else "no reason was given"
