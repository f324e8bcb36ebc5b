import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from faststream.nats import NatsBroker
from nats.errors import NoRespondersError

from contracts.observations import FiledFile, FilesFiled, ObservationFinished, ObservationStarted, file_id
from contracts.subjects import filing_request
from tests.support.road import Road

pytestmark = pytest.mark.integration

START = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
END = START + timedelta(minutes=5)


async def ask(road: Road, verb: str, request: Mapping[str, Any] | bytes) -> dict[str, Any]:
    body = request if isinstance(request, bytes) else json.dumps(request, default=str).encode()
    for _ in range(100):
        try:
            reply = await road.client(road.telescope).request(
                filing_request(road.telescope.site, verb), body, timeout=15
            )
        except NoRespondersError:
            # The service has said that it listens, the server has not read it yet.
            await asyncio.sleep(0.01)
        else:
            answer: dict[str, Any] = json.loads(reply.data)
            return answer
    raise AssertionError("nobody answers")


async def start(road: Road, **facts: Any) -> str:
    answer = await ask(
        road, "start", {"instrument": "camera", "start_time": START, "obs_unit": str(uuid4())} | facts
    )
    assert answer["accepted"], answer
    return str(answer["executed_obs_unit_id"])


async def file(road: Road, unit: str, *files: Mapping[str, Any]) -> dict[str, Any]:
    return await ask(road, "files", {"executed_obs_unit_id": unit, "files": files})


async def finish(road: Road, unit: str, **facts: Any) -> dict[str, Any]:
    return await ask(road, "finish", {"executed_obs_unit_id": unit, "end_time": END} | facts)


def codes(answer: Mapping[str, Any]) -> set[str]:
    assert not answer["accepted"], answer
    return {answer["problem"]["code"], *(problem["code"] for problem in answer["details"])}


