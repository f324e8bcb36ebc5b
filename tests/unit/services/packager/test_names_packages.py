"""What packages are called and what their bag-info says."""

from datetime import UTC, date, datetime
from uuid import UUID

from contracts.observations import Target
from contracts.packages import Provenance
from libs.packaging.tagfiles import bag_info as bag_info_text
from services.packager.naming import bag_info, envelope, package_name, package_path

UNIT = UUID("0f8fad5b-d9cb-469f-a165-70867728950e")
PACKAGE = UUID("7c9e6679-7425-40de-944b-e07fc1f90ae7")
PROVENANCE = Provenance(
    observatory="Cerro Test",
    telescope="Six Metre",
    site="chile",
    instrument="prime-cam",
    module="f280",
    executed_obs_unit_id=UNIT,
    obs_unit="  night 1\nfield 2 ",
    target=Target(name="Vega\u2028(\x00A)", ra_deg=279.2347, dec_deg=38.7837),
    start_time=datetime(2026, 3, 1, 4, 5, 6, tzinfo=UTC),
)


def test_a_name_tells_instrument_module_start_unit_and_number() -> None:
    assert package_name(PROVENANCE, 7) == "prime-cam-f280-20260301T040506-0f8fad5b-007.tar"


def test_a_name_does_without_a_start() -> None:
    nameless = PROVENANCE.model_copy(update={"start_time": None})
    assert package_name(nameless, 1234) == "prime-cam-f280-00000000T000000-0f8fad5b-1234.tar"


def test_a_package_lies_below_its_instrument_and_unit() -> None:
    assert package_path(PROVENANCE, "x.tar") == f"packages/prime-cam/{UNIT}/x.tar"


def test_bag_info_has_the_ids_and_the_observation() -> None:
    info = bag_info(PROVENANCE, PACKAGE, date(2026, 3, 2))
    assert info["Source-Organization"] == "Cerro Test"
    assert info["External-Identifier"] == str(PACKAGE)
    assert info["Internal-Sender-Identifier"] == str(UNIT)
    assert info["Bagging-Date"] == "2026-03-02"
    assert info["Start-Time"] == "2026-03-01T04:05:06+00:00"
    assert info["Target-RA-Degrees"] == "279.2347"
    assert "End-Time" not in info


def test_whatever_observers_write_stands_on_one_line() -> None:
    info = bag_info(PROVENANCE, PACKAGE, date(2026, 3, 2))
    assert info["Obs-Unit"] == "night 1 field 2"
    assert info["Target-Name"] == "Vega ( A)"
    assert bag_info_text(info, payload_bytes=1, file_count=1)


def test_a_field_of_blanks_is_left_out() -> None:
    blank = PROVENANCE.model_copy(update={"obs_unit": " \n "})
    assert "Obs-Unit" not in bag_info(blank, PACKAGE, date(2026, 3, 2))


def test_the_envelope_has_room_for_every_package_of_the_observation() -> None:
    room = envelope(PROVENANCE)
    name = package_name(PROVENANCE, 123).removesuffix(".tar")
    info = bag_info(PROVENANCE, PACKAGE, date(2026, 3, 2))
    text = bag_info_text(info, payload_bytes=10**15, file_count=10**6)
    assert len(name) <= room.name_bytes
    assert len(text) <= room.info_bytes
