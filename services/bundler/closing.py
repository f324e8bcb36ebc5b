"""When a bundle is closed, and with what in it: one pure decision.

Under load bundles fill to the route's target size; while nothing else is on its way a package leaves at once, as
waiting would gain nothing (the idea of Nagle's algorithm, RFC 896, without its interplay with acknowledgements).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from uuid import UUID

from contracts.bundles import BundledPackage, BundleSealed, SealReason, bundle_id
from libs.sites.models import RouteSettings
from services.bundler.routing import Way

LIST_BYTES = 240_000
"""Most bytes of a bundle's list as JSON: a message stays well below the server's limit."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A package that is in no bundle yet, and since when."""

    package: BundledPackage
    since: datetime
    list_bytes: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "list_bytes", len(self.package.model_dump_json().encode()) + 1)

    @property
    def priority(self) -> int:
        """Lower first."""
        return self.package.package.priority

    @property
    def kind(self) -> tuple[int, str]:
        """What packages of one bundle have in common: their priority, and the BUFFER they lie in."""
        return self.priority, self.package.location

    @property
    def order(self) -> tuple[int, datetime, UUID]:
        """Most urgent first, then longest waiting."""
        return self.priority, self.since, self.package.package.package_id


@dataclass(frozen=True, slots=True)
class Closed:
    """A bundle that goes now: packages of one priority from one BUFFER, and why now."""

    reason: SealReason
    packages: tuple[Waiting, ...]

    def event(self, way: Way, origin: str) -> BundleSealed:
        """What is said of it at the site where it is closed."""
        packages = tuple(waiting.package for waiting in self.packages)
        return bundle_sealed(way, origin, self.reason, packages)


def bundle_sealed(
    way: Way, origin: str, reason: SealReason, packages: tuple[BundledPackage, ...]
) -> BundleSealed:
    """The event of a bundle of packages of one kind."""
    return BundleSealed(
        bundle_id=bundle_id(way.name, packages),
        route=way.name,
        origin=origin,
        destination=way.route.destination,
        priority=packages[0].package.priority,
        reason=reason,
        size=sum(one.package.size for one in packages),
        packages=packages,
    )


def close(waiting: Sequence[Waiting], route: RouteSettings, *, now: datetime, in_flight: int) -> list[Closed]:
    """Decide which bundles go now, in the order in which they go.

    Args:
        waiting: Packages in no bundle, in any order.
        route: The way they go.
        now: The time.
        in_flight: Bundles on that way that have not arrived at the first hop's end.
    """
    closed: list[Closed] = []
    rests: list[list[Waiting]] = []
    by_kind = sorted(waiting, key=lambda one: (one.kind, one.order))
    for _, group in groupby(by_kind, key=lambda one: one.kind):
        full, rest = _fill(group, route)
        closed += full
        if rest and now - rest[0].since >= route.longest_wait:
            closed.append(Closed(SealReason.LONGEST_WAIT, tuple(rest)))
        elif rest:
            rests.append(rest)
    if rests and not closed and not in_flight and route.send_when_idle:
        first = min(rests, key=lambda rest: rest[0].order)
        closed.append(Closed(SealReason.IDLE_ROUTE, tuple(first)))
    return closed


def _fill(group: Iterator[Waiting], route: RouteSettings) -> tuple[list[Closed], list[Waiting]]:
    """Full bundles of one kind, and what is left over."""
    closed: list[Closed] = []
    current: list[Waiting] = []
    for one in group:
        if current and sum(other.list_bytes for other in current) + one.list_bytes > LIST_BYTES:
            closed.append(Closed(SealReason.MOST_PACKAGES, tuple(current)))
            current = []
        current.append(one)
        reason = _full(current, route)
        if reason is not None:
            closed.append(Closed(reason, tuple(current)))
            current = []
    return closed, current


def _full(current: Sequence[Waiting], route: RouteSettings) -> SealReason | None:
    if sum(one.package.package.size for one in current) >= route.target_size:
        return SealReason.TARGET_SIZE
    return SealReason.MOST_PACKAGES if len(current) >= route.max_packages else None
