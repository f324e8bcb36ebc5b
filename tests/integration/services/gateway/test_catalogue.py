from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.support.door import Door
from tests.support.histories import road as history
from tests.support.histories.road import Observation

pytestmark = pytest.mark.integration

START = datetime(2026, 5, 1, 3, 0, tzinfo=UTC)


def observations(count: int, files: int = 2) -> list[Observation]:
    return [Observation(number=n, files=files, start=START + timedelta(minutes=n)) for n in range(count)]


async def pages(door: Door, address: str, limit: int) -> list[list[Any]]:
    found: list[list[Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await door.json(f"{address}limit={limit}" + (f"&cursor={cursor}" if cursor else ""))
        found.append(page["items"])
        cursor = page["next"]
    return found


async def test_pages_hold_every_observation_once_the_latest_first(centre: Door) -> None:
    units = observations(7)
    await centre.happen(step for unit in units for step in history.filing(unit))
    found = await pages(centre, "/executed_obs_units?", 3)
    assert [len(page) for page in found] == [3, 3, 1]
    ids = [item["id"] for page in found for item in page]
    assert ids == [str(unit.id) for unit in reversed(units)]


async def test_equal_times_do_not_break_the_pages(centre: Door) -> None:
    units = [Observation(number=n, files=1, start=START) for n in range(5)]
    await centre.happen(next(iter(history.filing(unit))) for unit in units)
    found = await pages(centre, "/executed_obs_units?", 2)
    assert sorted(item["id"] for page in found for item in page) == sorted(str(unit.id) for unit in units)


async def test_filters_of_observations(centre: Door) -> None:
    first, second = observations(2)
    await centre.happen([*history.filing(first), next(iter(history.filing(second)))])
    running = await centre.json("/executed_obs_units?state=running")
    assert [item["id"] for item in running["items"]] == [str(second.id)]
    since = (START + timedelta(seconds=30)).isoformat().replace("+", "%2B")
    later = await centre.json(f"/executed_obs_units?since={since}&instrument={history.INSTRUMENT}")
    assert [item["id"] for item in later["items"]] == [str(second.id)]
    named = await centre.json("/executed_obs_units?obs_unit=obs-0")
    assert [item["id"] for item in named["items"]] == [str(first.id)]
    none = await centre.json("/executed_obs_units?instrument=other")
    assert none == {"items": [], "next": None}


async def test_an_observation_tells_its_files_and_packages_by_state(centre: Door) -> None:
    (unit,) = observations(1, files=3)
    await centre.happen(history.road(unit))
    found = await centre.json(f"/executed_obs_units/{unit.id}")
    assert found["files"] == {"packaged": 3}
    assert found["packages"] == {"archived": 1}
    assert found["conditions"] == {"seeing_arcsec": 0.8, "sky": "clear"}
    assert found["target_name"] == "M 31"
    assert len(found["pictures"]) == 3


async def test_files_come_by_path_in_pages(centre: Door) -> None:
    (unit,) = observations(1, files=5)
    await centre.happen(history.filing(unit))
    found = await pages(centre, f"/executed_obs_units/{unit.id}/raw_data_files?", 2)
    assert [item["path"] for page in found for item in page] == sorted(unit.paths)
    none = await centre.json(f"/executed_obs_units/{unit.id}/raw_data_files?state=scanned")
    assert none["items"] == []
    one = await centre.json(f"/raw_data_files/{unit.file_ids[0]}")
    assert one["state"] == "filed"
    assert one["declared_size"] == history.FILE_SIZE


async def test_a_package_tells_its_copies(centre: Door) -> None:
    units = observations(3)
    await centre.happen(step for unit in units for step in history.road(unit))
    package = await centre.json(f"/raw_data_packages/{units[0].package_id}")
    assert package["state"] == "archived"
    copies = {copy["location"]: copy["state"] for copy in package["copies"]}
    assert copies[history.ARCHIVE] == "present"
    found = await pages(centre, "/raw_data_packages?state=archived&", 2)
    assert [len(page) for page in found] == [2, 1]
    assert all(item["copies"] for page in found for item in page)
    of_one = await centre.json(f"/raw_data_packages?executed_obs_unit_id={units[1].id}")
    assert [item["id"] for item in of_one["items"]] == [str(units[1].package_id)]


async def test_a_bundle_tells_its_hops(centre: Door) -> None:
    units = observations(2)
    await centre.happen(step for unit in units for step in history.road(unit))
    bundle = await centre.json(f"/data_transfer_packages/{units[0].bundle_id}")
    assert bundle["state"] == "completed"
    (hop,) = bundle["transfers"]
    assert hop["state"] == "completed"
    assert hop["seconds"] == 12.5
    found = await pages(centre, "/data_transfer_packages?", 1)
    assert [len(page) for page in found] == [1, 1]


async def test_what_is_unknown_is_a_problem(centre: Door) -> None:
    kinds = {
        "executed_obs_units": "unknown_executed_obs_unit",
        "raw_data_files": "unknown_raw_data_file",
        "raw_data_packages": "unknown_raw_data_package",
        "data_transfer_packages": "unknown_data_transfer_package",
        "staging": "unknown_staging_job",
        "explain": "unknown_id",
    }
    for kind, code in kinds.items():
        problem = await centre.json(f"/{kind}/{uuid4()}", status=404)
        assert problem["code"] == code
        assert problem["reason"]
        assert problem["remedy"]


async def test_what_is_malformed_is_a_problem(centre: Door) -> None:
    requests = [
        ("/executed_obs_units/no-uuid", 422, "invalid_request"),
        ("/executed_obs_units?state=nonsense", 422, "invalid_request"),
        ("/executed_obs_units?limit=0", 422, "invalid_request"),
        ("/executed_obs_units?limit=501", 422, "invalid_request"),
        ("/executed_obs_units?since=2026-05-01T00:00:00", 422, "invalid_request"),
        ("/executed_obs_units?cursor=%25%25", 422, "cursor_invalid"),
        ("/executed_obs_units?cursor=WyJhIl0", 422, "cursor_invalid"),
        ("/nowhere", 404, "not_found"),
        ("/staging/x/release", 405, "method_not_allowed"),
    ]
    for address, status, code in requests:
        problem = await centre.json(address, status=status)
        assert problem["code"] == code, address
        assert problem["remedy"]
