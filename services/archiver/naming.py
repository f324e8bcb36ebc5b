"""Where a package lies in an archive."""

from contracts.packages import PackageRecord, Provenance

PACKAGE_SUFFIX = ".tar"
SIDECAR_SUFFIX = ".json"
UNKNOWN_DAY = "0000/00/00"


def package_key(prefix: str, package: PackageRecord) -> str:
    """The key: ``<prefix><instrument>/<YYYY>/<MM>/<DD>/<executed_obs_unit_id>/<name>.tar``, days in UTC."""
    provenance = package.provenance
    unit = provenance.executed_obs_unit_id
    return f"{prefix}{provenance.instrument}/{_day(provenance)}/{unit}/{package.name}"


def sidecar_key(key: str) -> str:
    """The key of a package's sidecar."""
    return key.removesuffix(PACKAGE_SUFFIX) + SIDECAR_SUFFIX


def _day(provenance: Provenance) -> str:
    start = provenance.start_time
    return f"{start:%Y/%m/%d}" if start is not None else UNKNOWN_DAY
