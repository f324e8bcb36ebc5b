import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

from contracts.observations import Target
from contracts.packages import PackageRecord, Provenance
from services.archiver.naming import package_key, sidecar_key
from services.archiver.sidecar import UNITS, ObsCore, access_url, mjd, publisher_did, sidecar

UNIT = UUID("11111111-1111-4111-8111-111111111111")
PACKAGE = UUID("22222222-2222-4222-8222-222222222222")
CREATED = datetime(2026, 3, 1, 5, 0, tzinfo=UTC)

# REC-ObsCore-v1.1, table 5: the columns that every ObsTAP table has.
MANDATORY = ["dataproduct_type", "calib_level", "obs_collection", "obs_id", "obs_publisher_did", "access_url", "access_format", "access_estsize", "target_name", "s_ra", "s_dec", "s_fov", "s_region", "s_resolution", "s_xel1", "s_xel2", "t_min", "t_max", "t_exptime", "t_resolution", "t_xel", "em_min", "em_max", "em_res_power", "em_xel", "o_ucd", "pol_states", "pol_xel", "facility_name", "instrument_name"]  # fmt: skip


def record(**changes: object) -> PackageRecord:
    provenance = Provenance(
        observatory="Cerro Chajnantor Observatory",
        telescope="FYST",
        site="chile",
        instrument="prime-cam",
        module="main",
        executed_obs_unit_id=UNIT,
        target=Target(name="Sgr A*", ra_deg=266.41683, dec_deg=-29.00781),
        start_time=datetime(2026, 3, 1, 0, 0, tzinfo=UTC),
        end_time=datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
    ).model_copy(update=changes)
    return PackageRecord(
        package_id=PACKAGE,
        name="prime-cam-main-20260301T000000-11111111-001.tar",
        size=10_001,
        sha256="ab" * 32,
        file_count=3,
        payload_bytes=8_000,
        provenance=provenance,
    )


def obscore(**changes: object) -> ObsCore:
    return sidecar(record(**changes), access_url="http://s3/x", created=CREATED).obscore


def test_every_mandatory_field_of_obscore_is_there() -> None:
    assert set(MANDATORY) <= set(obscore().model_dump())
    assert set(UNITS) <= set(MANDATORY)


def test_the_whole_document_as_json() -> None:
    document = json.loads(
        sidecar(record(), access_url="http://s3/a/b.tar", created=CREATED).model_dump_json()
    )
    told = document["obscore"]
    assert told["obs_id"] == str(UNIT)
    assert told["target_name"] == "Sgr A*"
    assert (told["s_ra"], told["s_dec"]) == (266.41683, -29.00781)
    assert (told["t_min"], told["t_max"], told["t_exptime"]) == (61100.0, 61100.5, 43200.0)
    assert (told["facility_name"], told["instrument_name"]) == ("Cerro Chajnantor Observatory", "prime-cam")
    assert (told["access_format"], told["access_estsize"]) == ("application/x-tar", 11)
    assert told["calib_level"] == 0
    assert document["time_scale"] == "UTC"
    assert document["units"]["t_min"] == "d"
    assert (document["package_id"], document["sha256"], document["size"]) == (str(PACKAGE), "ab" * 32, 10_001)
    assert document["provenance"]["module"] == "main"
    assert document["created"] == "2026-03-01T05:00:00Z"


def test_what_is_unknown_is_null() -> None:
    told = obscore(target=None, start_time=None, end_time=None)
    assert {told.target_name, told.s_ra, told.s_dec, told.t_min, told.t_max, told.t_exptime} == {None}
    assert obscore(end_time=None).t_min == 61100.0
    assert obscore(end_time=None).t_exptime is None


@pytest.mark.parametrize(
    ("when", "days"),
    [
        (datetime(1858, 11, 17, tzinfo=UTC), 0.0),
        (datetime(1970, 1, 1, tzinfo=UTC), 40587.0),
        (datetime(2000, 1, 1, 12, tzinfo=UTC), 51544.5),
    ],
)
def test_modified_julian_dates(when: datetime, days: float) -> None:
    assert mjd(when) == days


@pytest.mark.parametrize(
    ("observatory", "telescope", "start"),
    [
        ("Cerro Chajnantor Observatory", "FYST", "ivo://cerro-chajnantor-observatory/fyst/raw?"),
        ("X", "T 1", "ivo://observatory-"),
        ("天文台", "望遠鏡", "ivo://observatory-"),
    ],
)
def test_identifiers_are_valid_whatever_the_names(observatory: str, telescope: str, start: str) -> None:
    did = publisher_did(record(observatory=observatory, telescope=telescope))
    assert did.startswith(start)
    assert did.endswith(f"/raw?{PACKAGE}")
    assert did.isascii()
    assert "//" not in did.removeprefix("ivo://")


def test_access_urls_are_quoted() -> None:
    assert access_url("http://s3:80/", "data", "a b/ü.tar") == "http://s3:80/data/a%20b/%C3%BC.tar"


def test_keys_are_by_instrument_day_and_observation() -> None:
    key = package_key("raw/", record())
    assert key == f"raw/prime-cam/2026/03/01/{UNIT}/prime-cam-main-20260301T000000-11111111-001.tar"
    assert sidecar_key(key) == key[:-4] + ".json"
    assert package_key("", record(start_time=None)).startswith("prime-cam/0000/00/00/")
