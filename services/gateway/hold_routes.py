"""The addresses of holds."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request

from contracts.holds import PlaceHold, ReleaseHold
from contracts.problems import Problem
from services.gateway.holds import HoldDesk, HoldRecord
from services.gateway.paging import DEFAULT_LIMIT, MOST, Page
from services.gateway.reading import read_body, read_model

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem} for status in (400, 404, 409, 413, 422, 503)
}


def _body(model: type[PlaceHold | ReleaseHold]) -> dict[str, Any]:
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": model.model_json_schema()}},
        }
    }


def router(desk: HoldDesk) -> APIRouter:
    """Place, look, release."""
    routes = APIRouter(tags=["holds"])

    @routes.post("/holds", status_code=201, responses=_PROBLEMS, openapi_extra=_body(PlaceHold))
    async def place(
        request: Request,
        idempotency_key: Annotated[str | None, Header(min_length=1, max_length=250)] = None,
    ) -> HoldRecord:
        """Keep copies from deletion; with the same Idempotency-Key the same hold is answered."""
        return await desk.place(read_model(PlaceHold, await read_body(request)), idempotency_key)

    @routes.get("/holds")
    async def holds(
        everything: Annotated[bool, Query(alias="all")] = False,
        limit: Annotated[int, Query(ge=1, le=MOST)] = DEFAULT_LIMIT,
        cursor: Annotated[str | None, Query(max_length=8192)] = None,
    ) -> Page[HoldRecord]:
        """Holds that stand, or all, the latest first."""
        return await desk.holds(everything=everything, limit=limit, cursor=cursor)

    @routes.get("/holds/{hold_id}")
    async def hold(hold_id: UUID) -> HoldRecord:
        """One hold."""
        return await desk.hold(hold_id)

    @routes.post("/holds/{hold_id}/release", responses=_PROBLEMS, openapi_extra=_body(ReleaseHold))
    async def release(hold_id: UUID, request: Request) -> HoldRecord:
        """Retention decides again."""
        return await desk.release(hold_id, read_model(ReleaseHold, await read_body(request)))

    return routes
