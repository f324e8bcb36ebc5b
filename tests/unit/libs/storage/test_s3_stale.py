"""Which unfinished uploads are left over."""

from datetime import UTC, datetime, timedelta

import pytest

from libs.storage.s3_stale import Unfinished

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("begun", "last_part", "stale"),
    [
        (2 * HOUR, None, True),
        (HOUR / 2, None, False),
        (20 * HOUR, 2 * HOUR, True),
        (20 * HOUR, HOUR / 2, False),
        (-HOUR, None, False),
    ],
    ids=[
        "begun long ago",
        "just begun",
        "silent for long",
        "slow and alive",
        "begun after the server told the time",
    ],
)
def test_an_upload_is_left_over_when_nothing_happens_to_it(
    begun: timedelta, last_part: timedelta | None, *, stale: bool
) -> None:
    part = None if last_part is None else NOW - last_part
    assert Unfinished("key", "id", NOW - begun, part, NOW).is_stale(HOUR) is stale
