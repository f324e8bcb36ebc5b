import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from contracts.observations import FilesFiled, ObservationStarted
from libs.service.service import Place
from libs.sites.models import Deployment
from services.filing.reading import BODY_LIMIT
from tests.support.road import Road, database_of

pytestmark = pytest.mark.integration

START = {"instrument": "camera", "start_time": "2026-03-01T02:00:00Z"}
NOBODY = "00000000-0000-4000-8000-000000000000"
END = {"end_time": "2026-03-01T02:05:00Z"}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def with_site(place: Place, **changes: object) -> Place:
    """The same place with other settings of its site."""
    site = place.settings.model_copy(update=changes)
    sites = {**place.deployment.sites, place.site: site}
    return replace(place, deployment=place.deployment.model_copy(update={"sites": sites}))


@dataclass
class Serving:
    place: Place
    http: httpx.AsyncClient

    async def post(self, path: str, body: object) -> httpx.Response:
        return await self.http.post(f"/executed_obs_units/{path}", json=body)


@asynccontextmanager
async def serving(road: Road, place: Place, *others: str) -> AsyncIterator[Serving]:
    port = free_port()
    place = with_site(place, http=place.settings.http.model_copy(update={"filing_port": port}))
    async with (
        road.running(place, *others, "filing"),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as http,
    ):
        yield Serving(place, http)


async def test_the_road_of_an_observation(road: Road) -> None:
    async with serving(road, road.telescope, "projector") as filing:
        started = await filing.post("start", START)
        assert started.status_code == 201
        unit = started.json()["executed_obs_unit_id"]
        assert (await filing.post("start", START)).status_code == 200

        files = {"files": [{"path": "a.fits", "size": 3}]}
        assert (await filing.post(f"{unit}/raw_data_files", files)).status_code == 201
        again = await filing.post(f"{unit}/raw_data_files", {**files, "executed_obs_unit_id": unit})
        assert (again.status_code, again.json()["repeated"]) == (200, True)
        assert (await filing.post(f"{unit}/finish", END)).status_code == 200
        late = await filing.post(f"{unit}/raw_data_files", {"files": [{"path": "b.fits"}]})
        assert (late.status_code, late.json()["problem"]["code"]) == (409, "observation_finished")
        assert (await filing.http.get("/health")).json() == {
            "site": filing.place.site,
            "problems": [],
            "ok": True,
        }


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("start", {**START, "instrument": "nobody"}, 422, "unknown_instrument"),
        ("start", {}, 422, "invalid_request"),
        ("not-a-uuid/finish", END, 422, "invalid_request"),
        (f"{NOBODY}/finish", END, 404, "observation_not_started"),
        (f"{NOBODY}/finish", {**END, "executed_obs_unit_id": str(uuid4())}, 422, "invalid_request"),
        (f"{NOBODY}/raw_data_files", {"files": []}, 422, "invalid_request"),
        ("nothing/here", {}, 404, "not_found"),
    ],
)
async def test_refusals_have_a_status_a_code_and_a_remedy(
    road: Road, path: str, body: dict[str, Any], status: int, code: str
) -> None:
    async with serving(road, road.telescope) as filing:
        response = await filing.post(path, body)
        answer = response.json()
        assert (response.status_code, answer["accepted"], answer["problem"]["code"]) == (status, False, code)
        assert answer["problem"]["remedy"]


