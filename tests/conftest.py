"""Servers once a run, a road of its own for each test."""

import gc
from collections.abc import AsyncIterator, Collection
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.faults.length import is_long
from tests.support import logs
from tests.support import servers as run_servers
from tests.support.road import Part, Road, laid
from tests.support.servers import TestServers

logs.plainly()
# How long an example takes depends on what else the machine does.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

_RUN = ExitStack()
SERVERLESS = {"unit", "e2e", "faults"}
"""Folders of tests that need no shared servers: unit tests none at all, end-to-end and fault tests their own."""


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Start the run's servers in the controlling process, if tests were asked for that share them."""
    config = session.config
    controls = not hasattr(config, "workerinput")
    wanted = any(SERVERLESS.isdisjoint(Path(each.split("::")[0]).parts) for each in config.args)
    if controls and wanted and not config.option.collectonly:
        _RUN.enter_context(run_servers.started())


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over what was imported and collected, and stays."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is for the long form alone is left out of the short one, unless somebody names its file."""
    if is_long():
        return
    named = {Path(word.split("::")[0]).name for word in config.args}
    left_out = [item for item in items if item.get_closest_marker("long") and item.path.name not in named]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Stop the run's servers."""
    _RUN.close()


@pytest.fixture(scope="session")
def servers() -> TestServers:
    """The run's NATS, PostgreSQL and S3 servers."""
    return TestServers.of_this_run()


@pytest.fixture
def without() -> Collection[Part]:
    """What of a road is made only when a service needs it: folders of tests that mostly do without say so."""
    return ()


@pytest.fixture
async def road(servers: TestServers, tmp_path: Path, without: Collection[Part]) -> AsyncIterator[Road]:
    """Two sites with streams, databases, a bucket and folders of their own; nothing runs yet."""
    async with laid(servers, tmp_path, without=without) as made:
        yield made
