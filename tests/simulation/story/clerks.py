"""Operators with second thoughts: they retry and drop dead letters, and send events again to a service."""

import asyncio
from collections.abc import Sequence
from contextvars import copy_context
from random import Random

from commands.services import load
from contracts.subjects import events_stream
from libs.bus.letter_deciding import PROJECTOR, Decisions
from libs.bus.letter_reading import read_letters
from libs.bus.letters import Letter
from libs.bus.replaying import Bound, Match, Sender, Span, chosen
from libs.bus.subscription import Subscription
from libs.errors import Retriable
from tests.simulation.bus.client import SimulatedClient
from tests.simulation.chaos import Fault
from tests.simulation.kernel.loop import CURRENT
from tests.simulation.kernel.processes import Process, Stopped
from tests.simulation.story.operating import SIMULATED
from tests.simulation.story.truth import Truth
from tests.simulation.world import World

ACTS = 3
"""An operator of a site does so much in a history, at most."""


class Clerk:
    """The operator of a site; the commands are the real ones, and may be killed like any process.

    Args:
        world: Where.
        truth: Knows which messages nobody can read.
        site: Whose letters are decided about.
    """

    def __init__(self, world: World, truth: Truth, site: str) -> None:
        self.busy = 0
        self._world = world
        self._truth = truth
        self._site = site
        self._chance = Random(f"{world.seed}:clerk of {site}")

    def work(self) -> None:
        """Begin, if the history has such operators."""
        if self._world.chaos.has(Fault.SECOND_THOUGHTS):
            self._world.loop.create_task(self._acts(), context=self._world.loop.outside_context)

    async def _acts(self) -> None:
        for number in range(ACTS):
            await asyncio.sleep(4.0 + self._chance.random() * 30.0)
            if self._world.chaos.calm:
                return
            self.busy += 1
            await self._in_a_process(f"operator.{number}@{self._site}")
            self.busy -= 1

    async def _in_a_process(self, name: str) -> None:
        process = Process(name, self._site, self._world.latency)
        self._world.processes.append(process)
        context = copy_context()
        context.run(CURRENT.set, process)
        ended: asyncio.Future[None] = self._world.loop.create_future()
        task = self._world.loop.create_task(self._act(name), context=context)
        task.add_done_callback(
            lambda _: None if ended.done() else ended.set_result(None),
            context=self._world.loop.outside_context,
        )
        await ended
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, Retriable | Stopped):
            self._world.surprise(name, error)

    async def _act(self, name: str) -> None:
        client = SimulatedClient(self._world, self._site)
        if self._chance.random() < 0.4:
            await self._replay(client, name)
            return
        for letter in await read_letters(client, self._site):  # type: ignore[arg-type]  # stands in for it
            if self._chance.random() < 0.6:
                await self._decide(client, letter)

    async def _decide(self, client: SimulatedClient, letter: Letter) -> None:
        decisions = Decisions(client, self._site, "operator")  # type: ignore[arg-type]
        hopeless = (letter.origin.stream, letter.origin.sequence) in self._truth.poison
        if letter.service == PROJECTOR or (hopeless and self._chance.random() < 0.5):
            if self._thinks_again("dropped", letter.id):
                await decisions.drop(letter, "nobody can read it")
        elif self._thinks_again("retried", letter.id):
            await decisions.retry(letter)

    async def _replay(self, client: SimulatedClient, name: str) -> None:
        sites = tuple(self._world.servers)
        services = [load(one) for one in SIMULATED]
        here = [
            one for one in services if one.subscriptions and one.runs_at(self._world.deployment, self._site)
        ]
        service = here[int(self._chance.random() * len(here))]
        sources: dict[str, list[Subscription]] = {}
        for subscription in service.subscriptions:
            for origin in subscription.origins(self._site, sites):
                sources.setdefault(events_stream(origin), []).append(subscription)
        if not self._thinks_again("replayed", service.name):
            return
        span = Span(Bound(), Bound())
        again = [one async for one in chosen(client, sources, span, Match())]  # type: ignore[arg-type]
        sender = Sender(client, site=self._site, by="operator", run=name)  # type: ignore[arg-type]
        await sender.send(again)

    def _thinks_again(self, what: str, which: object) -> bool:
        happens = self._world.chaos.counts(Fault.SECOND_THOUGHTS, self._world.loop.now, f"{what} {which}")
        if happens:
            self._world.tell(what, self._site, str(which))
        return happens


def clerks_of(world: World, truth: Truth) -> Sequence[Clerk]:
    """One at each site."""
    return [Clerk(world, truth, site) for site in world.servers]
