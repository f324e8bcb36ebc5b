"""Which way packages go, and who sends a damaged one again."""

from pathlib import Path
from uuid import UUID, uuid4

import pytest

from contracts.bundles import SealReason
from contracts.packages import PackageCorrupted, PackageRecord, Provenance
from contracts.problems import Problem
from libs.errors import Permanent
from libs.sites.models import Deployment
from services.bundler.repairing import MOST_ATTEMPTS, Asked, repair
from services.bundler.routing import sends, way_again, way_to_archive


def deployment(**routes: dict[str, object]) -> Deployment:
    def archive(name: str, priority: int) -> dict[str, object]:
        return {
            name: {
                "type": "long_term_archive",
                "storage": "s3",
                "bucket": "archive",
                "endpoint": "http://localhost",
                "priority": priority,
            }
        }

    def buffer(name: str) -> dict[str, object]:
        return {name: {"type": "buffer", "path": str(Path("/data") / name)}}

    return Deployment.model_validate(
        {
            "version": 1,
            "observatory": "o",
            "telescope": "t",
            "sites": {
                "chile": {"locations": buffer("chile-buffer")},
                "miami": {"locations": buffer("miami-buffer")},
                "cologne": {"locations": buffer("cologne-buffer") | archive("cologne-archive", 2)},
                "cornell": {"locations": buffer("cornell-buffer") | archive("cornell-archive", 1)},
            },
            "routes": {name.replace("_", "-"): settings for name, settings in routes.items()},
        }
    )


def link(origin: str, destination: str, *via: str) -> dict[str, object]:
    return {
        "origin": origin,
        "destination": destination,
        "via": via,
        "type": "relay" if via else "direct",
    }


def corrupted(origin: str = "chile", attempt: int = 1) -> PackageCorrupted:
    package = PackageRecord(
        package_id=UUID(int=7),
        name="p.tar",
        size=5,
        sha256="0" * 64,
        file_count=1,
        payload_bytes=5,
        provenance=Provenance(
            observatory="o",
            telescope="t",
            site="chile",
            instrument="camera",
            module="main",
            executed_obs_unit_id=UUID(int=0),
        ),
    )
    return PackageCorrupted(
        package=package,
        bundle_id=uuid4(),
        transfer_id=UUID(int=attempt),
        origin=origin,
        origin_location=f"{origin}-buffer",
        origin_path="packages/p.tar",
        location="cologne-buffer",
        attempt=attempt,
        problems=(Problem(code="package_checksum", reason="sha256 differs", remedy="Send it again."),),
    )


def test_goes_to_the_archive_that_is_used_first() -> None:
    both = deployment(a=link("chile", "cologne"), b=link("chile", "cornell"))
    way = way_to_archive(both, "chile")
    assert way is not None
    assert way.name == "b"


def test_prefers_fewer_relays_then_the_name() -> None:
    routes = deployment(
        a=link("chile", "cologne", "miami"), c=link("chile", "cologne"), b=link("chile", "cologne")
    )
    way = way_to_archive(routes, "chile")
    assert way is not None
    assert way.name == "b"


def test_goes_nowhere_without_an_archive_at_the_end() -> None:
    assert way_to_archive(deployment(a=link("chile", "miami")), "chile") is None
    assert way_to_archive(deployment(a=link("chile", "cologne")), "cologne") is None


def test_runs_where_routes_begin_or_pass() -> None:
    routes = deployment(a=link("chile", "cologne", "miami"))
    assert [site for site in routes.sites if sends(routes, site)] == ["chile", "miami"]


def test_a_relay_can_send_again_what_left_it_damaged() -> None:
    routes = deployment(a=link("chile", "cologne", "miami"))
    way = way_again(routes, "miami", "cologne")
    assert way is not None
    assert way.name == "a"
    bundle = repair(corrupted("miami"), routes, "miami")
    assert (bundle.origin, bundle.destination) == ("miami", "cologne")


def test_a_damaged_package_travels_again_alone() -> None:
    routes = deployment(a=link("chile", "cologne"))
    bundle = repair(corrupted(attempt=2), routes, "chile")
    assert (bundle.reason, bundle.route, bundle.origin) == (SealReason.REPAIR, "a", "chile")
    (again,) = bundle.packages
    assert (again.attempt, again.location, again.path) == (3, "chile-buffer", "packages/p.tar")
    first = repair(corrupted(attempt=1), routes, "chile")
    assert first.bundle_id != bundle.bundle_id
    assert repair(corrupted(attempt=2), routes, "chile") == bundle


def test_what_a_relay_received_damaged_is_sent_to_it_again_on_the_same_route() -> None:
    routes = deployment(
        a=link("chile", "cornell", "miami"), b=link("chile", "cologne", "miami"), c=link("chile", "miami")
    )
    at_relay = corrupted().model_copy(update={"location": "miami-buffer"})
    for route in ("a", "b"):
        assert repair(at_relay, routes, "chile", route=route).route == route
    assert repair(at_relay, routes, "chile", route="renamed").route == "c"
    assert way_again(routes, "miami", "chile") is None


def test_repairs_of_two_hops_are_two_bundles() -> None:
    """The relay's own repair must not be taken for a repeat of one that only passed through it."""
    routes = deployment(a=link("chile", "cologne", "miami"))
    first = repair(corrupted().model_copy(update={"location": "miami-buffer"}), routes, "chile")
    second = repair(corrupted("miami"), routes, "miami")
    assert first.bundle_id != second.bundle_id


def test_an_operator_has_the_attempts_counted_anew() -> None:
    routes = deployment(a=link("chile", "cologne"))
    again = repair(corrupted(attempt=MOST_ATTEMPTS), routes, "chile", asked=Asked.BY_OPERATOR)
    assert again.packages[0].attempt == MOST_ATTEMPTS + 1
    repair(corrupted(attempt=MOST_ATTEMPTS + 1), routes, "chile")
    with pytest.raises(Permanent):
        repair(corrupted(attempt=2 * MOST_ATTEMPTS), routes, "chile")


def test_a_package_is_given_up_after_the_last_attempt() -> None:
    with pytest.raises(Permanent) as given_up:
        repair(corrupted(attempt=MOST_ATTEMPTS), deployment(a=link("chile", "cologne")), "chile")
    assert given_up.value.problem.code == "package_undeliverable"
    assert "sha256 differs" in given_up.value.problem.reason


def test_without_a_route_a_person_decides() -> None:
    with pytest.raises(Permanent) as lost:
        repair(corrupted(), deployment(), "chile")
    assert lost.value.problem.code == "no_route"
