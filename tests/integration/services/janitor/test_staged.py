"""The folders of staging jobs: what the plan says of them, and what holds keep, whenever these are placed."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from commands.janitor import Question
from contracts.base import Event
from contracts.copies import DeletionScheduled
from contracts.holds import HoldReleased
from contracts.staging import ReleaseReason, Selection, StagingCompleted, StagingReleased, StagingRequested
from contracts.states import HoldKind
from libs.service.ticking import ticking
from services.janitor.saying import Voice
from tests.integration.commands.test_janitor_commands import codes, told, up
from tests.integration.services.janitor.test_holds import codes_at, known, place_hold
from tests.integration.services.stager.test_staging import ask, request
from tests.support.archived import sealed
from tests.support.road import Road

pytestmark = pytest.mark.integration


async def give_back(road: Road, job: StagingRequested) -> None:
    released = StagingReleased(
        job_id=job.job_id, location=job.location, folder=job.folder, reason=ReleaseReason.RELEASED
    )
    await road.publisher(road.centre, "gateway").publish([released])


async def let_go(road: Road, hold: UUID) -> None:
    released = HoldReleased(hold_id=hold, reason="done", released_by="b", released_at=datetime.now(UTC))
    await road.publisher(road.centre).publish([released])


async def states(road: Road, package: UUID, location: str) -> list[str]:
    sql = "SELECT state::text FROM physical_copy WHERE entity_id = $1 AND location = $2"
    return [row["state"] for row in await road.query(road.centre, sql, package, location)]


async def test_what_is_held_stays_staged_and_the_plan_says_so(
    road: Road, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hold of one job's package stands when it is decided, the other's is placed when it was announced already."""
    monkeypatch.setattr("services.janitor.app.SWEEP_EVERY_S", 0.2)
    monkeypatch.setattr("services.janitor.app.ticking", partial(ticking, rest=0.5))
    monkeypatch.setattr("services.janitor.sweeping.FIRST_PAUSE_S", 0.3)
    packages = [await sealed(road, {f"{n}.fits": b"12345"}) for n in range(2)]
    jobs = [request(road, Selection(package_ids=(one.id,))) for one in packages]
    location = jobs[0].location
    at = Question(location=location, everything=True)
    announce, late = Voice.announce, list[UUID]()

    async def announce_and_hold(self: Voice, events: Sequence[Event], causation_id: str | None) -> None:
        await announce(self, events, causation_id)
        if not late and any(one.location == location for one in events if isinstance(one, DeletionScheduled)):
            late.append(await place_hold(road, road.centre, HoldKind.RAW_DATA_PACKAGE, packages[1].id))
            await known(road, road.centre, late[0])

    async with road.running(road.centre, "projector"), up(road.centre, tmp_path) as workdir:
        async with road.running(road.centre, "stager"):
            for package in packages:
                await package.archive()
            here = [await ask(road, job) for job in jobs]
            await road.wait_for(road.centre, StagingCompleted, count=2)
        hold = await place_hold(road, road.centre, HoldKind.RAW_DATA_PACKAGE, packages[0].id)
        await known(road, road.centre, hold)
        await road.eventually(lambda: _is_planned(workdir, at, {"still_staged": 2}))
        listed = (await told(workdir, at))[location]["listed"]
        assert [(one["path"], one["id"], one["bytes"]) for one in listed] == [
            (job.folder, str(job.job_id), 5) for job in jobs
        ]
        assert all(one["goes_at"] > datetime.now(UTC).isoformat() for one in listed)
        for job in jobs:
            await give_back(road, job)
        await road.eventually(lambda: _is_planned(workdir, at, {"held": 1}))
        assert (await told(workdir, at))[location]["goes"] == {"copies": 1, "bytes": 5, "before_their_age": 0}
        monkeypatch.setattr(Voice, "announce", announce_and_hold)
        async with road.running(road.centre, "janitor"):
            await road.eventually(lambda: _is_planned(workdir, at, {"held": 2}), what="both to be held")
            await road.eventually(lambda: _are(road, packages[1].id, location, "staged"))
            assert await codes_at(road, road.centre, location) == {"held"}
            assert all(folder.is_dir() for folder in here)
            for one in (hold, *late):
                await let_go(road, one)
            await road.eventually(lambda: not any(folder.exists() for folder in here), what="both to go")
            await road.eventually(lambda: _are(road, packages[0].id, location, "deleted"))
            await road.eventually(lambda: _is_planned(workdir, at, {}))
    assert (await road.events_of(road.centre, DeletionScheduled))[0].copies[0].entity_id != packages[0].id


async def _is_planned(workdir: Any, question: Question, expected: dict[str, int]) -> bool:
    assert question.location is not None
    return codes((await told(workdir, question))[question.location]) == expected


async def _are(road: Road, package: UUID, location: str, state: str) -> bool:
    return await states(road, package, location) == [state]
