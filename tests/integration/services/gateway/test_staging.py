import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.packages import PackageStaged
from contracts.problems import Problem
from contracts.staging import (
    ReleaseReason,
    StagingCompleted,
    StagingFailed,
    StagingReleased,
    StagingRequested,
)
from libs.bus.buckets import put_progress
from services.gateway.reading import BODY_LIMIT
from tests.support.door import Door
from tests.support.histories import road as history
from tests.support.histories.road import Observation

pytestmark = pytest.mark.integration

UNIT = Observation(number=1, files=2, start=datetime(2026, 5, 1, tzinfo=UTC))


def request(**selection: Any) -> dict[str, Any]:
    chosen = {name: [str(one) for one in ids] for name, ids in selection.items()}
    return {"selection": chosen, "requested_by": "an astronomer"}


async def asked(door: Door, body: dict[str, Any], *, key: str | None = None, status: int = 202) -> Any:
    headers = {} if key is None else {"idempotency-key": key}
    answer = await door.http.post("/staging", json=body, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_a_job_from_its_request_to_its_release(centre: Door) -> None:
    await centre.happen(history.road(UNIT))
    job = await asked(centre, request(executed_obs_unit_ids=[UNIT.id]))
    processing = f"{centre.place.site}-processing"
    assert job["location"] == processing
    assert job["folder"] == f"staging/{job['job_id']}"
    assert job["path"] == str(centre.place.disk(processing).path / job["folder"])
    assert job["state"] == "pending"
    (event,) = await centre.road.events_of(centre.place, StagingRequested)
    assert str(event.job_id) == job["job_id"]
    assert event.selection.executed_obs_unit_ids == (UNIT.id,)

    await put_progress(
        centre.road.client(centre.place),
        centre.place.site,
        f"stager.{job['job_id']}",
        {"done": 5, "total": 9},
    )
    assert (await centre.json(f"/staging/{job['job_id']}"))["progress"] == {"done": 5, "total": 9}

    await centre.happen((history.DESTINATION, step) for step in staged(UUID(job["job_id"]), processing))
    done = await centre.json(f"/staging/{job['job_id']}")
    assert (done["state"], done["packages_done"], done["files"]) == ("completed", 1, 2)
    assert done["payload_bytes"] == 2 * history.FILE_SIZE
    assert done["progress"] is None
    assert [item["id"] for item in (await centre.json("/staging?state=completed"))["items"]] == [
        job["job_id"]
    ]

    for _ in range(2):
        released = await centre.http.post(f"/staging/{job['job_id']}/release")
        assert released.status_code == 200
        assert released.json()["release_reason"] == "released"
    (event_of_release,) = await centre.road.events_of(centre.place, StagingReleased)
    assert event_of_release.reason is ReleaseReason.RELEASED


def staged(job: UUID, location: str) -> list[PackageStaged | StagingCompleted]:
    folder, size = f"staging/{job}", 2 * history.FILE_SIZE
    return [
        PackageStaged(
            job_id=job,
            package_id=UNIT.package_id,
            location=location,
            folder=folder,
            file_count=2,
            payload_bytes=size,
        ),
        StagingCompleted(
            job_id=job, location=location, folder=folder, packages=1, files=2, payload_bytes=size
        ),
    ]


async def test_the_same_key_is_the_same_job(centre: Door) -> None:
    await centre.happen(history.road(UNIT))
    body = request(package_ids=[UNIT.package_id])
    answers = await asyncio.gather(*(asked(centre, body, key="once") for _ in range(4)))
    answers.append(await asked(centre, body, key="once"))
    assert len({answer["job_id"] for answer in answers}) == 1
    assert len(await centre.road.events_of(centre.place, StagingRequested)) == 1
    other = await asked(centre, body, key="twice")
    assert other["job_id"] != answers[0]["job_id"]
    reused = await asked(centre, request(file_ids=[UNIT.file_ids[0]]), key="once", status=409)
    assert reused["code"] == "idempotency_key_reused"


async def test_what_cannot_be_staged_is_refused_and_leaves_no_event(centre: Door) -> None:
    await centre.happen(history.road(UNIT))
    stranger = uuid4()
    known = request(file_ids=[UNIT.file_ids[0]])
    site = centre.place.site
    cases: list[tuple[dict[str, Any], int, str]] = [
        (request(file_ids=[UNIT.file_ids[0], stranger]), 404, "unknown_ids"),
        (request(package_ids=[UNIT.id]), 404, "unknown_ids"),
        ({**known, "location": "nowhere"}, 422, "unknown_location"),
        ({**known, "location": f"{site}-buffer"}, 422, "not_processing"),
        (request(), 422, "invalid_request"),
        ({**known, "keep_for_s": 0}, 422, "invalid_request"),
        ({**known, "extra": 1}, 422, "invalid_request"),
        (request(file_ids=[uuid4() for _ in range(5_001)]), 422, "too_many_ids"),
    ]
    for body, status, code in cases:
        problem = await asked(centre, body, status=status)
        assert problem["code"] == code, (problem, body)
    unknown = await asked(centre, cases[0][0], status=404)
    assert str(stranger) in unknown["reason"]
    assert str(UNIT.file_ids[0]) not in unknown["reason"]
    not_json = await centre.http.post("/staging", content=b"{")
    assert (not_json.status_code, not_json.json()["code"]) == (400, "not_json")
    large = await centre.http.post("/staging", content=b" " * 1_100_000)
    assert (large.status_code, large.json()["code"]) == (413, "request_too_large")
    assert await centre.road.events_of(centre.place, StagingRequested) == []


async def test_what_was_filed_a_moment_ago_is_known(centre: Door) -> None:
    for site, event in history.filing(UNIT):
        place = centre.road.telescope if site == history.ORIGIN else centre.road.centre
        await centre.road.publisher(place).publish([event])
    job = await asked(centre, request(executed_obs_unit_ids=[UNIT.id]))
    assert job["state"] == "pending"


async def test_a_failed_job_has_nothing_to_release(centre: Door) -> None:
    await centre.happen(history.road(UNIT))
    job = await asked(centre, request(executed_obs_unit_ids=[UNIT.id]))
    problem = Problem(code="not_archived", reason="it is not archived", remedy="Wait.")
    failed = StagingFailed(job_id=UUID(job["job_id"]), location=job["location"], problem=problem)
    await centre.happen([(history.DESTINATION, failed)])
    found = await centre.json(f"/staging/{job['job_id']}")
    assert (found["state"], found["problem"]["code"]) == ("failed", "not_archived")
    refused = await centre.http.post(f"/staging/{job['job_id']}/release")
    assert (refused.status_code, refused.json()["code"]) == (409, "job_failed")


async def test_a_site_without_processing_uses_another_ones(telescope: Door) -> None:
    await telescope.happen(history.filing(UNIT))
    job = await asked(telescope, request(executed_obs_unit_ids=[UNIT.id]))
    assert job["location"] == f"{telescope.road.centre.site}-processing"
    assert job["path"] is None


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b" " * (BODY_LIMIT + 1), 413, "request_too_large"),
        (b"[" * 100_000, 400, "not_json"),
        (b'{"selection":' * 50_000, 400, "not_json"),
        (b"<xml/>", 400, "not_json"),
        (b"{}", 422, "invalid_request"),
    ],
    ids=["too large", "deep lists", "deep objects", "no JSON", "nothing asked for"],
)
async def test_bodies_that_cannot_be_read(centre: Door, body: bytes, status: int, code: str) -> None:
    refused = await centre.http.post("/staging", content=body)
    assert refused.status_code == status, refused.text[:500]
    assert refused.json()["code"] == code
    assert await centre.road.events_of(centre.place, StagingRequested) == []
