"""The bundler's clock."""

from services.bundler.ticking import LONGEST_S, SHORTEST_S, period


def test_looks_often_enough_for_the_shortest_wait() -> None:
    assert period(0) == SHORTEST_S
    assert period(20) == 2
    assert period(86_400) == LONGEST_S
