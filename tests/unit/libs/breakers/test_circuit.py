"""The breaker's decisions."""

from datetime import UTC, datetime
from itertools import product

import pytest

from contracts.problems import Problem
from libs.breakers.circuit import (
    CIRCUIT_TRANSITIONS,
    CLOSED,
    Circuit,
    CircuitState,
    Pass,
    Pauses,
    Probe,
    Sighting,
    Wait,
    ask,
    opened,
)
from libs.breakers.resources import archive, disk, route

NOW = datetime(2026, 11, 28, tzinfo=UTC)
PAUSES = Pauses(threshold=3, first_s=5.0, longest_s=60.0, probe_s=15.0)
AWAY = Problem(code="s3_unreachable", reason="it is away", remedy="Wait.")


def asked(circuit: Circuit, elapsed_s: float) -> Pass | Probe | Wait:
    return ask(circuit, elapsed_s, who="me", now=NOW, pauses=PAUSES)


def test_a_closed_breaker_lets_everybody_pass() -> None:
    assert asked(CLOSED, 0.0) == Pass()


def test_an_open_one_makes_everybody_wait_for_the_rest_of_its_pause() -> None:
    circuit = opened(CLOSED, AWAY, now=NOW, pauses=PAUSES)
    assert asked(circuit, 0.0) == Wait(5.0)
    assert asked(circuit, 4.0) == Wait(1.0)


def test_after_the_pause_one_tries_for_all() -> None:
    circuit = opened(CLOSED, AWAY, now=NOW, pauses=PAUSES)
    answer = asked(circuit, 5.0)
    assert isinstance(answer, Probe)
    assert (answer.record.state, answer.record.probe) == (CircuitState.HALF_OPEN, "me")
    assert answer.record.problem == AWAY
    assert asked(answer.record, 0.0) == Wait(15.0)


def test_a_dead_probe_is_taken_over() -> None:
    circuit = Circuit(state=CircuitState.HALF_OPEN, pause_s=15.0, probe="somebody", trips=2)
    answer = asked(circuit, 15.0)
    assert isinstance(answer, Probe)
    assert (answer.record.probe, answer.record.trips) == ("me", 2)


def test_pauses_double_up_to_a_limit() -> None:
    circuit, pauses = CLOSED, []
    for _ in range(7):
        circuit = opened(circuit, AWAY, now=NOW, pauses=PAUSES)
        pauses.append(circuit.pause_s)
    assert pauses == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0, 60.0]


def test_a_record_ages_from_when_it_was_first_seen() -> None:
    first = Sighting().again(CLOSED, 7, monotonic=100.0, age_s=0.0)
    again = first.again(CLOSED, 7, monotonic=130.0, age_s=0.0)
    assert again.elapsed(140.0) == 40.0
    other = again.again(CLOSED, 8, monotonic=150.0, age_s=2.0)
    assert other.elapsed(151.0) == 3.0


def test_a_clock_that_was_set_back_makes_nobody_wait_longer() -> None:
    circuit = opened(CLOSED, AWAY, now=NOW, pauses=PAUSES)
    sighting = Sighting().again(circuit, 1, monotonic=0.0, age_s=-3600.0)
    assert asked(circuit, sighting.elapsed(0.0)) == Wait(5.0)
    assert isinstance(asked(circuit, sighting.elapsed(5.0)), Probe)


@pytest.mark.parametrize(("before", "after"), list(product(CircuitState, repeat=2)))
def test_only_the_steps_of_the_table_are_taken(before: CircuitState, after: CircuitState) -> None:
    circuit = Circuit(state=before, pause_s=5.0, probe="somebody")
    reached = {opened(circuit, AWAY, now=NOW, pauses=PAUSES).state, CircuitState.CLOSED}
    if isinstance(answer := asked(circuit, 5.0), Probe):
        reached.add(answer.record.state)
    # An open breaker is not opened again, nor a closed one closed: `Breakers` asks before it does either.
    assert (after in CIRCUIT_TRANSITIONS[before]) == (after in reached and (before, after) not in IDLE)


IDLE = {(CircuitState.OPEN, CircuitState.OPEN), (CircuitState.CLOSED, CircuitState.CLOSED)}


def test_faults_belong_to_one_kind_of_resource() -> None:
    assert archive("a").key == disk("a").key
    assert not archive("a").faults & disk("a").faults
    assert "disk_full" not in route("a").faults
