"""The gateway's addresses, put together."""

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from libs.bus.bus import Bus
from libs.service.service import Place
from services.gateway import (
    catalogue_routes,
    feed_routes,
    filing,
    hold_routes,
    insight_routes,
    pages,
    pictures,
    staging_routes,
)
from services.gateway.answers import answer_errors
from services.gateway.feed import Feed
from services.gateway.guarding import Guard
from services.gateway.holds import HoldDesk
from services.gateway.knowing import Knowing
from services.gateway.staging import Staging

COMPRESSED_FROM = 1_000


def application(place: Place, bus: Bus, knowing: Knowing, feed: Feed) -> FastAPI:
    """The HTTP face of a site.

    Args:
        place: The site.
        bus: Connected.
        knowing: Its ops-db, perhaps not there yet.
        feed: Its live feed.
    """
    app = FastAPI(title=f"Chasqui gateway of {place.site}", docs_url=None, redoc_url=None)
    answer_errors(app)
    app.include_router(filing.router(filing.Forwarder(bus.client, place.site)))
    app.include_router(catalogue_routes.router(knowing))
    app.include_router(pictures.router(pictures.Pictures(knowing, place.previews)))
    app.include_router(staging_routes.router(Staging(place, knowing, bus.client, bus.publisher)))
    app.include_router(hold_routes.router(HoldDesk(place, knowing, bus.client, bus.publisher)))
    app.include_router(insight_routes.router(place, bus.client, knowing))
    app.include_router(feed_routes.router(feed))
    app.include_router(pages.router(pages.load_page()))
    app.add_middleware(GZipMiddleware, minimum_size=COMPRESSED_FROM, compresslevel=6)
    app.add_middleware(Guard, routes=app.routes, listening_on=place.settings.http.host)
    return app
