from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest

from contracts.observations import FilesFiled, ObservationFinished
from tests.support.door import Door, opened
from tests.support.road import Road

pytestmark = pytest.mark.integration

START = {"instrument": "camera", "start_time": "2026-03-01T04:05:06Z", "obs_unit": "field 7"}
END = {"end_time": datetime(2026, 3, 1, 5, tzinfo=UTC).isoformat()}


async def test_the_gateway_answers_as_filing_does(road: Road) -> None:
    async with opened(road, road.telescope, "projector", "filing") as door:
        direct = f"http://127.0.0.1:{door.place.settings.http.filing_port}"
        async with httpx.AsyncClient(base_url=direct, timeout=20) as filing:
            await check_the_road_of_requests(road, door, filing)
            await check_refusals(door, filing)


async def check_the_road_of_requests(road: Road, door: Door, filing: httpx.AsyncClient) -> None:
    started = await door.http.post("/executed_obs_units/start", json=START)
    assert started.status_code == 201, started.text
    unit = started.json()["executed_obs_unit_id"]
    again = await filing.post("/executed_obs_units/start", json=START)
    assert (again.status_code, again.json()["executed_obs_unit_id"]) == (200, unit)

    files = {"files": [{"path": "a b.fits"}, {"path": "c.fits", "module": "guide"}]}
    filed = await door.http.post(f"/executed_obs_units/{unit}/raw_data_files", json=files)
    assert filed.status_code == 201, filed.text
    assert len(filed.json()["file_ids"]) == 2
    repeated = await door.http.post(f"/executed_obs_units/{unit}/raw_data_files", json=files)
    assert (repeated.status_code, repeated.json()["repeated"]) == (200, True)
    finished = await door.http.post(f"/executed_obs_units/{unit}/finish", json=END)
    assert finished.status_code == 200, finished.text

    (event,) = await road.events_of(road.telescope, FilesFiled)
    assert [str(file.file_id) for file in event.files] == filed.json()["file_ids"]
    assert len(await road.events_of(road.telescope, ObservationFinished)) == 1


async def check_refusals(door: Door, filing: httpx.AsyncClient) -> None:
    stranger = uuid4()
    requests: list[tuple[str, dict[str, Any]]] = [
        ("/executed_obs_units/start", {"json": {**START, "instrument": "nobody"}}),
        ("/executed_obs_units/start", {"content": b"{not json"}),
        ("/executed_obs_units/start", {"json": {"start_time": "yesterday"}}),
        (f"/executed_obs_units/{stranger}/raw_data_files", {"json": {"files": [{"path": "x"}]}}),
        (f"/executed_obs_units/{stranger}/raw_data_files", {"json": {"files": []}}),
        (f"/executed_obs_units/{stranger}/raw_data_files", {"json": {"executed_obs_unit_id": str(uuid4())}}),
        (f"/executed_obs_units/{stranger}/finish", {"json": END}),
        (f"/executed_obs_units/{stranger}/finish", {"content": b"[]"}),
        ("/executed_obs_units/no-uuid/finish", {"json": END}),
    ]
    for address, body in requests:
        here = await door.http.post(address, **body)
        there = await filing.post(address, **body)
        assert here.status_code == there.status_code, (address, body, here.text, there.text)
        assert here.json()["problem"]["code"] == there.json()["problem"]["code"], (address, body)
        assert not here.json()["accepted"]


async def test_without_filing_the_answer_says_so(centre: Door) -> None:
    refused = await centre.http.post("/executed_obs_units/start", json=START)
    assert refused.status_code == 503
    assert refused.json()["problem"]["code"] == "filing_unreachable"
    assert refused.headers["retry-after"]


async def test_a_body_above_the_limit_is_not_read(centre: Door) -> None:
    limit = centre.road.client(centre.place).max_payload
    refused = await centre.http.post("/executed_obs_units/start", content=b" " * (limit + 1))
    assert refused.status_code == 413
    assert refused.json()["problem"]["code"] == "request_too_large"
