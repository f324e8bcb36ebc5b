"""Filing of telescope nodes over HTTP."""

from fastapi import APIRouter, Request, Response

from contracts.skynet.requests import EntityAccepted, FileAsset, FileCamera, FileTask, ReportTask
from services.filing.answering import answered, described
from services.filing.desk import Desk, Verb


def network_router(desk: Desk) -> APIRouter:
    """The addresses for tasks, assets and cameras."""
    routes = APIRouter()

    @routes.post("/tasks", status_code=201, **described(FileTask, EntityAccepted))
    async def task(request: Request) -> Response:
        """There is a task."""
        return await answered(desk, Verb.TASK, request, None, new=201)

    @routes.post("/tasks/{task_uid}/steps", status_code=201, **described(ReportTask, EntityAccepted))
    async def step(request: Request, task_uid: str) -> Response:
        """Something happened to a task; the body need not name it again."""
        return await answered(desk, Verb.TASK_STEP, request, task_uid, new=201)

    @routes.post("/observation_assets", status_code=201, **described(FileAsset, EntityAccepted))
    async def asset(request: Request) -> Response:
        """There is an asset."""
        return await answered(desk, Verb.ASSET, request, None, new=201)

    @routes.post("/cameras", status_code=201, **described(FileCamera, EntityAccepted))
    async def camera(request: Request) -> Response:
        """A camera is like this now."""
        return await answered(desk, Verb.CAMERA, request, None, new=201)

    return routes
