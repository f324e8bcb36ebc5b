"""The document beside every archived package: enough to find, judge and read it without any other system.

Field names, meanings and units of the `obscore` part follow the IVOA Recommendation "Observation Data Model Core
Components and its Implementation in the Table Access Protocol", version 1.1 (ObsCore 1.1, 2017), identifiers the
IVOA Recommendation "IVOA Identifiers", version 2.0. Times are Modified Julian Dates in UTC; `time_scale` says so,
as ObsCore itself names no scale. What is unknown before the files are opened is null, never guessed.
"""

import hashlib
import math
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from uuid import UUID

from contracts.base import Message, Utc
from contracts.packages import PackageRecord, Provenance

MJD_EPOCH = datetime(1858, 11, 17, tzinfo=UTC)
DAY = timedelta(days=1)
TAR = "application/x-tar"
KILOBYTE = 1000
RAW = 0
"""ObsCore's calib_level of raw instrumental data."""
_SHORTEST_AUTHORITY = 3

UNITS = {
    "access_estsize": "kbyte",
    "s_ra": "deg",
    "s_dec": "deg",
    "s_fov": "deg",
    "s_resolution": "arcsec",
    "t_min": "d",
    "t_max": "d",
    "t_exptime": "s",
    "t_resolution": "s",
    "em_min": "m",
    "em_max": "m",
}
"""Units of the ObsCore fields that have one (VOUnits spelling)."""


class ObsCore(Message):
    """The mandatory fields of ObsCore 1.1, for a package of raw files.

    Attributes:
        dataproduct_type: Null: a package of files of any kind is none of the listed products.
        dataproduct_subtype: What it is instead.
        calib_level: 0, raw instrumental data.
        obs_publisher_did: The package's IVOA identifier.
        access_estsize: Size of the tar, kbyte.
        s_ra: Right ascension of the target, ICRS, deg.
        s_dec: Declination of the target, ICRS, deg.
        t_min: Beginning of the observation, MJD (UTC), d.
        t_max: End of the observation, MJD (UTC), d.
        t_exptime: From beginning to end, s: an upper bound where several exposures were made.
    """

    dataproduct_type: None = None
    dataproduct_subtype: str = "raw_data_package"
    calib_level: int = RAW
    obs_collection: str
    obs_id: str
    obs_publisher_did: str
    access_url: str
    access_format: str = TAR
    access_estsize: int
    target_name: str | None = None
    s_ra: float | None = None
    s_dec: float | None = None
    s_fov: None = None
    s_region: None = None
    s_resolution: None = None
    s_xel1: None = None
    s_xel2: None = None
    t_min: float | None = None
    t_max: float | None = None
    t_exptime: float | None = None
    t_resolution: None = None
    t_xel: None = None
    em_min: None = None
    em_max: None = None
    em_res_power: None = None
    em_xel: None = None
    o_ucd: None = None
    pol_states: None = None
    pol_xel: None = None
    facility_name: str
    instrument_name: str


class Sidecar(Message):
    """The whole document.

    Attributes:
        format: Name and version of this document's form.
        obscore: The package in ObsCore's words.
        units: Of its fields.
        time_scale: Of its times.
        package_id: The package.
        name: File name of the tar.
        size: Bytes of the tar.
        sha256: Of the tar.
        file_count: Files in it.
        payload_bytes: Sum of their sizes.
        provenance: Where the bytes come from.
        created: When the package was found fit for the archive.
    """

    format: str = "chasqui-sidecar-1"
    obscore: ObsCore
    units: dict[str, str]
    time_scale: str = "UTC"
    package_id: UUID
    name: str
    size: int
    sha256: str
    file_count: int
    payload_bytes: int
    provenance: Provenance
    created: Utc


def sidecar(package: PackageRecord, *, access_url: str, created: datetime) -> Sidecar:
    """The document of a package.

    Args:
        package: The package.
        access_url: Where the archive has it.
        created: When it was found fit for the archive.
    """
    return Sidecar(
        obscore=_obscore(package, access_url),
        units=UNITS,
        package_id=package.package_id,
        name=package.name,
        size=package.size,
        sha256=package.sha256,
        file_count=package.file_count,
        payload_bytes=package.payload_bytes,
        provenance=package.provenance,
        created=created,
    )


def access_url(endpoint: str, bucket: str, key: str) -> str:
    """The address of an object in a bucket (path style)."""
    return f"{endpoint.rstrip('/')}/{bucket}/{quote(key)}"


def mjd(when: datetime) -> float:
    """Modified Julian Date of an instant, in UTC, days: 40587.0 is 1970-01-01T00:00:00Z."""
    return (when - MJD_EPOCH) / DAY


def publisher_did(package: PackageRecord) -> str:
    """``ivo://<observatory>/<telescope>/raw?<package id>``: the publisher's name for this data set."""
    provenance = package.provenance
    authority = _slug(provenance.observatory)
    if len(authority) < _SHORTEST_AUTHORITY:  # IVOA Identifiers 2.0, 2.2.1
        authority = f"observatory-{hashlib.sha256(provenance.observatory.encode()).hexdigest()[:8]}"
    telescope = _slug(provenance.telescope) or "telescope"
    return f"ivo://{authority}/{telescope}/raw?{package.package_id}"


def _obscore(package: PackageRecord, url: str) -> ObsCore:
    provenance, target = package.provenance, package.provenance.target
    start, end = provenance.start_time, provenance.end_time
    return ObsCore(
        obs_collection=f"{provenance.telescope} raw data",
        obs_id=str(provenance.executed_obs_unit_id),
        obs_publisher_did=publisher_did(package),
        access_url=url,
        access_estsize=math.ceil(package.size / KILOBYTE),
        target_name=target.name if target else None,
        s_ra=target.ra_deg if target else None,
        s_dec=target.dec_deg if target else None,
        t_min=mjd(start) if start else None,
        t_max=mjd(end) if end else None,
        t_exptime=(end - start).total_seconds() if start and end else None,
        facility_name=provenance.observatory,
        instrument_name=provenance.instrument,
    )


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
