from collections.abc import AsyncIterator

import pytest

from tests.support.chains import Chained, chained
from tests.support.road import Road


@pytest.fixture
async def chain(road: Road) -> AsyncIterator[Chained]:
    """The telescope's stream, and the centre's archive."""
    async with chained(road, road.telescope) as made:
        yield made
