"""The addresses of an operator's questions: how is it, where is this, and can I believe you."""

from uuid import UUID

from fastapi import APIRouter, Response
from nats.aio.client import Client

from contracts.association_ids import AssociationId
from libs.insight.explain import Explanation, explain
from libs.insight.sight import Sight
from libs.insight.status import SiteStatus, site_status
from libs.service.service import Place
from services.gateway.answers import json_answer
from services.gateway.fresh import Fresh
from services.gateway.health import HealthReport, health_of
from services.gateway.knowing import Knowing


def router(place: Place, client: Client, knowing: Knowing) -> APIRouter:
    """Status, explanations, health."""
    routes = APIRouter(tags=["insight"])
    fresh = Fresh(lambda: site_status(place, client, knowing.opsdb))

    @routes.get("/status")
    async def status() -> SiteStatus:
        """How the site is; made at most now and then, however many ask."""
        return await fresh.get()

    @routes.get("/explain/{wanted}")
    async def explained(wanted: UUID | AssociationId) -> Explanation:
        """Where something is, why, and what it waits for."""
        return await explain(Sight(place, client, knowing.opsdb), wanted)

    @routes.get("/health", response_model=HealthReport, responses={503: {"model": HealthReport}})
    async def health() -> Response:
        """Whether the gateway can be believed now: 200, or 503 with what is wrong."""
        report = await health_of(place, client, knowing)
        return json_answer(report, 200 if report.ok else 503)

    return routes
