"""A service of a test's road in a process of its own, to be killed."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from commands.services import load
from libs.bus.provision import provision_consumers
from libs.service.service import Place
from libs.sites.credentials import Credentials
from tests.support.road import Road

ROOT = Path(__file__).parents[2]

_MAIN = """
import asyncio, os, sys
from pathlib import Path
from commands.services import load
from libs.service.running import run
from libs.service.service import Place
from libs.sites.credentials import Credentials
from libs.sites.models import Deployment

site, service, deployment, state = sys.argv[1:]
place = Place(
    site,
    Deployment.model_validate_json(Path(deployment).read_text()),
    Credentials.from_environment(os.environ),
    Path(state),
)
asyncio.run(run(load(service), place, graceful_s=float(os.environ["GRACEFUL_S"])))
"""


@asynccontextmanager
async def process_of(
    road: Road, place: Place, service: str, folder: Path, *, graceful_s: float = 5.0
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a service in a process while the block lasts; it is killed at the end if it still lives."""
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
        env={**os.environ, **_secrets(place.credentials), "GRACEFUL_S": str(graceful_s)},
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        await process.wait()


def _secrets(credentials: Credentials) -> dict[str, str]:
    return dict(credentials._values)
