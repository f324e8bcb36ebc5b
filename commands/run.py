"""`chasqui run` and `chasqui provision`: one service, or one site's tables and streams, by hand."""

import os
from pathlib import Path

from rich.console import Console

from commands.child import Task, main
from commands.founding import prepare_place, provision, services_at
from libs.errors import UserError
from libs.service.service import Place
from libs.sites.credentials import Credentials
from libs.sites.loading import load
from libs.sites.resolving import Endpoints, resolve
from libs.sites.running import find_credentials, find_running
from libs.sites.workdir import Workdir
from libs.telemetry.logs import LogFormat


def run(service: str, site: str, config: Path | None, workdir: Workdir) -> None:
    """Run one instance of a service until a signal comes.

    Raises:
        UserError: ``unknown_service``, ``unknown_site``, ``service_not_needed``, ``not_running``, or the
            configuration's errors.
    """
    from commands.services import load as load_service

    declared, place = load_service(service), place_of(site, config, workdir)
    if not declared.runs_at(place.deployment, site):
        raise UserError(
            "service_not_needed",
            f"{site} has no work for the {service}",
            f"Choose one of {', '.join(s.name for s in services_at(place.deployment, site))}.",
        )
    style = LogFormat.CONSOLE if os.isatty(2) else LogFormat.JSON
    main(Task(service=service, place=place, log_format=style))


def place_of(site: str, config: Path | None, workdir: Workdir) -> Place:
    """The place of a site: of a deployment of real servers, or of the `up` that runs in a work directory.

    Raises:
        UserError: ``unknown_site``, ``not_running``, or the configuration's errors.
    """
    if config is None:
        running = find_running(workdir)
        deployment, credentials = running.deployment, find_credentials(workdir)
    else:
        deployment = resolve(load(config, workdir.path), Endpoints())
        credentials = Credentials.from_environment(os.environ)
    if site not in deployment.sites:
        raise UserError(
            "unknown_site",
            f"the deployment has no site {site!r}",
            f"Choose one of {', '.join(deployment.sites)}.",
        )
    return Place(site=site, deployment=deployment, credentials=credentials, state=workdir.site(site))


async def provision_site(site: str, config: Path, workdir: Workdir, console: Console) -> int:
    """Make what a site needs on its own servers."""
    place = place_of(site, config, workdir)
    await prepare_place(place)
    await provision({site: place}, load(config, workdir.path))
    console.print(f"{site} is ready for its services", style="green")
    return 0
