"""What a made-up observatory registers: every kind of entry, told at two sites, in two versions, in any order."""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from contracts.base import derived_id
from contracts.catalog.applied import CatalogApplied, CatalogEntry, apply_id
from contracts.catalog.observatory import (
    ChaiModuleConfigurationEntry,
    DataArchiveEntry,
    InstrumentEntry,
    InstrumentModuleEntry,
    ObservatoryEntry,
    PrimeCamModuleConfigurationEntry,
    TelescopeEntry,
)
from contracts.catalog.people import RoleEntry, RolePermissionEntry, UserEntry, UserRoleEntry
from contracts.catalog.planning import (
    ChaiInparParameterEntry,
    ChaiObservationConfigurationEntry,
    ChaiTilingEntry,
    ObservingProgramEntry,
    ObsModeEntry,
    ObsUnitEntry,
    PreScheduledSlotEntry,
    PrimeCamObservationConfigurationEntry,
    SubObservingProgramEntry,
)
from contracts.catalog.sources import (
    ConstantElevationSourceEntry,
    FixedSourceEntry,
    LineEntry,
    SolarSystemObjectEntry,
)
from contracts.kinds import RoleName, ScanPattern, Sideband
from contracts.tokens import TokenIssued, TokenRevoked, TokenUsed
from tests.support.histories import road
from tests.support.histories.road import Step

BEGIN = datetime(2026, 8, 1, tzinfo=UTC)


def entries(version: int = 1, units: int = 3) -> list[CatalogEntry]:
    """One of each kind at least, each after those that it refers to.

    Args:
        version: Another one says the same in other words, and has retired something.
        units: How many planned observations: those that `road.Observation` executes.
    """
    words = f"version {version}"
    instrument, module = road.INSTRUMENT, road.MODULE
    return [
        ObservatoryEntry(
            name="Observatory", description=words, longitude_deg=-67.74, latitude_deg=-22.99, height_m=5612
        ),
        TelescopeEntry(name="Telescope", observatory="Observatory", description=words, diameter_m=6.0),
        InstrumentEntry(name=instrument, telescope="Telescope", description=words),
        InstrumentModuleEntry(
            instrument=instrument,
            name=module,
            description=words,
            pixels=64,
            frequency_min_ghz=455,
            frequency_max_ghz=495,
        ),
        LineEntry(name="CO 4-3", rest_frequency=461.0407682, species="CO", transition="4-3"),
        ChaiModuleConfigurationEntry(
            name="low on CO",
            instrument=instrument,
            instrument_module=module,
            description=words,
            line="CO 4-3",
            lo_frequency_ghz=455.0,
            sideband=Sideband.UPPER,
            bandwidth_mhz=4000,
            channels=65536,
        ),
        PrimeCamModuleConfigurationEntry(
            name="280 GHz",
            instrument=instrument,
            instrument_module=module,
            description=words,
            band_center_ghz=280,
            bandwidth_ghz=60,
            detectors=10_000,
            sample_rate_hz=488,
        ),
        ObservingProgramEntry(
            name="2026-A-17", title=words, principal_investigator="A. Person", allocated_h=40, priority=2
        ),
        SubObservingProgramEntry(
            observing_program="2026-A-17", name="deep", title=words, allocated_h=10, retired=version > 1
        ),
        FixedSourceEntry(name="M 31", ra_deg=10.6847, dec_deg=41.2688, velocity_km_s=-300, description=words),
        SolarSystemObjectEntry(name="Uranus", naif_id=799, description=words),
        ConstantElevationSourceEntry(
            name="east", elevation_deg=45, azimuth_min_deg=60, azimuth_max_deg=120, description=words
        ),
        ObsModeEntry(name="on the fly", description=words),
        ChaiObservationConfigurationEntry(
            name="M 31 on the fly",
            instrument=instrument,
            description=words,
            integration_s=0.4,
            reference_ra_offset_arcsec=1800.0,
        ),
        PrimeCamObservationConfigurationEntry(
            name="wide",
            instrument=instrument,
            description=words,
            scan_pattern=ScanPattern.PONG,
            scan_speed_deg_s=1.0,
            scan_width_deg=10.0,
            scan_height_deg=10.0,
        ),
        ChaiInparParameterEntry(
            observation_configuration="M 31 on the fly", name="step", value=str(version), unit="arcsec"
        ),
        ChaiTilingEntry(
            observation_configuration="M 31 on the fly", name="tile 1", width_arcsec=300, height_arcsec=300
        ),
        *(
            ObsUnitEntry(
                name=f"obs-{n}",
                observing_program="2026-A-17",
                sub_observing_program="deep",
                source="M 31",
                line="CO 4-3",
                obs_mode="on the fly",
                observation_configuration="M 31 on the fly",
                module_configuration="low on CO",
                planned_duration_s=120,
                description=words,
            )
            for n in range(units)
        ),
        PreScheduledSlotEntry(
            name="night 1",
            start_time=BEGIN,
            end_time=BEGIN + timedelta(hours=version),
            instrument=instrument,
            observing_program="2026-A-17",
            obs_unit="obs-0",
        ),
        DataArchiveEntry(
            name="Archive", location=road.ARCHIVE, institution=words, ivo_id="ivo://observatory/archive"
        ),
        UserEntry(name="observer-1", full_name="A. Person", email=None, external_id=words),
        RoleEntry(name=RoleName.OBSERVER, description=words),
        RolePermissionEntry(role=RoleName.OBSERVER, permission="read:observations", retired=version > 1),
        UserRoleEntry(user_name="observer-1", role=RoleName.OBSERVER),
    ]


