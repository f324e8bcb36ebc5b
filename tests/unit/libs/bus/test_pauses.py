"""Pauses by the clock."""

from libs.bus.pauses import AFTERMATH_S, TICK_S, PauseWatch


class Told:
    """A watch with a clock that the test sets."""

    def __init__(self) -> None:
        self.now = 100.0
        self.watch = PauseWatch(lambda: self.now)

    def looks(self, count: int) -> None:
        """Looks in time."""
        for _ in range(count):
            self.now += TICK_S
            self.watch.look()


def test_who_looks_in_time_was_not_paused() -> None:
    told = Told()
    told.looks(100)
    assert not told.watch.was_paused(1.0)


def test_a_pause_is_seen_before_the_next_look_and_for_a_moment_after_it() -> None:
    told = Told()
    told.looks(3)
    told.now += 20.0
    assert told.watch.was_paused(4.0)
    told.watch.look()
    told.looks(3)
    assert told.watch.was_paused(4.0)
    assert not told.watch.was_paused(40.0)
    told.looks(round(AFTERMATH_S / TICK_S) + 1)
    assert not told.watch.was_paused(4.0)


def test_a_short_hitch_does_not_hide_a_pause_before_it() -> None:
    told = Told()
    told.now += 20.0
    told.watch.look()
    told.now += 1.0
    told.watch.look()
    assert told.watch.was_paused(4.0)


def test_a_longer_pause_counts_after_a_short_one() -> None:
    told = Told()
    told.now += 1.0
    told.watch.look()
    told.now += 20.0
    told.watch.look()
    assert told.watch.was_paused(4.0)


def test_the_aftermath_is_no_longer_than_the_pause() -> None:
    """Else a hitch would have message after message left, where their deadlines are short."""
    told = Told()
    told.now += 1.0 + TICK_S
    told.watch.look()
    assert told.watch.was_paused(0.5)
    told.looks(round(1.0 / TICK_S))
    assert not told.watch.was_paused(0.5)
