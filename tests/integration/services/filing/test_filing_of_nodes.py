"""A telescope node files tasks, assets and cameras: over NATS and HTTP, again, at once, cut short, and wrongly."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from nats.errors import NoRespondersError

from contracts.base import derived_id
from contracts.skynet.assets import AssetEvent, AssetRegistered, AssetTransferRequested
from contracts.skynet.cameras import CameraRegistered
from contracts.skynet.requests import DeclaredAsset, PlannedTask
from contracts.skynet.tasks import TaskAssetsChanged, TaskEvent
from contracts.subjects import filing_request
from libs.insight.explain import explain
from libs.insight.sight import Sight
from libs.opsdb.reader import OpsDbReader
from libs.skynet import transfers
from libs.skynet.rendering import Debounce
from tests.support.histories import skynet
from tests.support.road import Road

pytestmark = pytest.mark.integration

NIGHT = datetime(2026, 9, 1, 22, tzinfo=UTC)
Request = tuple[str, dict[str, Any]]

TASK = {
    name: value for name, value in skynet.task(1, NIGHT).model_dump(mode="json").items()
    if name in PlannedTask.model_fields
}  # fmt: skip
UID = TASK["uid"]
ASSET = {
    **{
        name: value
        for name, value in skynet.asset(1).model_dump(mode="json").items()
        if name in DeclaredAsset.model_fields
    },
    "observation_id": TASK["observation_id"],
}
CAMERA = skynet.camera(1, NIGHT).camera.model_dump(mode="json")


def step(name: str, minutes: float, **more: Any) -> Request:
    at = (NIGHT + timedelta(minutes=minutes)).isoformat()
    return "task_step", {"task_uid": UID, "step": name, "at": at, **more}


def exposed(share: float) -> dict[str, Any]:
    frames = round(10 * share)
    return {
        "accumulated_exposure_time": 60.0 * frames,
        "observatory_acquired_frames": frames,
        "progress": share,
    }


FILED: Request = ("task", {"task": TASK, "at": NIGHT.isoformat()})
ASSIGNED = step(
    "assigned", 1, assignment={"assigned_by": "x", "ota_id": 2, "camera_id": 1, "instrument_id": 5}
)
SEEN: Request = ("camera", {"camera": CAMERA, "at": NIGHT.isoformat()})


async def ask(road: Road, request: Request) -> dict[str, Any]:
    verb, body = request
    for _ in range(200):
        try:
            reply = await road.client(road.telescope).request(
                filing_request(road.telescope.site, verb), json.dumps(body).encode(), timeout=15
            )
        except NoRespondersError:  # the service has said that it listens, the server has not read it yet
            await asyncio.sleep(0.01)
        else:
            answer: dict[str, Any] = json.loads(reply.data)
            return answer
    raise AssertionError("nobody answers")


async def accepted(road: Road, requests: Sequence[Request]) -> list[dict[str, Any]]:
    answers = [await ask(road, request) for request in requests]
    assert [answer for answer in answers if not answer["accepted"]] == []
    return answers


async def file_of(road: Road) -> str:
    """A file of an observation, with size and sha256."""
    start = {"instrument": "camera", "start_time": NIGHT.isoformat(), "obs_unit": str(uuid4())}
    unit = (await ask(road, ("start", start)))["executed_obs_unit_id"]
    declared = {"path": "1.fits", "size": skynet.SIZE, "sha256": skynet.SHA256}
    answer = await ask(road, ("files", {"executed_obs_unit_id": unit, "files": [declared]}))
    return str(answer["file_ids"][0])


async def said(road: Road) -> list[str]:
    """What was said of tasks, assets and cameras, in order."""
    events = await road.events(road.telescope)
    return [
        f"{event.entity}.{event.fact}"
        for _, event in events
        if isinstance(event, TaskEvent | AssetEvent | CameraRegistered)
    ]


async def test_a_night_of_a_node_filed_and_filed_again_and_folded(road: Road) -> None:
    async with road.running(road.telescope, "projector", "filing"):
        asset: Request = ("asset", {"asset": {**ASSET, "file_id": await file_of(road)}, "task_uid": UID})
        night = [
            SEEN,
            FILED,
            ASSIGNED,
            step("started", 2),
            step("progressed", 5, exposed=exposed(0.5)),
            step("interrupted", 6, reason="clouds"),
            step("resumed", 8),
            asset,
            step("completed", 14, exposed=exposed(1)),
        ]
        first = await accepted(road, night)
        assert not any(answer["repeated"] for answer in first)
        before = await said(road)
        assert before == [
            "camera.registered",
            *(f"task.{fact}" for fact in ("filed", "assigned", "started", "progressed", "interrupted", "resumed")),
            "observation_asset.registered",
            "asset_transfer.requested",
            "task.assets_changed",
            "task.completed",
        ]  # fmt: skip
        again = await accepted(road, night)
        assert all(answer["repeated"] for answer in again)
        assert await said(road) == before
        await folded(road)


async def folded(road: Road) -> None:
    """What was filed is in the tables."""
    task = "SELECT status, progress, assets_revision, turn, site FROM optical_imaging_task WHERE uid = $1"

    async def is_projected() -> bool:
        rows = await road.query(road.telescope, task, derived_id("task", 1))
        return [tuple(row) for row in rows] == [("completed", 1.0, 1, 8, road.telescope.site)]

    await road.eventually(is_projected, what="the task in its table")
    [asset] = await road.query(
        road.telescope,
        """SELECT transfer_state, is_remote, remote_file_path, turn, task_uid
           FROM observation_asset a JOIN observation_asset_task_info i ON i.asset_uid = a.uid""",
    )
    assert tuple(asset) == ("pending", True, ASSET["remote_file_path"], 2, derived_id("task", 1))
    [history] = await road.query(road.telescope, "SELECT * FROM observation_task_assignment_history")
    assert (history["assignment"], history["camera_id"]) == (1, 1)
    [camera] = await road.query(
        road.telescope, "SELECT cooler_policy, revision FROM camera JOIN device USING (uid)"
    )
    assert tuple(camera) == ("pre_cool_for_tasks", 1)
    await explained(road)


async def explained(road: Road) -> None:
    """`chasqui explain` knows them by their uid."""
    place = road.telescope
    async with OpsDbReader.open(place.opsdb_dsn(), most=1) as opsdb:
        sight = Sight(place, road.client(place), opsdb)
        task, asset, camera = [
            await explain(sight, derived_id(*key))
            for key in (("task", 1), ("observation_asset", 1), ("device", 1))
        ]
    assert (task.kind, task.state, task.related) == ("task", "completed", {"asset": (asset.id,)})
    assert [step.event for step in task.timeline][-2:] == [
        "chasqui.task.assets_changed.v1",
        "chasqui.task.completed.v1",
    ]
    assert (asset.kind, asset.state, asset.waiting.by) == ("asset", "pending", "mover")
    assert asset.related["task"] == (task.id,)
    assert (camera.kind, camera.name) == ("camera", "camera 1")
    assert "cooler" in camera.waiting.now


async def test_two_instances_are_asked_the_same_at_once(road: Road) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(road.running(road.telescope, "filing"))
        asset: Request = ("asset", {"asset": {**ASSET, "file_id": await file_of(road)}, "task_uid": UID})
        for request in (SEEN, FILED, ASSIGNED, step("started", 2), asset):
            answers = await asyncio.gather(*(ask(road, request) for _ in range(6)))
            assert all(answer["accepted"] for answer in answers), answers
            assert sum(not answer["repeated"] for answer in answers) == 1
        steps = [step("progressed", 3 + n, exposed=exposed(n / 10)) for n in range(1, 7)]
        answers = await asyncio.gather(*(ask(road, one) for one in steps))
        assert {answer.get("problem", {}).get("code") for answer in answers} <= {None, "progress_falls"}
        tasks = [event for _, event in await road.events(road.telescope) if isinstance(event, TaskEvent)]
        assert [event.turn for event in tasks] == list(range(1, len(tasks) + 1))
        assert tasks[-1].task.progress == 0.6
        assert len(await road.events_of(road.telescope, AssetTransferRequested)) == 1


async def test_what_was_cut_short_is_completed_and_what_others_said_is_known(road: Road) -> None:
    cause = str(derived_id("filing.asset", ASSET["uid"]))
    async with road.running(road.telescope, "filing"):
        await accepted(road, [FILED])
        asset = DeclaredAsset.model_validate({**ASSET, "file_id": await file_of(road)})
        made = skynet.asset(1).model_copy(
            update={"file_id": asset.file_id, "observation_id": asset.observation_id}
        )
        registered = transfers.register(made, Debounce(), NIGHT).model_copy(
            update={"task_uid": derived_id("task", 1)}
        )
        # Another instance stored this, and was killed.
        await road.publisher(road.telescope).publish([registered], causation_id=cause)
        request: Request = ("asset", {"asset": asset.model_dump(mode="json"), "task_uid": UID})
        [answer] = await accepted(road, [request])
        assert (answer["repeated"], answer["turn"]) == (False, 2)
        [answer] = await accepted(road, [request])
        assert (answer["repeated"], answer["turn"]) == (True, 2)
    for kind in (AssetRegistered, AssetTransferRequested, TaskAssetsChanged):
        assert len(await road.events_of(road.telescope, kind)) == 1


REFUSALS: list[tuple[str, Mapping[str, Any], int, str]] = [
    ("/tasks", {}, 422, "invalid_request"),
    ("/tasks", {"task": {**TASK, "total_exposures": 3}, "at": NIGHT.isoformat()}, 409, "task_differs"),
    ("/tasks", {"task": {**TASK, "uid": str(uuid4())}, "at": NIGHT.isoformat()}, 409, "number_taken"),
    (f"/tasks/{uuid4()}/steps", {"step": "started", "at": NIGHT.isoformat()}, 404, "task_unknown"),
    ("/tasks/no-uuid/steps", {"step": "started", "at": NIGHT.isoformat()}, 422, "invalid_request"),
    (f"/tasks/{UID}/steps", {"step": "resumed", "at": NIGHT.isoformat()}, 409, "task_step_illegal"),
    (f"/tasks/{UID}/steps", {"step": "failed", "at": NIGHT.isoformat()}, 422, "invalid_request"),
    ("/observation_assets", {"asset": {**ASSET, "remote_file_path": "a/../b"}}, 422, "path_outside"),
    ("/observation_assets", {"asset": {**ASSET, "root_observation_asset_id": 77}}, 422, "root_unknown"),
    ("/observation_assets", {"asset": ASSET, "task_uid": str(uuid4())}, 404, "task_unknown"),
    ("/observation_assets", {"asset": ASSET}, 422, "file_unknown"),
    ("/cameras", {"camera": {**CAMERA, "device_type": "mount"}, "at": NIGHT.isoformat()}, 422, "invalid_request"),
]  # fmt: skip


async def test_refusals_over_http_have_a_status_a_code_and_a_remedy_and_store_nothing(
    road: Road, unused_tcp_port: int
) -> None:
    place = road.telescope
    http = place.settings.http.model_copy(update={"filing_port": unused_tcp_port})
    sites = {**place.deployment.sites, place.site: place.settings.model_copy(update={"http": http})}
    place = replace(place, deployment=place.deployment.model_copy(update={"sites": sites}))
    url = f"http://127.0.0.1:{unused_tcp_port}"
    async with road.running(place, "filing"), httpx.AsyncClient(base_url=url, timeout=20) as client:
        assert (await client.post("/tasks", json=FILED[1])).status_code == 201
        assert (await client.post("/tasks", json=FILED[1])).status_code == 200
        before = await said(road)
        for path, body, status, code in REFUSALS:
            response = await client.post(path, json=body)
            problem = response.json()["problem"]
            assert (response.status_code, problem["code"]) == (status, code), (path, problem)
            assert problem["remedy"]
        assert await said(road) == before == ["task.filed"]