@pytest.fixture(params=["projector runs", "projector is away"])
def services(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return ("projector", "filing") if request.param == "projector runs" else ("filing",)


async def test_an_observation_from_start_to_end(road: Road, services: tuple[str, ...]) -> None:
    async with road.running(road.telescope, *services):
        request = {
            "instrument": "camera",
            "start_time": START,
            "target": {"name": "M 31", "ra_deg": 10.68, "dec_deg": 41.27},
            "conditions": {"seeing": 0.8, "notes": ["clear"]},
        }
        started = await ask(road, "start", request)
        unit = started["executed_obs_unit_id"]
        filed = await file(
            road, unit, {"path": "a b/ñ\n.fits", "size": 10}, {"path": "-g", "module": "guide"}
        )
        finished = await finish(road, unit)

        assert [a["accepted"] and not a["repeated"] for a in (started, filed, finished)] == [True] * 3
        assert len(filed["file_ids"]) == 2
        for verb, again in (("start", request), ("finish", {"executed_obs_unit_id": unit, "end_time": END})):
            assert (await ask(road, verb, again))["repeated"]
        again = await file(
            road, unit, {"path": "a b/ñ\n.fits", "size": 10}, {"path": "-g", "module": "guide"}
        )
        assert again["repeated"]
        assert again["file_ids"] == filed["file_ids"]

        [event] = await road.events_of(road.telescope, FilesFiled)
        assert [(f.path, f.module, f.size) for f in event.files] == [
            ("camera/a b/ñ\n.fits", "main", 10),
            ("camera/-g", "guide", None),
        ]
        [end] = await road.events_of(road.telescope, ObservationFinished)
        assert end.file_count == 2
        assert len(await road.events_of(road.telescope, ObservationStarted)) == 1


async def test_bad_files_are_told_together_and_nothing_is_stored(
    road: Road, services: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (road.source / "link").symlink_to(tmp_path / "elsewhere")
    (road.source / "file-link").symlink_to(tmp_path / "nowhere")
    async with road.running(road.telescope, *services):
        unit, other = await start(road), await start(road)
        await file(road, other, {"path": "taken"})
        bad = {
            "../escape": "path_outside",
            "/etc/passwd": "path_absolute",
            "a//b": "path_invalid",
            "nul\0": "path_invalid",
            "link/x": "path_symlink",
            "file-link": "path_symlink",
            "taken": "file_filed_elsewhere",
        }
        answer = await file(
            road,
            unit,
            *({"path": path} for path in bad),
            {"path": "good"},
            {"path": "good"},
            {"path": "m", "module": "spectrograph"},
        )

        assert codes(answer) == {*bad.values(), "duplicate_path", "unknown_module"}
        assert all(p["reason"] and p["remedy"] for p in answer["details"])
        assert [e.executed_obs_unit_id for e in await road.events_of(road.telescope, FilesFiled)] == [
            UUID(other)
        ]


async def test_observations_that_cannot_be(road: Road, services: tuple[str, ...]) -> None:
    async with road.running(road.telescope, *services):
        unit = await start(road)
        unknown = str(uuid4())

        assert codes(await ask(road, "start", {"instrument": "nobody", "start_time": START})) == {
            "unknown_instrument"
        }
        assert codes(await file(road, unknown, {"path": "x"})) == {"observation_not_started"}
        assert codes(await finish(road, unknown)) == {"observation_not_started"}
        assert codes(await finish(road, unit)) == {"no_files"}
        assert codes(await finish(road, unit, end_time=START - timedelta(seconds=1))) == {
            "end_before_start",
            "no_files",
        }
        clash = {"instrument": "camera", "start_time": END, "executed_obs_unit_id": unit}
        assert codes(await ask(road, "start", clash)) == {"observation_differs"}
        assert (await finish(road, unit, outcome="aborted"))["accepted"]
        assert (await finish(road, unit, outcome="aborted"))["repeated"]
        assert codes(await finish(road, unit, outcome="completed")) == {"observation_finished"}
        assert codes(await file(road, unit, {"path": "late"})) == {"observation_finished"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"not json", "not_json"),
        (b"\xff\xfe", "not_json"),
        (b"", "not_json"),
        (b"[]", "not_json"),
        (b'{"a": NaN}', "not_json"),
        (b"{}", "invalid_request"),
        (b'{"instrument": "camera", "start_time": "2026-01-01T00:00:00", "x": 1}', "invalid_request"),
        (b'{"instrument": "camera", "start_time": "0001-01-01T00:00:00+14:00"}', "time_out_of_range"),
        (b'{"instrument": "camera", "start_time": "9999-01-01T00:00:00Z"}', "time_out_of_range"),
        (
            b'{"instrument": "camera", "start_time": "2026-01-01T00:00:00Z", "obs_mode": "\\u0000"}',
            "text_invalid",
        ),
        (
            b'{"instrument": "camera", "start_time": "2026-01-01T00:00:00Z", "conditions": {"a": ["\\u0000"]}}',
            "text_invalid",
        ),
        (
            b'{"instrument": "camera", "start_time": "2026-01-01T00:00:00Z", "obs_mode": "\\ud800"}',
            "not_json",
        ),
        (b"[" * 100_000, "not_json"),
        (
            b'{"instrument": "camera", "start_time": "2026-01-01T00:00:00Z", "conditions": {"a": "'
            + b"x" * 70_000
            + b'"}}',
            "conditions_too_large",
        ),
    ],
)
async def test_requests_that_cannot_be_read(road: Road, body: bytes, code: str) -> None:
    async with road.running(road.telescope, "filing"):
        assert codes(await ask(road, "start", body)) == {code}
        await start(road)


