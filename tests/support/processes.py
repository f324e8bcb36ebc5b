"""A service of a test's road in a process of its own, to be killed."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO

from commands.services import load
from libs.bus.provision import provision_consumers
from libs.service.service import Place
from libs.sites.credentials import Credentials
from tests.support.road import Road

ROOT = Path(__file__).parents[2]

_MAIN = """
import asyncio, functools, importlib, os, signal, sys, time
from pathlib import Path
from commands.services import load
from libs.service.running import run
from libs.service.service import Place
from libs.sites.credentials import Credentials
from libs.sites.models import Deployment

def stop_at(where):
    where, _, told = where.partition("@")
    module, _, names = where.partition(":")
    *owners, name = names.split(".")
    owner = functools.reduce(getattr, owners, importlib.import_module(module))
    function = getattr(owner, name)
    calls = []

    @functools.wraps(function)
    def stopping(*args, **kwargs):
        if told in repr((args, kwargs)):
            calls.append(None)
        if len(calls) == 1:
            calls.append(None)
            os.kill(os.getpid(), signal.SIGSTOP)
            time.sleep(0.05)  # this thread may run a little before all of them stand still
        return function(*args, **kwargs)

    setattr(owner, name, stopping)

site, service, deployment, state = sys.argv[1:]
place = Place(
    site,
    Deployment.model_validate_json(Path(deployment).read_text()),
    Credentials.from_environment(os.environ),
    Path(state),
)
loaded = load(service)
if os.environ["STOP_AT"]:
    stop_at(os.environ["STOP_AT"])
asyncio.run(run(loaded, place, graceful_s=float(os.environ["GRACEFUL_S"])))
"""


@asynccontextmanager
async def process_of(
    road: Road,
    place: Place,
    service: str,
    folder: Path,
    *,
    graceful_s: float = 5.0,
    stops_at: str = "",
    stdout: IO[bytes] | None = None,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a service in a process while the block lasts; it is killed at the end if it still lives.

    Args:
        road: Of the test.
        place: Where it runs.
        service: Its name.
        folder: For a file of its own.
        graceful_s: How long a stop waits for what is in hand.
        stops_at: ``module:function`` or ``module:Class.method``, where it stops itself with SIGSTOP, the first time;
            with ``@text``, the first time that its arguments show this text.
        stdout: Gets what it logs.
    """
    await road.make_for(service)
    await provision_consumers(
        road.client(place),
        site=place.site,
        origins=tuple(place.deployment.sites),
        subscriptions=load(service).subscriptions_at(place),
    )
    deployment = folder / f"{service}-deployment.json"
    deployment.write_text(place.deployment.model_dump_json())
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", _MAIN, place.site, service, str(deployment), str(place.state)),
        cwd=ROOT,
        stdout=stdout,
        env={**os.environ, **_secrets(place.credentials), "GRACEFUL_S": str(graceful_s), "STOP_AT": stops_at},
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        await process.wait()


def _secrets(credentials: Credentials) -> dict[str, str]:
    return dict(credentials._values)
