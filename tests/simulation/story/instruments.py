"""Instruments: they write files, file them, and do not always keep to what they said."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from functools import partial
from random import Random
from typing import Any
from uuid import UUID

from contracts.observations import DeclaredFile, FileFiles, FinishObservation, StartObservation
from contracts.states import FileState
from services.filing.answers import RETRIABLE
from services.filing.desk import Verb
from tests.simulation.chaos import Fault
from tests.simulation.kernel.loop import CURRENT
from tests.simulation.sites import INSTRUMENT, MODULES, SOURCE, TELESCOPE
from tests.simulation.storage.contents import Content, Cut, Written, sha256_of
from tests.simulation.storage.disk import Disk, Mount
from tests.simulation.story.operating import Operator
from tests.simulation.story.truth import TrueFile, Truth, Version
from tests.simulation.world import EPOCH, World

ANSWER_S = 12.0
"""How long an instrument waits for an answer."""


class Habit(Enum):
    """How an instrument treats a file."""

    PROMPT = "prompt"
    """Written before it is filed, and left alone."""
    LATE = "late"
    """Written some time after it was filed."""
    SLOW = "slow"
    """Written in pieces, with pauses."""
    AGAIN = "again"
    """Written anew after a while, perhaps when it is packed already."""
    WRONG_SIZE = "wrong_size"
    """Filed with a size that it does not have, and filed again later as it is: once, for that has to be enough."""
    WRONG_SHA = "wrong_sha"
    """Filed with another checksum, and filed again later as it is."""
    MOVED_AWAY = "moved_away"
    """Taken away for a while after it was filed, and put back as it was."""
    NEVER = "never"
    """Filed and never written."""


ATTENDED_EVERY_S = 15.0

REFILED = {Habit.WRONG_SIZE, Habit.WRONG_SHA, Habit.AGAIN}
"""What may need to be filed again, as it is by then."""


@dataclass
class Plan:
    """A file that will be written.

    Attributes:
        path: Relative to the instrument's folder.
        corrected: Whether it was filed again, and that accepted.
    """

    path: str
    module: str | None
    habit: Habit
    content: Content
    size: int
    declares: bool
    corrected: bool = False

    @property
    def source_path(self) -> str:
        """Relative to the SOURCE location."""
        return f"{INSTRUMENT}/{self.path}"


class Instrument:
    """One instrument with the observations of a history.

    Args:
        world: Where.
        operator: Whose filing desks take its requests.
        truth: Where it is written down what it did.
        observations: Numbers of observations, one of which it makes.
        files: Numbers of files, of which an observation has one.
    """

    def __init__(
        self,
        world: World,
        operator: Operator,
        truth: Truth,
        observations: Sequence[int],
        files: Sequence[int],
    ) -> None:
        self._observations = observations
        self._files = files
        self.truth = truth
        self.busy = 0
        self._world = world
        self._operator = operator
        self._chance = Random(f"{world.seed}:instruments")
        self._attended: list[tuple[UUID, list[Plan]]] = []

    @property
    def _disk(self) -> Disk:
        return self._world.disks[SOURCE]

    def observe(self) -> None:
        """Begin all observations, each at a time of its own."""
        for number in range(self._chance.choice(self._observations)):
            begin = self._chance.random() * 25.0 if number else 0.0
            self._begin(partial(self._observation, number), begin)

    async def attend(self) -> None:
        """A person looks at the page now and then, and files again what was refused or filed wrongly."""
        while True:
            await asyncio.sleep(ATTENDED_EVERY_S)
            for unit, plans in self._attended:
                waiting = [plan for plan in plans if self._may_file_again(plan) and self._is_stuck(plan)]
                if waiting:
                    await self._file(unit, waiting, wrong=False)

    def _may_file_again(self, plan: Plan) -> bool:
        return plan.habit in REFILED and not (plan.corrected and plan.habit is Habit.WRONG_SIZE)

    def _is_stuck(self, plan: Plan) -> bool:
        files = self._world.databases[TELESCOPE].tables["raw_data_file"].values()
        states = {file["state"] for file in files if file["path"] == plan.source_path}
        return bool(states & {FileState.REFUSED, FileState.MISSING})

    def _begin(self, work: Callable[[], Awaitable[None]], after: float) -> None:
        async def later() -> None:
            await asyncio.sleep(after)
            await work()
            self.busy -= 1

        self.busy += 1
        self._world.loop.create_task(later(), context=self._world.loop.outside_context)

    async def _observation(self, number: int) -> None:
        start = StartObservation(
            instrument=INSTRUMENT, start_time=EPOCH + timedelta(hours=number), obs_unit=f"unit-{number}"
        )
        unit = start.unit_id()
        plans = [self._plan(number, n) for n in range(self._chance.choice(self._files))]
        for plan in plans:
            self.truth.files[plan.source_path] = TrueFile(plan.source_path, unit)
        await self._ask(Verb.START, start.model_dump_json().encode())
        prompt = [plan for plan in plans if plan.habit is not Habit.LATE]
        late = [plan for plan in plans if plan.habit is Habit.LATE]
        before = [self._world.loop.create_task(self._write(plan)) for plan in prompt]
        await asyncio.sleep(self._chance.random() * 3.0)
        await self._file(unit, plans, wrong=True)
        for plan in late:
            self._begin(partial(self._write, plan), self._chance.random() * 40.0)
        await self._ask(Verb.FINISH, self._end(unit, number))
        self.truth.finished.add(unit)
        await asyncio.gather(*before)
        if any(plan.habit in REFILED for plan in plans):
            await asyncio.sleep(5.0 + self._chance.random() * 25.0)
            self._attended.append((unit, plans))

    def _end(self, unit: UUID, number: int) -> bytes:
        end = EPOCH + timedelta(hours=number, minutes=5)
        return FinishObservation(executed_obs_unit_id=unit, end_time=end).model_dump_json().encode()

    def _plan(self, observation: int, number: int) -> Plan:
        restless = self._world.strikes(Fault.RESTLESS_FILES, f"file {observation}.{number}")
        habit = self._chance.choice(list(Habit)[1:])
        name = f"night/{observation}/{number}.fits"
        return Plan(
            path=name,
            module=self._chance.choice((None, *MODULES)),
            habit=habit if restless else Habit.PROMPT,
            content=Written(f"{name} as observed"),
            # Files of one size are what a swap of two can hide behind.
            size=1000 if self._chance.random() < 0.5 else 500 + int(self._chance.random() * 3000),
            declares=self._chance.random() < 0.5,
        )

    # Files

    async def _write(self, plan: Plan) -> None:
        match plan.habit:
            case Habit.NEVER:
                return
            case Habit.SLOW:
                await self._put(plan, Cut(plan.content, plan.size // 2), plan.size // 2, last=False)
                await asyncio.sleep(self._chance.random() * 8.0)
                await self._put(plan, plan.content, plan.size)
            case Habit.AGAIN:
                await self._put(plan, Written(f"{plan.path} at first"), plan.size, last=False)
                await asyncio.sleep(self._chance.random() * 40.0)
                await self._put(plan, plan.content, plan.size)
            case Habit.MOVED_AWAY:
                await self._put(plan, plan.content, plan.size)
                await self._move_away(plan)
            case _:
                await self._put(plan, plan.content, plan.size)

    async def _put(self, plan: Plan, content: Content, size: int, *, last: bool = True) -> None:
        await self._room(size)
        disk, path = self._disk, plan.source_path
        version = Version(content, size, self._world.wall_ns(TELESCOPE))
        disk.make_folder(path.rpartition("/")[0])
        disk.put(path, content, size, mtime_ns=version.mtime_ns, now=self._world.wall(TELESCOPE))
        file = self.truth.files[path]
        file.versions.append(version)
        file.final = version if last else None
        self._world.tell("write", SOURCE, path, size, what=disk)

    async def _room(self, size: int) -> None:
        while self._disk.mount is not Mount.THERE or self._disk.free() < size:
            await asyncio.sleep(2.0)

    async def _move_away(self, plan: Plan) -> None:
        await asyncio.sleep(self._chance.random() * 6.0)
        await self._room(0)
        node = self._disk.find(plan.source_path)
        if node is None:
            return
        del self._disk.nodes[plan.source_path]
        self._world.tell("away", SOURCE, plan.source_path)
        await asyncio.sleep(self._chance.random() * 20.0)
        await self._room(node.size)
        folder = plan.source_path.rpartition("/")[0]
        self._disk.make_folder(folder)
        self._disk.nodes.setdefault(plan.source_path, node)
        self._world.tell("back", SOURCE, plan.source_path)

    # Requests

    async def _file(self, unit: UUID, plans: list[Plan], *, wrong: bool) -> None:
        declared = tuple(self._declared(plan, wrong=wrong) for plan in plans)
        request = FileFiles(executed_obs_unit_id=unit, files=declared)
        answer = await self._ask(Verb.FILES, request.model_dump_json().encode())
        if answer.accepted:
            self.truth.filed |= {plan.source_path for plan in plans}
            for plan in plans:
                plan.corrected = not wrong

    def _declared(self, plan: Plan, *, wrong: bool) -> DeclaredFile:
        size = plan.size if plan.declares or plan.habit is Habit.WRONG_SIZE else None
        sha = sha256_of(plan.content) if plan.declares or plan.habit is Habit.WRONG_SHA else None
        if wrong and plan.habit is Habit.WRONG_SIZE:
            size = plan.size + 1
        if wrong and plan.habit is Habit.WRONG_SHA:
            sha = "0" * 64
        return DeclaredFile(path=plan.path, module=plan.module, size=size, sha256=sha)

    async def _ask(self, verb: Verb, body: bytes) -> Any:
        """Send a request until it is answered for good, and now and then once more."""
        while True:
            answer = await self._asked(verb, body)
            if answer is not None and (answer.accepted or answer.problem.code not in RETRIABLE):
                break
            await asyncio.sleep(0.5 + self._chance.random() * 3.0)
        self._world.tell("answer", verb.value, answer.accepted)
        if self._world.strikes(Fault.REPEATS, verb.value):
            self._begin(partial(self._repeat, verb, body), self._chance.random() * 30.0)
        return answer

    async def _repeat(self, verb: Verb, body: bytes) -> None:
        await self._asked(verb, body)

    async def _asked(self, verb: Verb, body: bytes) -> Any | None:
        """One request over NATS: to any open desk; None if no answer comes."""
        await asyncio.sleep(self._world.latency())
        desks = self._operator.desks(TELESCOPE)
        if not desks or not self._world.servers[TELESCOPE].up:
            return None
        process, desk = desks[int(self._chance.random() * len(desks))]
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        context = copy_context()
        context.run(CURRENT.set, process)
        self._world.loop.create_task(self._answer(desk, verb, body, answer), context=context)
        try:
            async with asyncio.timeout(ANSWER_S):
                return await answer
        except TimeoutError:
            return None

    async def _answer(self, desk: Any, verb: Verb, body: bytes, answer: "asyncio.Future[Any]") -> None:
        found = await desk.answer(verb, body, {})
        await self._world.spot(f"answer {verb.value}")
        if not found.accepted and found.problem.code == "unexpected_error":
            self._world.surprise(f"filing {verb.value}", AssertionError(found.problem.reason))
        if not answer.done() and not self._world.strikes(Fault.LOST_REPLIES, f"answer {verb.value}"):
            answer.set_result(found)
