"""When a camera is cooled: a pure function of its policy, its tasks and the clock.

Under pre_cool_for_tasks a camera is cooled at every instant from the lead time before a task until the idle time-out
after it, both included, and at no other. Instants are microseconds, as everywhere.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from contracts.skynet.cameras import Camera
from contracts.skynet.states import CoolerPolicy, TaskStatus
from contracts.skynet.tasks import OpticalImagingTask

TICK = timedelta(microseconds=1)
EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)


class Cooler(StrEnum):
    """What a cooler is to do."""

    ON = "on"
    """Cool to the set point, or stay there."""
    OFF = "off"
    """Let the camera warm up."""


class Command(StrEnum):
    """What a person said last of a cooler; it counts under manual_only."""

    NONE = "none"
    """Nobody said anything."""
    ON = "on"
    """Cool."""
    OFF = "off"
    """Do not cool."""


class Thermal(StrEnum):
    """How warm a camera is, by its set point and the tolerance of it."""

    AT_TEMPERATURE = "at_temperature"
    """Within the tolerance, its limits included."""
    TOO_WARM = "too_warm"
    """Above it."""
    TOO_COLD = "too_cold"
    """Below it."""
    UNKNOWN = "unknown"
    """There is no set point, or no temperature was read."""


@dataclass(frozen=True, slots=True)
class Planned:
    """When a task needs a camera.

    Attributes:
        task: Its number.
        start: When it begins, or began.
        end: When it ends, or ended, not before `start`; None while it is under way, however long it takes.
    """

    task: int
    start: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True)
class Advice:
    """What a cooler is to do now.

    Attributes:
        why: In words.
        changes_at: The first instant at which something else is to be done, if nothing else is told until then;
            None if there is none.
    """

    cooler: Cooler
    why: str
    changes_at: datetime | None


def planned(task: OpticalImagingTask) -> Planned | None:
    """When a task needs its camera; None if it does not.

    What has no planned time needs it from when it is begun. A task that was interrupted leaves it idle since then.
    """
    start = task.actual_start_time or task.planned_start_time
    if start is None:
        return None
    match task.status:
        case TaskStatus.PENDING:
            return Planned(task.id, start, _shifted(start, _length(task)))
        case TaskStatus.ACTIVE:
            return Planned(task.id, start, None)
        case TaskStatus.INTERRUPTED:
            return Planned(task.id, start, max(start, task.modified_on))
        case _ if task.actual_start_time is not None and task.actual_end_time is not None:
            return Planned(task.id, start, max(start, task.actual_end_time))
        case _:
            return None


def advise(
    camera: Camera, tasks: Iterable[Planned], now: datetime, command: Command = Command.NONE
) -> Advice:
    """What the cooler of a camera is to do now, why, and when that changes.

    Args:
        camera: With its policy, lead time and idle time-out.
        tasks: Those that need it, in any order.
        now: The clock.
        command: What a person said last; under another policy than manual_only it changes nothing.
    """
    if camera.is_deleted:
        return Advice(Cooler.OFF, "the camera is no longer used", None)
    if camera.temperature_setpoint is None:
        return Advice(Cooler.OFF, "the camera has no temperature set point to be cooled to", None)
    match camera.cooler_policy:
        case CoolerPolicy.ALWAYS_ON:
            return Advice(Cooler.ON, "the policy is to cool day and night", None)
        case CoolerPolicy.MANUAL_ONLY:
            return _as_commanded(command)
        case CoolerPolicy.PRE_COOL_FOR_TASKS:
            return _for_tasks(camera, list(tasks), now)


def thermal(camera: Camera, celsius: float | None) -> Thermal:
    """How warm a camera is. Without a tolerance it has to be at the set point exactly.

    Args:
        camera: With its set point.
        celsius: As its sensor says; None if it says nothing.
    """
    point, tolerance = camera.temperature_setpoint, camera.temperature_setpoint_tolerance or 0.0
    if point is None or celsius is None or math.isnan(celsius):
        return Thermal.UNKNOWN
    off = abs(celsius - point)
    # Decimal fractions are none in binary: 0.1 above -20.0 is within a tolerance of 0.1.
    if off <= tolerance or math.isclose(off, tolerance, abs_tol=1e-9):
        return Thermal.AT_TEMPERATURE
    return Thermal.TOO_WARM if celsius > point else Thermal.TOO_COLD


@dataclass(frozen=True, slots=True)
class _Window:
    """Cooled from `begin` to `end`, both included, for `task`."""

    begin: datetime
    end: datetime
    task: Planned


def _as_commanded(command: Command) -> Advice:
    match command:
        case Command.ON:
            return Advice(Cooler.ON, "a person said so, and the policy is to do what a person says", None)
        case Command.OFF:
            return Advice(Cooler.OFF, "a person said so, and the policy is to do what a person says", None)
        case Command.NONE:
            return Advice(Cooler.OFF, "the policy is to do what a person says, and nobody said to cool", None)


def _for_tasks(camera: Camera, tasks: Sequence[Planned], now: datetime) -> Advice:
    windows = sorted((_window(camera, task) for task in tasks), key=lambda window: window.begin)
    cooled = [window for window in windows if window.begin <= now <= window.end]
    if cooled:
        return Advice(Cooler.ON, _because(cooled, now), _first_warm(windows, now))
    ahead = next((window for window in windows if window.begin > now), None)
    if ahead is None:
        return Advice(Cooler.OFF, "no task needs the camera", None)
    why = f"the next task, {ahead.task.task}, begins at {_told(ahead.task.start)}: it is cooled from {_told(ahead.begin)} on"
    return Advice(Cooler.OFF, why, ahead.begin)


def _window(camera: Camera, task: Planned) -> _Window:
    begin = _shifted(task.start, -_seconds(camera.cooler_prestart_lead_time_sec))
    end = LATEST if task.end is None else _shifted(task.end, _seconds(camera.cooler_idle_timeout_sec))
    return _Window(begin, end, task)


def _first_warm(windows: Sequence[_Window], now: datetime) -> datetime | None:
    """The first instant after `now` in none of the windows, which are in the order of their begins."""
    end = now
    for window in windows:
        if window.begin > _shifted(end, TICK):
            break
        end = max(end, window.end)
        if end == LATEST:
            return None
    return end + TICK


def _because(cooled: Sequence[_Window], now: datetime) -> str:
    """A task that is under way says more than one that is over or to come, and this more than one that is over."""
    for window in cooled:
        task = window.task
        if task.start <= now and (task.end is None or now <= task.end):
            return f"task {task.task} is under way"
    for window in cooled:
        if now < window.task.start:
            return f"task {window.task.task} begins at {_told(window.task.start)}"
    last = max(cooled, key=lambda window: window.end)
    return f"task {last.task.task} is over, and the idle time-out is not before {_told(last.end)}"


def _length(task: OpticalImagingTask) -> timedelta:
    exposed = _seconds(task.required_exposure_time)
    return task.planned_duration or task.total_planned_duration or exposed


def _seconds(seconds: float) -> timedelta:
    return timedelta(seconds=min(seconds, timedelta.max.total_seconds() // 2))


def _shifted(when: datetime, by: timedelta) -> datetime:
    """Later (or earlier), but within what the calendar has."""
    if by >= timedelta(0):
        return when + by if by <= LATEST - when else LATEST
    return when + by if -by <= when - EARLIEST else EARLIEST


def _told(when: datetime) -> str:
    return when.isoformat(timespec="seconds")
