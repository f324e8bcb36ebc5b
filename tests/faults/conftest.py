"""The seed, the length, the stages and the reports of the fault suite."""

import os
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import pytest
import pytest_asyncio

from tests.faults import deployment
from tests.faults.report import Report
from tests.faults.scenario import Scene, Stage, playing, set_up
from tests.faults.system import standing

SEED, LENGTH = "CHASQUI_FAULTS_SEED", "CHASQUI_FAULTS"
REPORT = "fault report"

Play = Callable[[str], AbstractAsyncContextManager[Scene]]


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
        if name == REPORT and one.when == "call"
    ]
    if told:
        terminalreporter.section("what was done, and whether all came out whole")
        for words in sorted(told):
            terminalreporter.line(words)


@pytest.fixture(scope="session")
def long() -> bool:
    """Whether the long form was asked for."""
    return os.environ.get(LENGTH) == "long"


class Stages:
    """One stage of a kind, for as many scenarios as leave it whole."""

    def __init__(self, make: Callable[[], AbstractAsyncContextManager[Stage]]) -> None:
        self._make = make
        self._stack = AsyncExitStack()
        self._stage: Stage | None = None

    async def whole(self) -> Stage:
        """The stage; another one if the last scenario spoilt it."""
        if self._stage is not None and self._stage.spoilt:
            await self.close()
        if self._stage is None:
            self._stage = await self._stack.enter_async_context(self._make())
        return self._stage

    async def close(self) -> None:
        """Take the stage down."""
        self._stage = None
        await self._stack.aclose()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stages(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stages]:
    """Stages whose servers are all embedded."""

    @asynccontextmanager
    async def make() -> AsyncIterator[Stage]:
        folder = tmp_path_factory.mktemp("faults")
        async with standing(folder / "work", deployment.write(folder)) as system, set_up(system) as stage:
            yield stage

    several = Stages(make)
    yield several
    await several.close()


@pytest.fixture
def play(
    stages: Stages, request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> Play:
    """Play a scenario on a whole stage: ``async with play("what it is about") as scene``."""

    @asynccontextmanager
    async def one(title: str) -> AsyncIterator[Scene]:
        report = Report(title, f"{os.environ[SEED]}:{request.node.name}")
        try:
            async with playing(await stages.whole(), report) as scene:
                yield scene
        finally:
            record_property(REPORT, report.summary())

    return one