async def test_bodies_that_are_too_large_or_no_json(road: Road) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(BODY_LIMIT // 65_536 + 2):
            yield b" " * 65_536

    async with serving(road, road.telescope) as filing:
        url = "/executed_obs_units/start"
        declared = await filing.http.post(url, content=b" " * (BODY_LIMIT + 1))
        streamed = await filing.http.post(url, content=endless())
        no_json = await filing.http.post(url, content=b"<xml/>")
        deep = await filing.http.post(url, content=b'{"conditions":' * 50_000)
        wrong_method = await filing.http.get(url)

        assert [r.status_code for r in (declared, streamed, no_json, deep, wrong_method)] == [
            413,
            413,
            400,
            400,
            405,
        ]
        codes = [r.json()["problem"]["code"] for r in (declared, streamed, no_json, deep, wrong_method)]
        assert codes == [
            "request_too_large",
            "request_too_large",
            "not_json",
            "not_json",
            "method_not_allowed",
        ]
        assert (await filing.post("start", START)).status_code == 201


async def test_an_instrument_that_is_unavailable_or_stands_elsewhere(road: Road) -> None:
    camera = road.telescope.deployment.instruments["camera"]
    instruments = {
        "camera": camera.model_copy(update={"available": False}),
        "far": camera.model_copy(update={"site": road.centre.site}),
    }
    deployment: Deployment = road.telescope.deployment.model_copy(update={"instruments": instruments})
    async with serving(road, replace(road.telescope, deployment=deployment)) as filing:
        away = await filing.post("start", START)
        far = await filing.post("start", {**START, "instrument": "far"})
        assert away.json()["problem"]["code"] == "instrument_unavailable"
        assert far.json()["problem"]["code"] == "instrument_elsewhere"


async def test_while_the_opsdb_is_away_at_the_start_it_says_so(road: Road) -> None:
    opsdb = road.telescope.settings.opsdb.model_copy(update={"port": free_port()})
    place = with_site(road.telescope, opsdb=opsdb)
    port = free_port()
    place = with_site(place, http=place.settings.http.model_copy(update={"filing_port": port}))

    async def run() -> None:
        async with road.running(place, "filing"):
            await asyncio.sleep(60)

    task = asyncio.create_task(run())
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            response = await answered(http)
            assert response.status_code == 503
            assert response.headers["retry-after"] == "5"
            assert response.json()["problem"]["code"] == "opsdb_unavailable"
            assert (await http.get("/health")).status_code == 503
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def answered(http: httpx.AsyncClient) -> httpx.Response:
    for _ in range(200):
        try:
            return await http.post("/executed_obs_units/start", json=START)
        except httpx.ConnectError:
            await asyncio.sleep(0.05)
    raise AssertionError("nobody listens")


async def test_it_recovers_when_the_opsdb_goes_away_and_comes_back(road: Road) -> None:
    database = database_of(road.telescope.site)
    admin = await asyncpg.connect(road.servers.dsn("postgres"))

    async def renamed(old: str, new: str) -> None:
        for _ in range(200):
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", old
            )
            with contextlib.suppress(asyncpg.ObjectInUseError):
                await admin.execute(f"ALTER DATABASE {old} RENAME TO {new}")
                return
            await asyncio.sleep(0.02)
        raise AssertionError("somebody holds on to the database")

    try:
        async with serving(road, road.telescope) as filing:
            unit = (await filing.post("start", START)).json()["executed_obs_unit_id"]
            await renamed(database, f"{database}_away")
            files = {"files": [{"path": "a"}]}
            away = await filing.post(f"{unit}/raw_data_files", files)
            await renamed(f"{database}_away", database)
            back = await filing.post(f"{unit}/raw_data_files", files)

        assert (away.status_code, away.json()["problem"]["code"]) == (503, "opsdb_unavailable")
        assert back.status_code == 201
        assert len(await road.events_of(road.telescope, FilesFiled)) == 1
    finally:
        await admin.close()


async def test_the_openapi_document_shows_the_requests(road: Road) -> None:
    async with serving(road, road.telescope) as filing:
        paths = (await filing.http.get("/openapi.json")).json()["paths"]
        body = paths["/executed_obs_units/start"]["post"]["requestBody"]["content"]["application/json"][
            "schema"
        ]
        assert "instrument" in json.dumps(body)
        assert len(await road.events_of(road.telescope, ObservationStarted)) == 0
