"""The seed, the length, the stages and the reports of the fault suite."""

import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Generic, TypeVar

import pytest
import pytest_asyncio

from tests.faults import deployment
from tests.faults.length import LENGTH, is_long
from tests.faults.outside import Between, between
from tests.faults.report import Report
from tests.faults.scenario import Scene, Stage, playing, set_up
from tests.faults.system import standing

SEED = "CHASQUI_FAULTS_SEED"
REPORT = "fault report"

T = TypeVar("T")

Play = Callable[[str], AbstractAsyncContextManager[Scene]]
NewReport = Callable[[str], Report]
PlayBetween = Callable[[str], AbstractAsyncContextManager[tuple[Scene, Between]]]


def pytest_configure() -> None:
    """Choose a seed for all workers, unless one was given."""
    os.environ.setdefault(SEED, str(secrets.randbelow(2**32)))


def pytest_report_header() -> str:
    """Name the seed before anything happens."""
    return f"faults: {SEED}={os.environ[SEED]} {LENGTH}={os.environ.get(LENGTH, 'short')}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each scenario."""
    told = [
        words
        for reports in terminalreporter.stats.values()
        for one in reports
        for name, words in getattr(one, "user_properties", ())
        if name == REPORT and one.when == "teardown"
    ]
    if told:
        terminalreporter.section("what was done, and whether all came out whole")
        for words in sorted(told):
            terminalreporter.line(words)


@pytest.fixture(scope="session")
def long() -> bool:
    """Whether the long form was asked for."""
    return is_long()


class Stages(Generic[T]):
    """One stage of a kind, for as many scenarios as leave it whole.

    Args:
        make: Sets one up.
        stage_of: Where it has its stage.
    """

    def __init__(
        self, make: Callable[[], AbstractAsyncContextManager[T]], stage_of: Callable[[T], Stage]
    ) -> None:
        self._make = make
        self._stage_of = stage_of
        self._stack = AsyncExitStack()
        self._made: T | None = None

    @asynccontextmanager
    async def playing(self, report: Report) -> AsyncIterator[tuple[Scene, T]]:
        """Play a scenario on the stage; on another one if the last scenario spoilt it."""
        if self._made is not None and self._stage_of(self._made).spoilt:
            await self.close()
        if self._made is None:
            self._made = await self._stack.enter_async_context(self._make())
        async with playing(self._stage_of(self._made), report) as scene:
            yield scene, self._made

    async def close(self) -> None:
        """Take the stage down."""
        self._made = None
        await self._stack.aclose()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stages(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stages[Stage]]:
    """Stages whose servers are all embedded."""

    @asynccontextmanager
    async def make() -> AsyncIterator[Stage]:
        folder = tmp_path_factory.mktemp("faults")
        async with standing(folder / "work", deployment.write(folder)) as system, set_up(system) as stage:
            yield stage

    several = Stages(make, lambda stage: stage)
    yield several
    await several.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stages_between(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stages[Between]]:
    """Stages on servers of the test's own."""
    several = Stages(lambda: between(tmp_path_factory.mktemp("between")), lambda made: made.stage)
    yield several
    await several.close()


@pytest.fixture
def new_report(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> Iterator[NewReport]:
    """Makes the test's report, which is told at the end whatever comes of the test."""
    made: list[Report] = []

    def one(title: str) -> Report:
        made.append(Report(title, f"{os.environ[SEED]}:{request.node.name}"))
        return made[-1]

    yield one
    for report in made:
        record_property(REPORT, report.summary())


@pytest.fixture
def play(stages: Stages[Stage], new_report: NewReport) -> Play:
    """Play a scenario: ``async with play("what it is about") as scene``."""

    @asynccontextmanager
    async def one(title: str) -> AsyncIterator[Scene]:
        async with stages.playing(new_report(title)) as (scene, _):
            yield scene

    return one


@pytest.fixture
def play_between(stages_between: Stages[Between], new_report: NewReport) -> PlayBetween:
    """Play a scenario with a hand in between: ``async with play_between("…") as (scene, between)``."""
    return lambda title: stages_between.playing(new_report(title))
