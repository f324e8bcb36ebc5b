"""Saying what becomes of associations, so that whatever is decided is decided once.

All events of a site's associations are under one guard (`libs.bus.guard`): whoever decides has seen every event
before its own, or decides again.
"""

from collections.abc import Callable
from dataclasses import dataclass

from nats.aio.client import Client

from contracts.associations import AssociationEvent, AssociationPlanned
from contracts.subjects import events_stream
from libs.associations import knowing
from libs.associations.association import Association, after
from libs.associations.deciding import Arrival
from libs.bus.guard import Covers, Guard, until_undisputed
from libs.bus.publishing import EventPublisher
from libs.errors import UserError
from libs.opsdb.reader import OpsDbReader


@dataclass(frozen=True, slots=True)
class World:
    """What a decision about one association rests on.

    Attributes:
        known: The association; None if there is none of that id.
        arrivals: Observations that are exposures of it, or of the exposures that were asked for, and are whole.
    """

    known: Association | None
    arrivals: tuple[Arrival, ...]


Decide = Callable[[World], AssociationEvent | None]
"""The next event, or None if there is nothing (more) to say; it is asked again after each event."""


class Associations:
    """The associations of one site.

    Args:
        opsdb: The site's ops-db.
        client: Connected to the site's server.
        publisher: Of the one who decides.
        site: The site.
    """

    def __init__(self, opsdb: OpsDbReader, client: Client, publisher: EventPublisher, site: str) -> None:
        self._opsdb = opsdb
        self._guard = Guard(client, publisher, site=site, event=AssociationPlanned, covers=Covers.ENTITY)
        self._stream = events_stream(site)
        self._site = site

    async def settle(
        self,
        name: str,
        decide: Decide,
        *,
        also: tuple[str, ...] = (),
        causation_id: str | None = None,
    ) -> list[AssociationEvent]:
        """Decide about an association until there is nothing more to say; store each event before the next.

        Args:
            name: The association.
            decide: Pure; it is asked again if somebody else was faster.
            also: Exposures that are to be looked for beside its own.
            causation_id: The event that asks.

        Returns:
            What was stored.

        Raises:
            UserError: ``association_elsewhere``, or what `decide` raises.
            Retriable: ``sequence_conflict``, ``bus_unavailable``, ``opsdb_unavailable``, ``projection_lags``.
        """
        said: list[AssociationEvent] = []

        async def once() -> None:
            last = await self._guard.last_sequence()
            world = await self._world(name, last, also)
            while (event := decide(world)) is not None:
                last = await self._guard.publish(event, after=last, causation_id=causation_id)
                said.append(event)
                world = World(after(world.known, event), world.arrivals)

        await until_undisputed(once)
        return said

    async def say(self, name: str, decide: Decide) -> AssociationEvent | None:
        """Decide once about an association, and store the event; None if there is nothing to say.

        Args:
            name: The association.
            decide: Pure; it is asked again if somebody else was faster.

        Raises:
            UserError: ``association_elsewhere``, or what `decide` raises.
            Retriable: As `settle`.
        """

        async def once() -> AssociationEvent | None:
            last = await self._guard.last_sequence()
            event = decide(await self._world(name, last, ()))
            if event is not None:
                await self._guard.publish(event, after=last, causation_id=None)
            return event

        return await until_undisputed(once)

    async def look(self, name: str) -> World:
        """What a decision would rest on now; nothing is said.

        Raises:
            UserError: ``association_elsewhere``.
            Retriable: As `settle`.
        """
        return await self._world(name, await self._guard.last_sequence(), ())

    async def _world(self, name: str, last: int, also: tuple[str, ...]) -> World:
        await self._opsdb.wait_applied(self._stream, last)
        async with self._opsdb.snapshot(self._stream) as view:
            found = await knowing.association(view, name)
            if found is not None and found[0] != self._site:
                raise elsewhere(name, found[0], self._site)
            known = found[1] if found else None
            missing = [member.key for member in known.missing] if known else []
            return World(known, tuple(await knowing.arrivals(view, [*missing, *also])))


def elsewhere(name: str, site: str, asked: str) -> UserError:
    """The error for an association of another site."""
    return UserError(
        "association_elsewhere",
        f"{name} is an association of {site}, and is not decided about at {asked}",
        f"Ask there: --site {site}.",
    )
