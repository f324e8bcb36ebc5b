from collections.abc import Mapping

import pytest

from contracts.states import LocationType, RouteType
from libs.errors import Permanent, Retriable
from libs.sites.models import Deployment, DiskLocation, RouteSettings, S3Location
from services.mover.engines import EngineName, choose_engine
from services.mover.hops import Hop, next_hop, sends
from tests.support.deployments import archive, deployment, disk

BUFFER = LocationType.BUFFER


@pytest.fixture
def world() -> Deployment:
    sites: dict[str, Mapping[str, DiskLocation | S3Location]] = {
        "chile": {"chile-buffer": disk(BUFFER)},
        "miami": {"miami-buffer": disk(BUFFER)},
        "cologne": {
            "cologne-slow": disk(BUFFER, priority=2),
            "cologne-fast": disk(BUFFER, priority=1),
            "cologne-old": disk(BUFFER, priority=0, active=False),
            "cologne-archive": archive(),
        },
        "bonn": {"bonn-old": disk(BUFFER, active=False)},
    }
    routes = {
        "direct": RouteSettings(origin="chile", destination="cologne"),
        "relay": RouteSettings(
            origin="chile", destination="cologne", type=RouteType.RELAY, via=("miami",)
        ),
        "custom": RouteSettings(
            origin="chile",
            destination="cologne",
            type=RouteType.CUSTOM,
            from_location="chile-buffer",
            to_location="cologne-slow",
        ),
        "closed": RouteSettings(origin="chile", destination="bonn"),
    }  # fmt: skip
    return deployment(sites, routes)


@pytest.mark.parametrize(
    ("route", "here", "hop"),
    [
        ("direct", "chile", Hop("cologne", "cologne-fast")),
        ("relay", "chile", Hop("miami", "miami-buffer")),
        ("relay", "miami", Hop("cologne", "cologne-fast")),
        ("custom", "chile", Hop("cologne", "cologne-slow")),
    ],
)
def test_each_route_has_its_next_hop(world: Deployment, route: str, here: str, hop: Hop) -> None:
    assert next_hop(world, route, here) == hop


@pytest.mark.parametrize(
    ("route", "here", "code"),
    [
        ("direct", "cologne", "route_elsewhere"),
        ("direct", "miami", "route_elsewhere"),
        ("gone", "chile", "route_unknown"),
    ],
)
def test_a_bundle_that_does_not_belong_here_is_kept_aside(
    world: Deployment, route: str, here: str, code: str
) -> None:
    with pytest.raises(Permanent) as caught:
        next_hop(world, route, here)
    assert caught.value.problem.code == code


def test_a_site_without_buffer_is_waited_for(world: Deployment) -> None:
    with pytest.raises(Retriable) as caught:
        next_hop(world, "closed", "chile")
    assert caught.value.problem.code == "no_buffer"


def test_movers_run_at_origins_and_relays(world: Deployment) -> None:
    assert {site for site in world.sites if sends(world, site)} == {"chile", "miami"}


def test_disks_are_joined_by_the_local_engine(world: Deployment) -> None:
    assert choose_engine(world, ["chile-buffer"], "cologne-fast") is EngineName.LOCAL


@pytest.mark.parametrize("other", ["cologne-archive", "unheard-of"])
def test_no_engine_moves_to_what_is_no_disk(world: Deployment, other: str) -> None:
    with pytest.raises(Permanent, match=other) as caught:
        choose_engine(world, ["chile-buffer"], other)
    assert caught.value.problem.code == "no_engine"
