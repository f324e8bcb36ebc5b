"""What a package is called, where it lies, and what its bag-info.txt says."""

from collections.abc import Iterator
from datetime import date
from uuid import UUID

from contracts.packages import Provenance
from libs.packaging import Envelope

SUFFIX = ".tar"
UNKNOWN_START = "00000000T000000"
_SOME_DAY = date(2000, 1, 1)
_SOME_ID = UUID(int=0)
_HIGHEST_NUMBER = 999_999


def package_name(provenance: Provenance, number: int) -> str:
    """The tar's file name: ``<instrument>-<module>-<start>-<unit>-<number>.tar``."""
    start = provenance.start_time
    stamp = f"{start:%Y%m%dT%H%M%S}" if start else UNKNOWN_START
    unit = provenance.executed_obs_unit_id.hex[:8]
    return f"{provenance.instrument}-{provenance.module}-{stamp}-{unit}-{number:03d}{SUFFIX}"


def package_path(provenance: Provenance, name: str) -> str:
    """Where a package lies, relative to a BUFFER's root."""
    return f"packages/{provenance.instrument}/{provenance.executed_obs_unit_id}/{name}"


def bag_info(provenance: Provenance, package_id: UUID, bagged_on: date) -> dict[str, str]:
    """The fields of bag-info.txt; those of RFC 8493 under its names.

    Args:
        provenance: Of the package.
        package_id: Its id.
        bagged_on: The day on which it was planned: the same at every run.
    """
    fields = {
        "Source-Organization": provenance.observatory,
        "External-Identifier": str(package_id),
        "Internal-Sender-Identifier": str(provenance.executed_obs_unit_id),
        "Bagging-Date": bagged_on.isoformat(),
        "Telescope": provenance.telescope,
        "Site": provenance.site,
        "Instrument": provenance.instrument,
        "Instrument-Module": provenance.module,
        **dict(_observation_fields(provenance)),
    }
    lines = {label: _one_line(value) for label, value in fields.items()}
    return {label: line for label, line in lines.items() if line}


def envelope(provenance: Provenance) -> Envelope:
    """The room that name and bag-info of any package with this provenance need."""
    name = package_name(provenance, _HIGHEST_NUMBER).removesuffix(SUFFIX)
    return Envelope.of(name, bag_info(provenance, _SOME_ID, _SOME_DAY))


def _observation_fields(provenance: Provenance) -> Iterator[tuple[str, str]]:
    yield "Obs-Unit", provenance.obs_unit or ""
    yield "Observing-Program", provenance.observing_program or ""
    yield "Obs-Mode", provenance.obs_mode or ""
    if provenance.start_time:
        yield "Start-Time", provenance.start_time.isoformat()
    if provenance.end_time:
        yield "End-Time", provenance.end_time.isoformat()
    target = provenance.target
    if target is None:
        return
    yield "Target-Name", target.name
    if target.ra_deg is not None:
        yield "Target-RA-Degrees", str(target.ra_deg)
    if target.dec_deg is not None:
        yield "Target-Dec-Degrees", str(target.dec_deg)


def _one_line(value: str) -> str:
    """Observers may write what they like; a field of bag-info is one line without spaces at its ends."""
    return " ".join(value.replace("\0", " ").split())
