"""Mirrors: every site's events at every other site, as long as the link and both servers are there."""

from collections.abc import Callable, Mapping

from contracts.subjects import events_stream
from libs.bus.stored import StoredMessage
from tests.simulation.bus.server import Server, mirror

Later = Callable[[Callable[[], None]], None]
"""Does something after the time that a message takes over the link."""


class Mirrors:
    """All mirrors of an observatory.

    Args:
        servers: By site.
        linked: Whether two sites reach each other now.
        later: The link's patience.
        some: How many messages of so many go over the link together.
    """

    def __init__(
        self,
        servers: Mapping[str, Server],
        linked: Callable[[str, str], bool],
        later: Later,
        some: Callable[[int], int],
    ) -> None:
        self._servers = servers
        self._linked = linked
        self._later = later
        self._some = some
        self._under_way: set[tuple[str, str]] = set()
        for site, server in servers.items():
            server.own.listeners.append(self._heard(site))

    def _heard(self, origin: str) -> Callable[[StoredMessage], None]:
        return lambda _: self.wake(origin)

    def wake(self, origin: str | None = None) -> None:
        """Something may be to be copied."""
        for site in self._servers:
            for source in self._servers if origin is None else (origin,):
                if source != site:
                    self._plan(source, site)

    def _plan(self, source: str, site: str) -> None:
        way = (source, site)
        if way not in self._under_way:
            self._under_way.add(way)
            self._later(lambda: self._copy(source, site))

    def _copy(self, source: str, site: str) -> None:
        self._under_way.discard((source, site))
        origin, copy = self._servers[source], self._servers[site]
        if not (origin.up and copy.up and self._linked(source, site)):
            return
        behind = origin.own.last_sequence - copy.streams[events_stream(source)].last_sequence
        if behind and mirror(origin.own, copy.streams[events_stream(source)], self._some(behind)):
            self._plan(source, site)

    @property
    def level(self) -> bool:
        """Whether every mirror has all of its origin."""
        return all(
            server.streams[events_stream(source)].last_sequence == self._servers[source].own.last_sequence
            for server in self._servers.values()
            for source in self._servers
        )
