"""A telescope's camera, its tasks, and the assets that they make: fetched, rendered, processed, and all that may go wrong."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from pydantic import ValidationError

from contracts.base import Event, derived_id
from contracts.skynet.assets import AssetEvent, ObservationAsset
from contracts.skynet.cameras import Camera, CameraRegistered
from contracts.skynet.runs import AssetRun, RunCompleted, RunEvent
from contracts.skynet.states import (
    AssetRole,
    CoolerPolicy,
    DeviceType,
    IllegalStep,
    RunKind,
    TaskStatus,
    TaskType,
    TransferState,
)
from contracts.skynet.tasks import OpticalImagingTask, TaskAssignment, TaskEvent
from libs.skynet import rendering, runs, tasks, transfers
from libs.skynet.rendering import Debounce
from libs.skynet.runs import Made, Stage
from libs.skynet.tasks import AssetChange, Exposed
from libs.skynet.transfers import Lease, Proof
from tests.support.histories import road
from tests.support.histories.road import Step

DEBOUNCE = Debounce()
SHA256 = "5f" * 32
SIZE = 8_400_000


def camera(number: int, at: datetime, revision: int = 1) -> CameraRegistered:
    """A camera; with each revision its set point is lower."""
    return CameraRegistered(
        revision=revision,
        registered_at=at,
        camera=Camera(
            id=number,
            uid=derived_id("device", number),
            device_type=DeviceType.CAMERA,
            telescope_id=7,
            observatory_id=3,
            owner_id=11,
            name=f"camera {number}",
            serial_number=f"SN-{number:05}",
            image_id=None,
            is_deleted=False,
            model_id=4,
            default_binning=1,
            temperature_setpoint=-20.0 - revision,
            temperature_setpoint_tolerance=0.5,
            cooler_policy=CoolerPolicy.PRE_COOL_FOR_TASKS,
            cooler_prestart_lead_time_sec=1200.0,
            cooler_idle_timeout_sec=1800.0,
            array_width=4096,
            array_height=4096,
            pixel_size=9.0,
            full_well_capacity=100_000.0,
            is_color=False,
            has_electronic_shutter=False,
            is_global_shutter=True,
            model_name="PL16803",
            manufacturer="FLI",
        ),
    )


def task(number: int, at: datetime) -> OpticalImagingTask:
    """A task that nobody has."""
    return OpticalImagingTask(
        id=number,
        ota_id=2,
        camera_id=1,
        accumulated_exposure_time=0.0,
        observatory_acquired_frames=0,
        required_exposure_time=600.0,
        total_exposures=10,
        max_exposure_time=60.0,
        uid=derived_id("task", number),
        task_type=TaskType.OPTICAL_IMAGING,
        observation_id=1000 + number,
        request_id=500 + number,
        observation_iteration=1,
        request_iteration=1,
        observing_grant_id=21,
        queue_access_grant_id=None,
        instrument_id=5,
        instrument_configuration_version=2,
        scheduler_run_id=None,
        earliest_start_time=at,
        planned_start_time=None,
        planned_duration=timedelta(minutes=12, milliseconds=500),
        total_planned_duration=timedelta(minutes=15),
        expiration_time=at + timedelta(hours=8),
        status=TaskStatus.UNASSIGNED,
        modified_on=at,
        progress=0.0,
        assets_revision=0,
    )


def assignment(number: int, at: datetime, camera_id: int = 1) -> TaskAssignment:
    """To a telescope."""
    return TaskAssignment(
        number=number,
        assigned_on=at,
        assigned_by="the scheduler",
        ota_id=2,
        camera_id=camera_id,
        instrument_id=5,
        scheduler_run_id=77,
        planned_start_time=at + timedelta(hours=1),
    )


def asset(number: int, *, remote: bool = True, root: int | None = None) -> ObservationAsset:
    """An asset whose bytes are at the telescope, or here."""
    return ObservationAsset(
        id=number,
        uid=derived_id("observation_asset", number),
        observation_id=1001,
        instrument_id=5,
        file_id=derived_id("file", number),
        role=AssetRole.SCIENCE_LIGHT,
        processing_flags=("bias_subtracted", 'a "flat" one\\'),
        root_observation_asset_id=root,
        is_remote=remote,
        is_transferrable=True,
        transfer_state=TransferState.PENDING if remote else TransferState.COMPLETED,
        remote_file_path=f"/data/frames/{number}.fits" if remote else None,
    )


class Clock:
    """It goes on, and is set back now and then."""

    def __init__(self, at: datetime, chance: random.Random) -> None:
        self._at = at
        self._chance = chance

    def __call__(self) -> datetime:
        self._at += timedelta(seconds=self._chance.randrange(-20, 400))
        return self._at


class TaskLife:
    """One task, and everything that may happen to it: what is illegal is refused, and tells nothing."""

    def __init__(self, number: int, at: datetime, chance: random.Random) -> None:
        self._chance = chance
        self._now = Clock(at, chance)
        self.known: TaskEvent = tasks.file(task(number, at))

    def steps(self, more: int) -> Iterator[Step]:
        """It is filed, and so many other things are tried."""
        yield road.ORIGIN, self.known
        for _ in range(more):
            try:
                event = self._anything()
            except IllegalStep:
                continue
            if event is not None:
                self.known = event
                yield road.ORIGIN, event

    def _anything(self) -> TaskEvent | None:
        known, now = self.known, self._now()
        match self._chance.randrange(12):
            case 0 | 1:
                return tasks.assign(
                    known, assignment(known.assignments + 1, now, self._chance.randrange(1, 4))
                )
            case 2 | 3:
                return tasks.start(known, now)
            case 4 | 5:
                return tasks.progress(known, self._exposed(), now)
            case 6:
                return tasks.interrupt(known, "clouds", now)
            case 7:
                return tasks.resume(known, now)
            case 8:
                return tasks.note_assets(known, self._chance.choice(list(AssetChange)), now)
            case 9:
                late = now + timedelta(hours=9) if self._chance.random() < 0.4 else now
                return tasks.expire(known, late)
            case _:
                return self._end(now)

    def _end(self, now: datetime) -> TaskEvent | None:
        match self._chance.randrange(6):
            case 0:
                return tasks.fail(self.known, "the mount does not move", now)
            case 1:
                return tasks.cancel(self.known, "an observer", now)
            case 2 | 3:
                return tasks.complete(self.known, Exposed(600.0, 10, 1.0), now)
            case _:
                return None

    def _exposed(self) -> Exposed:
        frames = self._chance.randrange(11)
        return Exposed(60.0 * frames, frames, frames / 10)


class AssetLife:
    """One asset, with its transfer and its runs."""

    def __init__(self, number: int, at: datetime, chance: random.Random) -> None:
        self._chance = chance
        self._now = Clock(at, chance)
        new = asset(number, remote=chance.random() < 0.7)
        registered = transfers.register(new, DEBOUNCE, at)
        if chance.random() < 0.7:
            registered = registered.model_copy(update={"task_uid": derived_id("task", number % 3)})
        self.known: AssetEvent = registered
        self.runs: dict[UUID, AssetRun] = {}

    def steps(self, more: int) -> Iterator[Step]:
        """It is registered, and so many other things are tried."""
        yield road.DESTINATION, self.known
        for _ in range(more):
            try:
                event = self._transfer() if self._chance.random() < 0.4 else self._work()
            except (IllegalStep, ValidationError):
                continue
            self.known = event
            if isinstance(event, RunEvent):
                self.runs[event.run.uid] = event.run
            yield road.DESTINATION, event

    def _transfer(self) -> AssetEvent:
        known, now, size = self.known, self._now(), self._chance.choice((SIZE, SIZE, None))
        lease = Lease("the mover", now + timedelta(minutes=10))
        match self._chance.randrange(9):
            case 0 | 1:
                return transfers.start(known, lease, size, now)
            case 2 | 3:
                return transfers.progress(known, lease, self._chance.randrange(SIZE), size, now)
            case 4:
                return transfers.complete(
                    known, "the mover", Proof(SIZE, SHA256, SIZE, SHA256), now, DEBOUNCE
                )
            case 5:
                return transfers.fail(known, "the mover", "the link is down")
            case 6:
                expired = transfers.expire(known, now)
                if expired is None:
                    raise IllegalStep("no lease expired")
                return expired
            case 7:
                return transfers.cancel(known)
            case _:
                return transfers.request(known)

    def _work(self) -> AssetEvent:
        now = self._now()
        if self._chance.random() < 0.2:
            return rendering.mark(self.known, now, DEBOUNCE)
        if not self.runs or self._chance.random() < 0.2:
            kind = self._chance.choice(list(RunKind))
            return runs.queue(self.known, kind, "1.4", now, self._latest(kind))
        return self._run(self._chance.choice(list(self.runs.values())), now)

    def _run(self, run: AssetRun, now: datetime) -> AssetEvent:
        match self._chance.randrange(10):
            case 0 | 1 | 2:
                return runs.start(self.known, run, now)
            case 3 | 4:
                return runs.progress(self.known, run, Stage("stretch", 1, 2, self._chance.random()))
            case 5:
                return runs.give_back(self.known, run, "the worker is gone")
            case 6:
                return runs.fail(self.known, run, 'no "memory"', now, DEBOUNCE)
            case 7:
                return runs.cancel(self.known, run, now)
            case _:
                return runs.complete(self.known, run, made(run), now, self._current(run.kind))

    def _latest(self, kind: RunKind) -> AssetRun | None:
        of_kind = [run for run in self.runs.values() if run.kind is kind]
        return max(of_kind, key=lambda run: run.number, default=None)

    def _current(self, kind: RunKind) -> AssetRun | None:
        pointer = getattr(self.known.asset, f"current_{kind}_run_id")
        return self.runs[pointer] if pointer else None


def made(run: AssetRun) -> Made:
    """What a run makes that is completed."""
    match run.kind:
        case RunKind.RENDER:
            return Made(
                thumbnail=derived_id("file", run.uid, "thumbnail"),
                preview=derived_id("file", run.uid, "preview"),
            )
        case RunKind.PROCESSING:
            return Made(output=derived_id("file", run.uid, "output"))
        case RunKind.ANALYSIS:
            return Made()


def smooth(at: datetime) -> Iterator[Step]:
    """A task and its asset without mishap, and a run of each kind: no history is without them."""
    life = tasks.file(task(1, at))
    yield road.ORIGIN, life
    known: TaskEvent = life
    for event in _executed(known, at):
        yield road.ORIGIN, event
    registered: AssetEvent = transfers.register(asset(1), DEBOUNCE, at)
    yield road.DESTINATION, registered.model_copy(update={"task_uid": derived_id("task", 1)})
    lease = Lease("the mover", at + timedelta(minutes=10))
    begun = transfers.start(registered, lease, SIZE, at)
    yield road.DESTINATION, begun
    proof = Proof(SIZE, SHA256, SIZE, SHA256)
    there: AssetEvent = transfers.complete(begun, "the mover", proof, at, DEBOUNCE)
    yield road.DESTINATION, there
    for kind in RunKind:
        for event in _run(there, kind, at):
            there = event
            yield road.DESTINATION, event


def _executed(known: TaskEvent, at: datetime) -> Iterator[Event]:
    assigned = tasks.assign(known, assignment(1, at))
    yield assigned
    started = tasks.start(assigned, at)
    yield started
    yield tasks.complete(started, Exposed(600.0, 10, 1.0), at)


def _run(known: AssetEvent, kind: RunKind, at: datetime) -> Iterator[RunEvent]:
    queued = runs.queue(known, kind, "1.4", at, None)
    yield queued
    started = runs.start(queued, queued.run, at)
    yield started
    completed: RunCompleted = runs.complete(started, started.run, made(started.run), at, None)
    yield completed


def night(at: datetime, chance: random.Random) -> Iterator[Step]:
    """A night of a telescope."""
    for revision in (1, 2):
        yield road.ORIGIN, camera(1, at, revision)
    yield from smooth(at)
    lives = [TaskLife(n, at, chance).steps(25) for n in range(2, 4)]
    lives += [AssetLife(n, at, chance).steps(45) for n in range(2, 4)]
    while lives:
        life = chance.choice(lives)
        step = next(life, None)
        if step is None:
            lives.remove(life)
        else:
            yield step
