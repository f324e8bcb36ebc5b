"""Observations that are exposures, as filing, scanner and packager tell of them at a road's telescope."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from contracts.associations import Claim, Exposure, ExposureNamed
from contracts.base import Event
from tests.support.histories import road as history
from tests.support.histories.road import Observation
from tests.support.road import Road

START = datetime(2026, 9, 1, tzinfo=UTC)
PROGRAM = "J4K601"
"""The instrument, program and observation set of the exposures."""


def observation(number: int) -> Observation:
    """The observation that is the exposure of that number."""
    return Observation(number, 2, START + timedelta(minutes=number))


def unit(number: int) -> UUID:
    """Its id."""
    return observation(number).id


def named(number: int, *associations: str, exposures: int | None = None, as_: int | None = None) -> Event:
    """What filing says: the observation is this exposure, of these associations."""
    claims = tuple(Claim(association_id=one, exposures=exposures) for one in associations)
    name = f"{PROGRAM}{number if as_ is None else as_:02}"
    exposure = Exposure(name=name, member_type="EXP-DTH", associations=claims)
    return ExposureNamed(executed_obs_unit_id=unit(number), exposure=exposure)


def filed(number: int) -> list[Event]:
    """It was made."""
    return [event for _, event in history.filing(observation(number))]


def packaged(number: int) -> list[Event]:
    """Its files are in a sealed package."""
    one = observation(number)
    steps = [*history.scan(one), *history.packing(one)]
    return [event for site, event in steps if site == history.ORIGIN]


def whole(number: int, *associations: str, exposures: int | None = None) -> list[Event]:
    """Everything by which an exposure arrives."""
    return [
        *filed(number)[:1],
        named(number, *associations, exposures=exposures),
        *filed(number)[1:],
        *packaged(number),
    ]


async def say(road: Road, *events: Event) -> None:
    """Say it at the telescope, one after the other."""
    publisher = road.publisher(road.telescope)
    for event in events:
        await publisher.publish([event])
