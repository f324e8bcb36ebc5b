import asyncio
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from starlette.datastructures import Headers

from contracts.staging import RequestStaging, Selection
from contracts.states import LocationType, StorageType
from libs.errors import UserError
from libs.insight.queues import Projection
from libs.sites.models import Deployment, DiskLocation, SiteSettings
from services.gateway.feed import Listener, cursor_of, read_cursor
from services.gateway.fresh import Fresh
from services.gateway.guarding import refusal_of
from services.gateway.health import lags
from services.gateway.pictures import client_has
from services.gateway.placing import absolute_folder, choose_location, name_job

ONE = UUID(int=1)
NOW = datetime(2026, 5, 1, tzinfo=UTC)


def disk(name: str, kind: LocationType, **more: object) -> DiskLocation:
    given = {"type": kind, "storage": StorageType.DISK, "path": Path("/data") / name, **more}
    return DiskLocation.model_validate(given)


def deployment() -> Deployment:
    mountain = {"buffer": disk("buffer", LocationType.BUFFER)}
    city = {
        "late": disk("late", LocationType.PROCESSING, priority=2),
        "early": disk("early", LocationType.PROCESSING, priority=1),
        "closed": disk("closed", LocationType.PROCESSING, priority=0, active=False),
    }
    university = {"desk": disk("desk", LocationType.PROCESSING)}
    sites = {"mountain": mountain, "city": city, "university": university}
    return Deployment(
        version=1,
        observatory="O",
        telescope="T",
        sites={name: SiteSettings.model_validate({"locations": held}) for name, held in sites.items()},
    )


@pytest.mark.parametrize(
    ("site", "wanted", "chosen"),
    [
        ("city", None, "early"),
        ("university", None, "desk"),
        ("mountain", None, "early"),
        ("mountain", "desk", "desk"),
    ],
)
def test_where_a_job_goes(site: str, wanted: str | None, chosen: str) -> None:
    assert choose_location(deployment(), site, wanted) == chosen


@pytest.mark.parametrize(
    ("wanted", "code"),
    [("nowhere", "unknown_location"), ("buffer", "not_processing"), ("closed", "location_inactive")],
)
def test_where_a_job_cannot_go(wanted: str, code: str) -> None:
    with pytest.raises(UserError) as error:
        choose_location(deployment(), "city", wanted)
    assert error.value.problem.code == code
    assert "early" in error.value.problem.remedy


def test_without_processing_there_is_no_job() -> None:
    only = deployment().model_copy(update={"sites": {"mountain": deployment().sites["mountain"]}})
    with pytest.raises(UserError) as error:
        choose_location(only, "mountain", None)
    assert error.value.problem.code == "no_processing"


def test_folders_are_told_where_their_disk_is() -> None:
    assert absolute_folder(deployment(), "city", "early", "staging/x") == Path("/data/early/staging/x")
    assert absolute_folder(deployment(), "mountain", "early", "staging/x") is None
    assert absolute_folder(deployment(), "city", "gone", "staging/x") is None


def test_a_key_names_the_job_whenever_and_whatever_it_comes_with() -> None:
    request = RequestStaging(selection=Selection(file_ids=(ONE,)), requested_by="a")
    other = RequestStaging(selection=Selection(file_ids=(uuid4(),)), requested_by="b")
    later = datetime(2027, 1, 1, tzinfo=UTC)
    assert name_job(request, "city", "k", NOW) == name_job(other, "city", "k", later)
    assert name_job(request, "city", "k", NOW) != name_job(request, "city", "l", NOW)
    assert name_job(request, "city", "k", NOW) != name_job(request, "mountain", "k", NOW)
    assert name_job(request, "city", None, NOW) != name_job(request, "city", None, later)


@pytest.mark.parametrize(
    ("method", "headers", "listening", "code"),
    [
        ("GET", {"host": "127.0.0.1:80"}, "127.0.0.1", None),
        ("GET", {"host": "localhost"}, "127.0.0.1", None),
        ("GET", {"host": "[::1]:80"}, "127.0.0.1", None),
        ("GET", {"host": "evil.example"}, "127.0.0.1", "misdirected"),
        ("GET", {}, "127.0.0.1", "misdirected"),
        ("GET", {"host": "archive.example"}, "0.0.0.0", None),  # noqa: S104  only compared
        ("POST", {"host": "a:1", "origin": "http://a:1"}, "10.0.0.1", None),
        ("POST", {"host": "a:1", "origin": "http://a:2"}, "10.0.0.1", "cross_origin"),
        ("POST", {"host": "a:1", "origin": "null"}, "10.0.0.1", "cross_origin"),
        ("GET", {"host": "a:1", "origin": "http://b"}, "10.0.0.1", None),
    ],
)
def test_who_is_let_in(method: str, headers: dict[str, str], listening: str, code: str | None) -> None:
    problem = refusal_of(method, Headers(headers), listening)
    assert (None if problem is None else problem.code) == code


@pytest.mark.parametrize(
    ("header", "has"),
    [
        ("", False),
        ('"a"', True),
        ('W/"a"', True),
        ('"b", "a"', True),
        ('"b"', False),
        ("*", True),
        ("a", False),
    ],
)
def test_which_version_a_client_has(header: str, has: bool) -> None:
    assert client_has(header, '"a"') is has


def test_the_id_of_an_event_is_where_every_stream_was() -> None:
    assert cursor_of({"EVENTS_b": 2, "EVENTS_a": 10}) == "EVENTS_a:10,EVENTS_b:2"
    assert read_cursor("EVENTS_a:10,EVENTS_b:2") == {"EVENTS_b": 2, "EVENTS_a": 10}
    assert read_cursor("EVENTS_a:10") == {"EVENTS_a": 10}


async def test_a_listener_takes_all_that_waits_until_there_is_no_room() -> None:
    listener = Listener({})
    assert listener.offer(b"a")
    assert listener.offer(b"b")
    assert await listener.take(1) == b"ab"
    assert await listener.take(0.01) == b""
    assert all(listener.offer(b"x") for _ in range(2_000))
    assert not listener.offer(b"x")


def test_lags_are_told_by_count_and_by_time() -> None:
    def one(behind: int, waited: float | None) -> Projection:
        return Projection(stream="E", stored=behind, applied=0, behind=behind, behind_s=waited)

    assert list(lags([one(0, None), one(100, 2.0), one(20_000, 5.0)])) == []
    assert [p.code for p in lags([one(20_001, 1.0), one(1, 31.0)])] == ["projection_behind"] * 2


async def test_a_costly_answer_is_made_once_for_all_who_ask_together() -> None:
    made = 0

    async def make() -> int:
        nonlocal made
        made += 1
        await asyncio.sleep(0.02)
        return made

    fresh = Fresh(make, shortest_s=0.0)
    assert await asyncio.gather(*(fresh.get() for _ in range(5))) == [1] * 5
    await asyncio.sleep(0.05)
    assert await fresh.get() == 1
    await asyncio.sleep(0.3)
    assert await fresh.get() == 2


async def test_a_failed_answer_is_not_kept() -> None:
    answers = iter([ValueError("no"), "yes"])

    async def make() -> str:
        found = next(answers)
        if isinstance(found, ValueError):
            raise found
        return str(found)

    fresh = Fresh(make)
    with pytest.raises(ValueError, match="no"):
        await fresh.get()
    assert await fresh.get() == "yes"
