"""When copies are due: so that all are read within the period, even if all were last read at once."""

from datetime import UTC, datetime, timedelta

import pytest

from libs.copies.holdings import Holdings
from libs.sites.scrubs import ScrubSettings
from services.verifier.pacing import due_before, lead, look_every

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MONTH = ScrubSettings.model_validate({"period": "30d", "rate": "10 MB"})
DAILY = 10_000_000 * 86_400
"""Bytes that the month's rate reads in a day."""


def test_a_small_archive_is_due_a_tenth_of_the_period_before_its_end() -> None:
    assert due_before(NOW, MONTH, Holdings(10, 1000)) == NOW - 27 * DAY


def test_the_longer_an_archive_takes_to_read_the_sooner_its_copies_are_due() -> None:
    assert lead(MONTH, Holdings(0, 8 * DAILY)) == 10 * DAY
    assert due_before(NOW, MONTH, Holdings(0, 8 * DAILY)) == NOW - 20 * DAY


def test_many_small_copies_take_time_too() -> None:
    assert lead(MONTH, Holdings(10_000_000, 1000)) > 10 * DAY


def test_an_archive_that_is_too_large_for_its_rate_is_read_without_a_pause() -> None:
    assert due_before(NOW, MONTH, Holdings(1, 100 * DAILY)) == NOW


@pytest.mark.parametrize("days", [1, 5, 12, 20, 23])
def test_all_are_read_in_time_even_if_all_were_last_read_at_once(days: int) -> None:
    held = Holdings(0, days * DAILY)
    begun = lead(MONTH, held)
    assert timedelta(days=days) <= begun <= MONTH.period


@pytest.mark.parametrize(("period", "every_s"), [("90d", 60.0), ("1h", 36.0), ("1s", 0.5)])
def test_how_often_it_looks(period: str, every_s: float) -> None:
    assert look_every(ScrubSettings.model_validate({"period": period})) == every_s
