"""Instants as people write them."""

from datetime import UTC, datetime

import pytest

from commands.moments import moment
from libs.errors import UserError

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T04:05:06", datetime(2026, 3, 1, 4, 5, 6, tzinfo=UTC)),
        ("2026-03-01T04:05:06+01:00", datetime(2026, 3, 1, 3, 5, 6, tzinfo=UTC)),
        ("90m", datetime(2026, 3, 1, 10, 30, tzinfo=UTC)),
        ("2d", datetime(2026, 2, 27, 12, tzinfo=UTC)),
    ],
)
def test_dates_times_and_how_long_ago(text: str, expected: datetime) -> None:
    assert moment(text, option="--since", now=NOW) == expected


@pytest.mark.parametrize("text", ["yesterday", "", "12", "2026-13-01"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UserError) as refused:
        moment(text, option="--since", now=NOW)
    assert refused.value.problem.code == "moment_unreadable"
    assert "--since" in refused.value.problem.reason
