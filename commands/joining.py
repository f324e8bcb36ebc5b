"""The servers of a deployment for one command: those of a running `up`, one's own, or embedded ones started for it."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from enum import Enum
from pathlib import Path

from commands.embedding import servers_of
from commands.reaching import places_of
from libs.errors import UserError
from libs.service.service import Place
from libs.sites.credentials import Credentials
from libs.sites.loading import load
from libs.sites.models import Deployment
from libs.sites.resolving import Endpoints, embedded_servers, resolve
from libs.sites.running import find_running
from libs.sites.workdir import Workdir, WorkdirLock


class Beside(Enum):
    """Whether a command may work beside a running `chasqui up`."""

    ALLOWED = "allowed"
    """It joins it."""
    REFUSED = "refused"
    """It needs the servers for itself."""


@asynccontextmanager
async def joined(
    workdir: Workdir, config: Path, sites: Sequence[str], beside: Beside = Beside.ALLOWED
) -> AsyncIterator[dict[str, Place]]:
    """The sites of a deployment with servers that answer, while the block lasts.

    Embedded servers are started unless a `chasqui up` runs them; only one command at a time can do that.

    Args:
        workdir: Where embedded servers keep their data.
        config: The deployment file.
        sites: Those that are wanted; all if empty.
        beside: What to do about a running `chasqui up`.

    Raises:
        UserError: ``unknown_site``, ``workdir_in_use``, or the configuration's errors.
    """
    async with AsyncExitStack() as stack:
        if beside is Beside.ALLOWED and _runs(workdir):
            places = {place.site: place for place in places_of(workdir)}
        else:
            deployment = load(config, workdir.path)
            require_sites(deployment, sites)
            places = await stack.enter_async_context(_started(workdir, deployment))
        if places:
            require_sites(next(iter(places.values())).deployment, sites, running=tuple(places))
        yield {site: place for site, place in places.items() if not sites or site in sites}


def require_sites(deployment: Deployment, sites: Sequence[str], running: Sequence[str] | None = None) -> None:
    """Refuse sites that are not there.

    Raises:
        UserError: ``unknown_site``.
    """
    known = tuple(deployment.sites) if running is None else tuple(running)
    if unknown := [site for site in sites if site not in known]:
        raise UserError(
            "unknown_site", f"there is no site {unknown[0]!r} here", f"Choose from {', '.join(known)}."
        )


@asynccontextmanager
async def _started(workdir: Workdir, deployment: Deployment) -> AsyncIterator[dict[str, Place]]:
    environment = Credentials.from_environment(os.environ)
    if not any(embedded_servers(deployment)):
        yield _places(workdir, resolve(deployment, Endpoints()), environment)
        return
    with WorkdirLock(workdir):
        async with servers_of(deployment, workdir, environment, tuple(deployment.sites)) as servers:
            yield _places(workdir, servers.deployment, servers.credentials)


def _places(workdir: Workdir, deployment: Deployment, credentials: Credentials) -> dict[str, Place]:
    return {
        site: Place(site=site, deployment=deployment, credentials=credentials, state=workdir.site(site))
        for site in deployment.sites
    }


def _runs(workdir: Workdir) -> bool:
    try:
        find_running(workdir)
    except UserError as error:
        if error.problem.code == "not_running":
            return False
        raise
    return True