def applied(
    some: Sequence[CatalogEntry], *, at: datetime, site: str = road.ORIGIN, part: int = 1, parts: int = 1
) -> CatalogApplied:
    """These entries are told."""
    return CatalogApplied(
        apply_id=apply_id(site, at, [entry.model_dump_json() for entry in some] if parts == 1 else parts),
        applied_at=at,
        applied_by="an operator",
        reason="the semester begins",
        part=part,
        parts=parts,
        entries=tuple(some),
    )


def telling(site: str, chance: random.Random, *, offset: timedelta, units: int = 3) -> Iterator[Step]:
    """Both versions at one site, in parts of any order: neither the clock nor the stream says which is newer."""
    for version in (1, 2):
        told = entries(version, units)
        chance.shuffle(told)
        half = len(told) // 2
        at = BEGIN + offset + timedelta(days=version)
        yield site, applied(told[:half], at=at, site=site, part=1, parts=2)
        yield site, applied(told[half:], at=at, site=site, part=2, parts=2)


def token(number: int) -> Iterator[Step]:
    """A token is used at both sites, and revoked."""
    wanted = derived_id("api_token", number)
    yield (
        road.ORIGIN,
        TokenIssued(
            token_id=wanted,
            user_name=f"observer-{number}",
            name="of a script",
            sha256=road.digest("token", number),
            scopes=("read:observations", "file:*"),
            issued_at=BEGIN,
            issued_by="an operator",
            expires_at=BEGIN + timedelta(days=365),
        ),
    )
    for uses, site in ((3, road.ORIGIN), (2, road.DESTINATION), (5, road.ORIGIN)):
        yield (
            site,
            TokenUsed(
                token_id=wanted,
                uses=uses,
                last_used_at=BEGIN + timedelta(minutes=uses),
                last_address=f"192.0.2.{uses}",
            ),
        )
    for n, site in enumerate((road.DESTINATION, road.ORIGIN)):
        yield (
            site,
            TokenRevoked(
                token_id=wanted,
                revoked_at=BEGIN + timedelta(hours=n),
                revoked_by=f"operator {n}",
                reason="lost",
            ),
        )