async def test_a_wrong_declaration_can_be_corrected_back_and_forth(
    road: Road, services: tuple[str, ...]
) -> None:
    async with road.running(road.telescope, *services):
        unit = await start(road)
        await file(road, unit, {"path": "x", "sha256": "0" * 64})
        await finish(road, unit)
        for digest in ("1" * 64, "0" * 64, "1" * 64):
            answer = await file(road, unit, {"path": "x", "sha256": digest})
            assert answer["accepted"]
            assert not answer["repeated"]

        events = await road.events_of(road.telescope, FilesFiled)
        assert [event.files[0].sha256 for event in events] == ["0" * 64, "1" * 64, "0" * 64, "1" * 64]
        assert len({event.event_id("x") for event in events}) == 4


async def test_two_instances_never_give_one_file_to_two_observations(road: Road) -> None:
    async with (
        road.running(road.telescope, "projector", "filing"),
        road.running(road.telescope, "filing"),
        road.running(road.telescope, "filing"),
    ):
        units = [await start(road) for _ in range(6)]
        files = [{"path": f"night/{n}.fits"} for n in range(1200)]
        answers = await asyncio.gather(*(file(road, unit, *files) for unit in units))

        assert sum(answer["accepted"] for answer in answers) == 1
        assert all(codes(a) == {"file_filed_elsewhere"} for a in answers if not a["accepted"])
        filed = [f.path for e in await road.events_of(road.telescope, FilesFiled) for f in e.files]
        assert len(filed) == len(set(filed)) == 1200


async def test_a_state_survives_a_restart_with_the_projector_away(road: Road) -> None:
    async with road.running(road.telescope, "filing"):
        unit, other = await start(road), await start(road)
        await file(road, unit, {"path": "x"})
    async with road.running(road.telescope, "filing"):
        assert (await file(road, unit, {"path": "x"}))["repeated"]
        assert codes(await file(road, other, {"path": "x"})) == {"file_filed_elsewhere"}
        assert (await finish(road, unit))["accepted"]


async def test_an_answer_of_ten_thousand_files_fits(road: Road) -> None:
    async with road.running(road.telescope, "filing"):
        unit = await start(road)
        answer = await file(road, unit, *({"path": f"{n}"} for n in range(10_000)))
        assert len(answer["file_ids"]) == 10_000
        assert (await finish(road, unit))["accepted"]
        [end] = await road.events_of(road.telescope, ObservationFinished)
        assert end.file_count == 10_000


async def test_a_list_of_which_a_part_was_stored_before_a_crash_is_completed(
    road: Road, services: tuple[str, ...]
) -> None:
    files = [{"path": f"{n:04}"} for n in range(1200)]
    async with road.running(road.telescope, *services):
        unit = await start(road)
        stored = tuple(
            FiledFile(file_id=file_id(UUID(unit), f"camera/{n:04}"), path=f"camera/{n:04}", module="main")
            for n in range(500)
        )
        part = FilesFiled(
            executed_obs_unit_id=UUID(unit),
            instrument="camera",
            location=f"{road.telescope.site}-source",
            files=stored,
            part=1,
            parts=3,
        )
        await road.publisher(road.telescope, "filing").publish([part])
        answer = await file(road, unit, *files)

        assert answer["accepted"]
        assert not answer["repeated"]
        assert len(answer["file_ids"]) == 1200
        filed = [f.path for e in await road.events_of(road.telescope, FilesFiled) for f in e.files]
        assert sorted(filed) == [f"camera/{n:04}" for n in range(1200)]
        assert (await finish(road, unit))["accepted"]
        [end] = await road.events_of(road.telescope, ObservationFinished)
        assert end.file_count == 1200


async def test_faststream_clients_can_ask_too(road: Road) -> None:
    address = road.telescope.bus_address()
    url = address.url.replace("://", f"://{address.user}:{address.password}@")
    async with road.running(road.telescope, "filing"), NatsBroker(url) as broker:
        reply = await broker.request(
            {"instrument": "camera", "start_time": START.isoformat()},
            filing_request(road.telescope.site, "start"),
            timeout=5,
        )
        assert json.loads(reply.body)["accepted"]
