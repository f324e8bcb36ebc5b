"""Where operators decide about associations: the site that owns them."""

import getpass
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from commands.reaching import places_of, reached
from contracts.association_ids import is_association_id
from contracts.subjects import events_stream
from libs.associations import knowing
from libs.associations.association import Association
from libs.associations.planning import Who
from libs.associations.saying import Associations
from libs.bus.extent import last_sequence
from libs.bus.publishing import EventPublisher
from libs.errors import UserError
from libs.insight.sight import Sight
from libs.service.service import Place
from libs.sites.units import parse_duration
from libs.sites.workdir import Workdir

OPERATOR = "operator"
"""Who says what an operator decided."""


@dataclass(frozen=True, slots=True)
class Desk:
    """An operator's way to the associations of a site."""

    place: Place
    sight: Sight
    associations: Associations

    @property
    def deadline(self) -> timedelta:
        """How long an association of the site waits that names no deadline."""
        return self.place.settings.associations.deadline

    async def known(self, name: str) -> Association:
        """An association of the site.

        Raises:
            UserError: ``association_unknown`` or ``association_elsewhere``.
        """
        world = await self.associations.look(name)
        if world.known is None:
            raise unknown(name)
        return world.known


@asynccontextmanager
async def opened(place: Place) -> AsyncIterator[Desk]:
    """A site's desk, while the block lasts; its ops-db knows by then all that the site has said.

    Raises:
        Retriable: ``bus_unavailable``, ``opsdb_unavailable`` or ``projection_lags``.
    """
    async with reached(place) as sight:
        publisher = EventPublisher(sight.client, site=place.site, service=OPERATOR)
        stream = events_stream(place.site)
        await sight.opsdb.wait_applied(stream, await last_sequence(sight.client, stream))
        yield Desk(place, sight, Associations(sight.opsdb, sight.client, publisher, place.site))


async def owner_of(workdir: Workdir, name: str, site: str | None) -> Place:
    """The running site that an association belongs to.

    Raises:
        UserError: ``association_id_invalid``, ``association_unknown`` or ``association_elsewhere``.
        Retriable: A site's servers are away.
    """
    places = places_of(workdir, site)
    for place in places:
        async with opened(place) as desk:
            owner = await knowing.owner(desk.sight.opsdb, read_name(name))
        if owner is None:
            continue
        found = next((one for one in places_of(workdir) if one.site == owner), None)
        if found is None or site not in {None, owner}:
            raise UserError(
                "association_elsewhere",
                f"{name} is an association of {owner}",
                f"Run the command where {owner} runs: --site {owner}.",
            )
        return found
    raise unknown(name)


@asynccontextmanager
async def owning(workdir: Workdir, name: str, site: str | None) -> AsyncIterator[Desk]:
    """The desk of the site that an association belongs to, while the block lasts.

    Raises:
        UserError: As `owner_of`.
        Retriable: As `opened`.
    """
    async with opened(await owner_of(workdir, name, site)) as desk:
        yield desk


def planning_place(workdir: Workdir, site: str | None) -> Place:
    """The running site at which associations are planned: one with instruments, whose associator collects them.

    Raises:
        UserError: ``no_associator``.
    """
    places: Sequence[Place] = places_of(workdir, site)
    for place in places:
        if place.deployment.instruments_at(place.site):
            return place
    raise UserError(
        "no_associator",
        f"no instrument stands at {', '.join(place.site for place in places)}, and so nobody collects there",
        "Plan associations at a site with instruments: --site SITE.",
    )


def read_name(name: str) -> str:
    """An association's id as somebody typed it, in upper case.

    Raises:
        UserError: ``association_id_invalid``.
    """
    if not is_association_id(name.strip()):
        raise UserError(
            "association_id_invalid",
            f"{name[:80]!r} is no association: its id is IPPPSSAA0, in base 36",
            "Look it up: chasqui association list.",
        )
    return name.strip().upper()


def unknown(name: str) -> UserError:
    """The error for an association that is not there."""
    return UserError(
        "association_unknown", f"there is no association {name}", "Look it up: chasqui association list."
    )


def me(reason: str) -> Who:
    """The operator at the terminal, now."""
    return Who(getpass.getuser(), datetime.now(UTC), reason.strip())


def after(within: str | None, otherwise: timedelta) -> datetime:
    """A deadline as somebody typed it: so long from now.

    Raises:
        UserError: ``duration_invalid``.
    """
    if within is None:
        return datetime.now(UTC) + otherwise
    try:
        span = parse_duration(within)
        if isinstance(span, timedelta):
            return datetime.now(UTC) + span
    except (ValueError, OverflowError) as error:
        raise UserError("duration_invalid", str(error), "Write for example --within 2d.") from error
    raise UserError("duration_invalid", f"{within!r} is no duration", "Write for example --within 2d.")
