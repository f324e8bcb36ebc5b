"""A deployment on this machine, from its servers to its services: what `up` and `demo` share."""

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from commands.child import Task
from commands.embedding import servers_of
from commands.founding import found, services_at
from commands.supervising import Supervisor, Worker
from contracts.subjects import heartbeat_bucket
from libs.bus.buckets import read_bucket
from libs.bus.connection import connect
from libs.errors import UserError
from libs.service.service import Place, instance_name
from libs.sites.credentials import Credentials
from libs.sites.loading import load
from libs.sites.models import Deployment
from libs.sites.running import Running, SiteUrls, announced
from libs.sites.workdir import Workdir, WorkdirLock

LONGEST_SOCKET_FOLDER = 70
"""Bytes: the kernel takes 107 for the path of a socket, of which multiprocessing adds 33."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A running deployment.

    Attributes:
        deployment: With real addresses.
        places: By site.
        supervisor: Of its service processes.
        workdir: Where it keeps everything.
    """

    deployment: Deployment
    credentials: Credentials
    places: dict[str, Place]
    supervisor: Supervisor
    workdir: Workdir

    def start(self, site: str, service: str) -> Worker:
        """Start one service process; its log is ``logs/<site>-<service>.log``."""
        log = self.workdir.logs / f"{site}-{service}.log"
        return self.supervisor.start(
            Task(service=service, place=self.places[site], log=log, supervisor=os.getpid())
        )

    def start_all(self, *, but: Sequence[str] = ()) -> None:
        """Start what every site needs, except the named services."""
        for site in self.places:
            for service in services_at(self.deployment, site):
                if service.name not in but:
                    self.start(site, service.name)

    async def until_ready(self, within_s: float = 60.0) -> tuple[str, ...]:
        """Wait until every service that was started says that it is alive.

        A word of instances that were killed shortly before, with their supervisor, does not count.

        Returns:
            Those that do not within `within_s` seconds, as ``service@site``: see their logs.
        """
        missing = {worker.name: worker for worker in self.supervisor.workers}
        deadline = time.monotonic() + within_s
        async with AsyncExitStack() as stack:
            clients = {}
            for site, place in self.places.items():
                clients[site] = await connect(place.bus_address(), name="up")
                stack.push_async_callback(clients[site].close)
            while missing and time.monotonic() < deadline:
                for site, client in clients.items():
                    alive = await read_bucket(client, heartbeat_bucket(site))
                    for worker in [one for one in missing.values() if one.task.place.site == site]:
                        if instance_name(worker.task.service, worker.process.pid) in alive:
                            del missing[worker.name]
                await asyncio.sleep(0.1)
        return tuple(sorted(missing))

    def urls(self) -> dict[str, SiteUrls]:
        """Where the HTTP services of each site answer."""
        found: dict[str, SiteUrls] = {}
        for site in self.places:
            http = self.deployment.site(site).http
            names = {service.name for service in services_at(self.deployment, site)}
            found[site] = SiteUrls(
                filing=f"http://{http.host}:{http.filing_port}" if "filing" in names else None,
                gateway=f"http://{http.host}:{http.gateway_port}" if "gateway" in names else None,
            )
        return found


@asynccontextmanager
async def standing(
    config: Path, workdir: Workdir, environment: Credentials, sites: Sequence[str] = ()
) -> AsyncIterator[Standing]:
    """Start servers, make everything ready, and let other commands find it; services are the caller's to start.

    Args:
        config: The deployment file; absolute.
        workdir: Held by a lock while the block lasts.
        environment: Credentials of servers that are not embedded.
        sites: The sites to run here; all if empty.

    Raises:
        UserError: The file, the work directory or a server cannot be used.
    """
    deployment = load(config, workdir.path)
    chosen = tuple(sites) or tuple(deployment.sites)
    if unknown := [site for site in chosen if site not in deployment.sites]:
        raise UserError(
            "unknown_site",
            f"the deployment has no site {unknown[0]!r}",
            f"Choose from {', '.join(deployment.sites)}.",
        )
    async with AsyncExitStack() as stack:
        stack.enter_context(WorkdirLock(workdir))
        supervisor = Supervisor()
        supervisor.warm_up()
        servers = await stack.enter_async_context(servers_of(deployment, workdir, environment, chosen))
        places = await found(servers, workdir, deployment, chosen)
        credentials = next(iter(places.values())).credentials
        stands = Standing(servers.deployment, credentials, places, supervisor, workdir)
        stack.push_async_callback(supervisor.stop)
        running = Running.here(servers.deployment, chosen, stands.urls(), config)
        stack.enter_context(announced(workdir, running, credentials))
        yield stands


def keep_temporary_files_in(folder: Path) -> None:
    """Let the fork server's socket lie in the work directory, and clear those that killed supervisors left.

    It is removed when this process ends: the folder must live as long.
    """
    for left in folder.glob("pymp-*"):
        shutil.rmtree(left, ignore_errors=True)
    if len(os.fsencode(folder)) <= LONGEST_SOCKET_FOLDER:
        tempfile.tempdir = str(folder)


async def until_signal() -> None:
    """Wait for SIGINT or SIGTERM; a second one does not disturb the stop that the first began."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked.set)
    await asked.wait()
