from hypothesis import given
from hypothesis import strategies as st

from libs.storage.disk import Space
from services.janitor.pressure import excess, is_pressed
from tests.support.worlds import retention

MARKS = retention(high_water=0.9, low_water=0.7)


def used(percent: int) -> Space:
    return Space(total=1000, free=1000 - 10 * percent)


def test_from_high_water_on_until_below_low_water() -> None:
    course = [
        (89, False),
        (90, True),
        (80, True),
        (71, True),
        (69, False),
        (80, False),
        (89, False),
        (95, True),
    ]
    pressed, seen = False, []
    for percent, _ in course:
        pressed = is_pressed(used(percent), MARKS, before=pressed)
        seen.append((percent, pressed))
    assert seen == course


def test_no_more_is_wanted_than_brings_it_below_low_water() -> None:
    assert excess(used(95), MARKS) == 250
    assert excess(used(70), MARKS) >= 1
    assert excess(used(69), MARKS) == 0


@given(free=st.integers(0, 1000), high=st.floats(0.01, 1), low=st.floats(0, 0.99), before=st.booleans())
def test_pressed_disks_have_something_to_give(free: int, high: float, low: float, before: bool) -> None:
    marks = retention(high_water=high, low_water=min(low, high))
    space = Space(total=1000, free=free)
    if is_pressed(space, marks, before=before):
        assert excess(space, marks) > 0
