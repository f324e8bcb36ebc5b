"""A running gateway of one site, with the projector behind it, and events of a whole road to look at."""

import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx

from contracts.subjects import events_stream
from libs.service.service import Place
from tests.support.histories import road as history
from tests.support.histories.road import Observation, Step
from tests.support.road import Road


@dataclass
class Door:
    """A site's gateway and a client of it."""

    road: Road
    place: Place
    url: str
    http: httpx.AsyncClient

    async def caught_up(self) -> None:
        """Wait until ops-db has everything of every stream."""

        async def is_up() -> bool:
            js = self.road.client(self.place).jetstream()
            rows = await self.road.query(self.place, "SELECT stream, sequence FROM stream_position")
            applied = {row["stream"]: row["sequence"] for row in rows}
            stored = {s: (await js.stream_info(s)).state.last_seq for s in self.place.streams}
            return all(applied.get(stream, 0) >= last for stream, last in stored.items())

        await self.road.eventually(is_up, what="the projection")

    async def happen(self, steps: Iterable[Step]) -> None:
        """Publish steps of a history: its origin is the road's telescope, its destination the centre."""
        sites = {history.ORIGIN: self.road.telescope, history.DESTINATION: self.road.centre}
        for site, event in steps:
            await self.road.publisher(sites[site]).publish([event])
        await self.caught_up()

    async def json(self, address: str, *, status: int = 200) -> Any:
        """The answer to a GET; AssertionError if it has another status."""
        answer = await self.http.get(address)
        assert answer.status_code == status, answer.text
        return answer.json()


@asynccontextmanager
async def opened(road: Road, place: Place, *services: str) -> AsyncIterator[Door]:
    """Run a site's gateway, and other services of it, while the block lasts."""
    listening = on_free_port(place)
    async with road.running(listening, *services, "gateway"):
        url = f"http://127.0.0.1:{listening.settings.http.gateway_port}"
        async with httpx.AsyncClient(base_url=url, timeout=20) as http:
            yield Door(road, listening, url, http)


def on_free_port(place: Place) -> Place:
    """The same site with free ports for its HTTP services."""
    with socket.socket() as one, socket.socket() as other:
        ports = []
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
            ports.append(each.getsockname()[1])
    http = place.settings.http.model_copy(update={"gateway_port": ports[0], "filing_port": ports[1]})
    site = place.settings.model_copy(update={"http": http})
    deployment = place.deployment.model_copy(update={"sites": {**place.deployment.sites, place.site: site}})
    return replace(place, deployment=deployment)


def stream_of(place: Place) -> str:
    """A site's own stream."""
    return events_stream(place.site)


__all__ = ["Door", "Observation", "opened", "stream_of"]
