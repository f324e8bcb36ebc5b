"""The addresses of staging."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel

from contracts.problems import Problem
from contracts.staging import RequestStaging
from contracts.states import WorkState
from services.gateway.paging import DEFAULT_LIMIT, MOST, Page
from services.gateway.reading import read_body, read_model
from services.gateway.staging import JobRecord, Staging

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem} for status in (400, 404, 409, 413, 422, 503)
}


class StagingAccepted(BaseModel):
    """The job is in the log.

    Attributes:
        folder: Where it will be, relative to the root of `location`.
        path: The same on this site's disk; None if the location is elsewhere.
    """

    job_id: UUID
    location: str
    folder: str
    path: str | None
    state: WorkState


def router(staging: Staging) -> APIRouter:
    """Ask, look, release."""
    routes = APIRouter(tags=["staging"])

    @routes.post(
        "/staging",
        status_code=202,
        responses=_PROBLEMS,
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": RequestStaging.model_json_schema()}},
            }
        },
    )
    async def request_staging(
        request: Request,
        idempotency_key: Annotated[str | None, Header(min_length=1, max_length=250)] = None,
    ) -> StagingAccepted:
        """Ask for archived data; with the same Idempotency-Key the same job is answered."""
        wanted = read_model(RequestStaging, await read_body(request))
        event = await staging.request(wanted, idempotency_key)
        record = await staging.job_or_none(event.job_id)
        return StagingAccepted(
            job_id=event.job_id,
            location=event.location,
            folder=event.folder,
            path=staging.path_of(event.location, event.folder),
            state=(record.state if record else None) or WorkState.PENDING,
        )

    @routes.get("/staging")
    async def jobs(
        state: WorkState | None = None,
        limit: Annotated[int, Query(ge=1, le=MOST)] = DEFAULT_LIMIT,
        cursor: Annotated[str | None, Query(max_length=8192)] = None,
    ) -> Page[JobRecord]:
        """Jobs, the latest first."""
        return await staging.jobs(state, limit, cursor)

    @routes.get("/staging/{job_id}")
    async def job(job_id: UUID) -> JobRecord:
        """One job and how far it is."""
        return await staging.job(job_id)

    @routes.post("/staging/{job_id}/release", responses=_PROBLEMS)
    async def release(job_id: UUID) -> JobRecord:
        """Its copies may go."""
        return await staging.release(job_id)

    return routes
