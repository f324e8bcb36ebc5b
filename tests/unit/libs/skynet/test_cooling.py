"""When a camera is cooled, why, and when that changes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contracts.skynet.cameras import Camera
from contracts.skynet.fields import changed
from contracts.skynet.states import CoolerPolicy, TaskStatus
from libs.skynet.cooling import (
    EARLIEST,
    LATEST,
    TICK,
    Command,
    Cooler,
    Planned,
    Thermal,
    advise,
    planned,
    thermal,
)
from tests.support.histories import skynet

NIGHT = datetime(2026, 9, 1, 22, tzinfo=UTC)
LEAD, IDLE = timedelta(minutes=20), timedelta(minutes=30)


def camera(policy: CoolerPolicy = CoolerPolicy.PRE_COOL_FOR_TASKS, **changes: Any) -> Camera:
    update = {
        "cooler_policy": policy,
        "cooler_prestart_lead_time_sec": LEAD.total_seconds(),
        "cooler_idle_timeout_sec": IDLE.total_seconds(),
        "temperature_setpoint": -20.0,
        "temperature_setpoint_tolerance": 0.1,
    }
    return changed(skynet.camera(1, NIGHT).camera, {**update, **changes})


def at(minutes: float) -> datetime:
    return NIGHT + timedelta(minutes=minutes)


def task(number: int, start: float, end: float | None) -> Planned:
    return Planned(number, at(start), None if end is None else at(end))


ONE = (task(1, 0, 60),)
TWO = (task(2, 200, 230), *ONE)
CLOSE = (*ONE, task(3, 110, 120))
OPEN = (task(1, 0, None),)


@pytest.mark.parametrize(
    ("tasks", "now", "cooler", "changes_at", "why"),
    [
        ((), at(0), Cooler.OFF, None, "no task needs the camera"),
        (ONE, at(-20) - TICK, Cooler.OFF, at(-20), "begins at 2026-09-01T22:00:00+00:00"),
        (ONE, at(-20), Cooler.ON, at(90) + TICK, "begins at"),
        (ONE, at(0), Cooler.ON, at(90) + TICK, "task 1 is under way"),
        (ONE, at(60), Cooler.ON, at(90) + TICK, "under way"),
        (ONE, at(61), Cooler.ON, at(90) + TICK, "not before 2026-09-01T23:30:00"),
        (ONE, at(90), Cooler.ON, at(90) + TICK, "is over"),
        (ONE, at(90) + TICK, Cooler.OFF, None, "no task"),
        (TWO, at(90) + TICK, Cooler.OFF, at(180), "the next task, 2,"),
        (TWO, at(70), Cooler.ON, at(90) + TICK, "task 1 is over"),
        (CLOSE, at(0), Cooler.ON, at(150) + TICK, "under way"),
        (CLOSE, at(90), Cooler.ON, at(150) + TICK, "task 3 begins"),
        (OPEN, at(100_000), Cooler.ON, None, "under way"),
        (OPEN, at(-21), Cooler.OFF, at(-20), "the next task, 1"),
    ],
)
def test_for_tasks(
    tasks: tuple[Planned, ...], now: datetime, cooler: Cooler, changes_at: datetime | None, why: str
) -> None:
    advice = advise(camera(), tasks, now)
    assert (advice.cooler, advice.changes_at) == (cooler, changes_at)
    assert why in advice.why


@pytest.mark.parametrize(
    ("policy", "command", "cooler"),
    [
        (CoolerPolicy.ALWAYS_ON, Command.NONE, Cooler.ON),
        (CoolerPolicy.ALWAYS_ON, Command.OFF, Cooler.ON),
        (CoolerPolicy.MANUAL_ONLY, Command.NONE, Cooler.OFF),
        (CoolerPolicy.MANUAL_ONLY, Command.OFF, Cooler.OFF),
        (CoolerPolicy.MANUAL_ONLY, Command.ON, Cooler.ON),
        (CoolerPolicy.PRE_COOL_FOR_TASKS, Command.ON, Cooler.OFF),
    ],
)
def test_policies_without_tasks(policy: CoolerPolicy, command: Command, cooler: Cooler) -> None:
    advice = advise(camera(policy), (), NIGHT, command)
    assert (advice.cooler, advice.changes_at) == (cooler, None)
    assert advice.why


@pytest.mark.parametrize("policy", CoolerPolicy)
@pytest.mark.parametrize("changes", [{"is_deleted": True}, {"temperature_setpoint": None}])
def test_what_cannot_be_cooled_is_not(policy: CoolerPolicy, changes: dict[str, Any]) -> None:
    assert advise(camera(policy, **changes), ONE, NIGHT, Command.ON).cooler is Cooler.OFF


_MINUTES = st.integers(-300, 300)
_TASKS = st.lists(
    st.builds(
        lambda number, start, length: task(number, start, None if length is None else start + length),
        st.integers(1, 9),
        _MINUTES,
        st.one_of(st.none(), st.integers(0, 90)),
    ),
    max_size=5,
)
# Where something may change, and a microsecond around it: chance alone would never find these.
_NOWS = st.builds(
    lambda minutes, ticks: at(minutes) + ticks * TICK, st.integers(-330, 430), st.integers(-1, 1)
)


def is_cooled(tasks: list[Planned], now: datetime) -> bool:
    """As the rule is worded."""
    return any(t.start - LEAD <= now and (t.end is None or now <= t.end + IDLE) for t in tasks)


@given(_TASKS, _NOWS)
@example([task(1, 0, 10), Planned(2, at(60) + TICK, at(70))], at(40))
@example([task(1, 0, 10), Planned(2, at(60) + 2 * TICK, at(70))], at(40))
def test_it_is_cooled_in_its_windows_and_the_next_change_is_exact(
    tasks: list[Planned], now: datetime
) -> None:
    advice = advise(camera(), tasks, now)
    assert (advice.cooler is Cooler.ON) == is_cooled(tasks, now)
    edges = {t.start - LEAD + d * TICK for t in tasks for d in (-1, 0, 1)}
    edges |= {t.end + IDLE + d * TICK for t in tasks if t.end for d in (-1, 0, 1)}
    later = sorted(edge for edge in edges if edge > now)
    others = [edge for edge in later if is_cooled(tasks, edge) != is_cooled(tasks, now)]
    assert advice.changes_at == (others[0] if others else None)
    if advice.changes_at is not None:
        assert advise(camera(), tasks, advice.changes_at).cooler is not advice.cooler
        assert advise(camera(), tasks, advice.changes_at - TICK).cooler is advice.cooler


@given(_TASKS, _NOWS, st.sampled_from(Command))
def test_manual_only_is_never_cooled_unless_commanded(
    tasks: list[Planned], now: datetime, command: Command
) -> None:
    advice = advise(camera(CoolerPolicy.MANUAL_ONLY), tasks, now, command)
    assert (advice.cooler is Cooler.ON) == (command is Command.ON)


@given(_TASKS, _NOWS, st.sampled_from(Command), st.randoms())
def test_the_order_of_tasks_and_what_is_said_change_nothing(
    tasks: list[Planned], now: datetime, command: Command, chance: Any
) -> None:
    other = list(tasks)
    chance.shuffle(other)
    one, two = advise(camera(), tasks, now), advise(camera(), other, now, command)
    assert (one.cooler, one.changes_at) == (two.cooler, two.changes_at)


def test_times_beyond_the_calendar_are_its_ends() -> None:
    endless = camera(cooler_prestart_lead_time_sec=1e300, cooler_idle_timeout_sec=1e300)
    for now in (EARLIEST, NIGHT, LATEST):
        advice = advise(endless, ONE, now)
        assert (advice.cooler, advice.changes_at) == (Cooler.ON, None)


@pytest.mark.parametrize(
    ("status", "changes", "expected"),
    [
        (TaskStatus.UNASSIGNED, {}, None),
        (TaskStatus.PENDING, {}, (0, 12)),
        (TaskStatus.PENDING, {"planned_duration": None}, (0, 15)),
        (TaskStatus.PENDING, {"planned_duration": None, "total_planned_duration": None}, (0, 10)),
        (TaskStatus.PENDING, {"planned_start_time": None}, None),
        (TaskStatus.ACTIVE, {"actual_start_time": at(3)}, (3, None)),
        (TaskStatus.INTERRUPTED, {"actual_start_time": at(3), "modified_on": at(7)}, (3, 7)),
        (TaskStatus.INTERRUPTED, {"actual_start_time": at(3), "modified_on": at(2)}, (3, 3)),
        (TaskStatus.FAILED, {"actual_start_time": at(3), "actual_end_time": at(9)}, (3, 9)),
        (TaskStatus.NOT_ATTEMPTED, {}, None),
        (TaskStatus.CANCELED, {}, None),
    ],
)
def test_when_a_task_needs_its_camera(
    status: TaskStatus, changes: dict[str, Any], expected: tuple[float, float | None] | None
) -> None:
    update = {"planned_start_time": NIGHT, "planned_duration": timedelta(minutes=12), "status": status}
    found = planned(changed(skynet.task(1, NIGHT), {**update, **changes}))
    assert found == (expected and task(1, *expected))


@pytest.mark.parametrize(
    ("celsius", "changes", "expected"),
    [
        (-20.0, {}, Thermal.AT_TEMPERATURE),
        (-19.9, {}, Thermal.AT_TEMPERATURE),
        (-20.1, {}, Thermal.AT_TEMPERATURE),
        (-19.899, {}, Thermal.TOO_WARM),
        (-20.101, {}, Thermal.TOO_COLD),
        (-20.0, {"temperature_setpoint_tolerance": None}, Thermal.AT_TEMPERATURE),
        (-19.99, {"temperature_setpoint_tolerance": None}, Thermal.TOO_WARM),
        (-20.0, {"temperature_setpoint": None}, Thermal.UNKNOWN),
        (None, {}, Thermal.UNKNOWN),
        (float("nan"), {}, Thermal.UNKNOWN),
    ],
)
def test_at_temperature_is_within_the_tolerance(
    celsius: float | None, changes: dict[str, Any], expected: Thermal
) -> None:
    assert thermal(camera(**changes), celsius) is expected
