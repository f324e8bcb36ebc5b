"""A gateway at each of the road's sites."""

from collections.abc import AsyncIterator

import pytest

from tests.support.door import Door, opened
from tests.support.road import Road


@pytest.fixture
async def centre(road: Road) -> AsyncIterator[Door]:
    """The data centre's gateway, with a projector."""
    async with opened(road, road.centre, "projector") as door:
        yield door


@pytest.fixture
async def telescope(road: Road) -> AsyncIterator[Door]:
    """The telescope's gateway, with a projector."""
    async with opened(road, road.telescope, "projector") as door:
        yield door
