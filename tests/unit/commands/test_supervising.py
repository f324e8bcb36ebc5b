"""How long a dead service waits for its restart."""

from commands.supervising import LONGEST_PAUSE_S, QUICK_DEATH_S, pause_after, quick_deaths


def test_a_service_that_had_lived_is_started_at_once_however_often_it_died_before() -> None:
    deaths = 0
    for _ in range(100):
        deaths = quick_deaths(QUICK_DEATH_S, deaths)
        assert pause_after(deaths) == 0.0


def test_a_service_that_dies_at_once_again_and_again_is_left_alone_longer_and_longer() -> None:
    deaths, pauses = 0, []
    for _ in range(20):
        deaths = quick_deaths(0.1, deaths)
        pauses.append(pause_after(deaths))
    assert pauses[:4] == [0.25, 0.5, 1.0, 2.0]
    assert pauses[-1] == LONGEST_PAUSE_S
    assert pause_after(quick_deaths(QUICK_DEATH_S, deaths)) == 0.0
