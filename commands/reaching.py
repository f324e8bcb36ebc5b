"""How a command reaches the sites of a running `up`: their servers, or their gateways."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from contracts.problems import Problem
from contracts.states import LocationType
from libs.bus.connection import connect
from libs.errors import Retriable, UserError
from libs.insight.sight import Sight
from libs.opsdb.reader import OpsDbReader
from libs.service.service import Place
from libs.sites.running import Running, find_credentials, find_running
from libs.sites.workdir import Workdir

ANSWER_WITHIN_S = 30.0


def places_of(workdir: Workdir, wanted: str | None = None) -> tuple[Place, ...]:
    """The sites that run in a work directory, or the wanted one of them.

    Raises:
        UserError: `not_running`, `running_unreadable`, `credentials_malformed` or `unknown_site`.
    """
    running, credentials = find_running(workdir), find_credentials(workdir)
    sites = running.running_sites if wanted is None else (_known(running, wanted),)
    return tuple(Place(site, running.deployment, credentials, workdir.site(site)) for site in sites)


def sites_of(workdir: Workdir, wanted: str | None, config: Path | None) -> tuple[Place, ...]:
    """The sites that a command is about: of the running `up`, or one of a deployment of real servers.

    Raises:
        UserError: ``site_missing``, or as `places_of` and `place_of`.
    """
    if config is None:
        return places_of(workdir, wanted)
    if wanted is None:
        raise UserError(
            "site_missing",
            "a deployment of real servers has a server for each site",
            "Name one: --site SITE.",
        )
    from commands.run import place_of

    return (place_of(wanted, config, workdir),)


@asynccontextmanager
async def reached(place: Place) -> AsyncIterator[Sight]:
    """Connect to a site's servers while the block lasts.

    Raises:
        Retriable: ``bus_unavailable`` or ``opsdb_unavailable``.
    """
    client = await connect(place.bus_address(), name=f"command@{place.site}")
    try:
        async with OpsDbReader.open(place.opsdb_dsn(), most=2) as opsdb:
            yield Sight(place, client, opsdb)
    finally:
        await client.close()


def gateway_of(workdir: Workdir, wanted: str | None = None) -> str:
    """The address of a gateway: the wanted site's, else one's that has a PROCESSING location, else any.

    Raises:
        UserError: `not_running`, `running_unreadable`, `unknown_site` or `no_gateway`.
    """
    running = find_running(workdir)
    sites = sorted(running.running_sites, key=lambda site: not _has_processing(running, site))
    for site in sites if wanted is None else (_known(running, wanted),):
        urls = running.urls.get(site)
        if urls is not None and urls.gateway is not None:
            return urls.gateway
    raise UserError("no_gateway", "no gateway runs there", "Start it: chasqui run gateway --site SITE.")


class Gateway:
    """Asks a gateway over HTTP.

    Args:
        url: Its base address.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    async def ask(
        self, method: str, address: str, body: object = None, headers: dict[str, str] | None = None
    ) -> Any:  # noqa: ANN401  JSON of any kind
        """The JSON of an answer.

        Raises:
            UserError: The request was refused.
            Retriable: ``gateway_unreachable``, or what the gateway waits for.
        """
        try:
            async with httpx.AsyncClient(base_url=self._url, timeout=ANSWER_WITHIN_S) as http:
                answer = await http.request(method, address, json=body, headers=headers)
        except httpx.HTTPError as error:
            raise Retriable(
                "gateway_unreachable",
                f"the gateway at {self._url} does not answer: {error or type(error).__name__}",
                "Start it with chasqui up, or look into its log.",
            ) from error
        if answer.is_success:
            return answer.json()
        problem = Problem.model_validate_json(answer.content)
        kind = Retriable if answer.is_server_error else UserError
        raise kind(problem.code, problem.reason, problem.remedy)


def _known(running: Running, wanted: str) -> str:
    if wanted not in running.running_sites:
        raise UserError(
            "unknown_site",
            f"the site {wanted!r} does not run there",
            f"Choose from {', '.join(running.running_sites)}.",
        )
    return wanted


def _has_processing(running: Running, site: str) -> bool:
    return bool(running.deployment.site(site).locations_of(LocationType.PROCESSING))
