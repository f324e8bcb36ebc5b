"""The archives of a deployment, as far as a process was given keys for them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from contracts.states import LocationType
from libs.errors import UserError
from libs.service.service import Place
from libs.sites.models import Deployment, S3Location
from libs.storage.s3 import S3Store
from libs.telemetry.logs import logger


def archive_sites(deployment: Deployment) -> dict[str, str]:
    """The site of every archive location, inactive ones included, by the location's name."""
    return {
        name: site
        for site, name, location in deployment.locations()
        if location.type is LocationType.LONG_TERM_ARCHIVE
    }


@asynccontextmanager
async def open_archives(place: Place) -> AsyncIterator[dict[str, S3Store]]:
    """A store for each S3 archive of the deployment, by location; those without keys here are left out.

    Nothing is connected before a store is used.
    """
    async with AsyncExitStack() as stack:
        stores: dict[str, S3Store] = {}
        for _, name, location in place.deployment.locations():
            if not isinstance(location, S3Location):
                continue
            try:
                settings = place.s3(name)
            except UserError as missing:
                logger("service").info("archive_without_keys", location=name, reason=missing.problem.reason)
                continue
            stores[name] = await stack.enter_async_context(S3Store(settings))
        yield stores
