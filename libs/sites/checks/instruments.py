"""Rules of instruments: where they stand, where they write, how much goes into a package."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import combinations
from pathlib import Path

from contracts.states import LocationType
from libs.sites.checks.locations import is_safe, nested
from libs.sites.findings import Issue, Part, error, warning
from libs.sites.models import Deployment, InstrumentSettings

SMALLEST_PACKAGE = 1024
"""Bytes: a tar of less holds no file at all."""
LARGEST_PACKAGE = 5 * 2**40
"""Bytes: no S3 object is larger."""
SHORTEST_SWEEP = timedelta(milliseconds=100)
"""More often, the scanner would do nothing but sweep."""


def sites_exist(deployment: Deployment) -> Iterator[Issue]:
    """An instrument stands at a site of this deployment."""
    for name, instrument in deployment.instruments.items():
        if instrument.site not in deployment.sites:
            remedy = f"Write one of: {', '.join(deployment.sites)}."
            reason = f"there is no site {instrument.site}"
            yield error(("instruments", name, "site"), "site_unknown", reason, remedy)


def sources_fit(deployment: Deployment) -> Iterator[Issue]:
    """An instrument writes to a SOURCE location of its own site."""
    for name, instrument in deployment.instruments.items():
        if instrument.site in deployment.sites:
            yield from _source_fits(deployment, name, instrument)


def _source_fits(deployment: Deployment, name: str, instrument: InstrumentSettings) -> Iterator[Issue]:
    path = ("instruments", name, "source")
    here = deployment.sites[instrument.site].locations
    wanted = [n for n, location in here.items() if location.type is LocationType.SOURCE]
    remedy = (
        f"Write one of the source locations of {instrument.site}: {', '.join(wanted) or 'there is none'}."
    )
    location = here.get(instrument.source)
    if location is None:
        elsewhere = [site for site, n, _ in deployment.locations() if n == instrument.source]
        code, place = (
            ("source_elsewhere", f"is at {elsewhere[0]}") if elsewhere else ("location_unknown", "is nowhere")
        )
        yield error(path, code, f"{instrument.source} {place}, not at {instrument.site}", remedy)
    elif location.type is not LocationType.SOURCE:
        yield error(path, "source_wrong_type", f"{instrument.source} is a {location.type} location", remedy)
    elif not location.active:
        reason = f"{instrument.source} is not active"
        yield warning(path, "source_inactive", reason, "Set active: true there when it is in use.")


def folders_are_safe(deployment: Deployment) -> Iterator[Issue]:
    """An instrument's folder lies below its source's root."""
    for name, instrument in deployment.instruments.items():
        if instrument.folder is not None and not is_safe(instrument.folder):
            reason = f"{instrument.folder!r} is no plain path below the source's root"
            remedy = "Begin without a slash, and leave out . and .. and control characters."
            yield error(("instruments", name, "folder"), "folder_unsafe", reason, remedy)


def folders_are_apart(deployment: Deployment) -> Iterator[Issue]:
    """A file on SOURCE belongs to one instrument."""
    for (other, one), (name, two) in combinations(deployment.instruments.items(), 2):
        above, below = deployment.instrument_folder(other), deployment.instrument_folder(name)
        if one.source == two.source and nested(Path("/", above), Path("/", below)):
            reason = f"its folder {below!r} and {above!r} of {other} overlap on {one.source}"
            yield error(
                ("instruments", name, "folder"), "folders_overlap", reason, "Give each a folder of its own."
            )


def modules_stand_once(deployment: Deployment) -> Iterator[Issue]:
    """A module is listed once."""
    for name, instrument in deployment.instruments.items():
        for module, times in Counter(instrument.modules).items():
            if times > 1:
                last = len(instrument.modules) - 1 - instrument.modules[::-1].index(module)
                path = ("instruments", name, "modules", last)
                yield error(
                    path, "module_twice", f"the module {module} stands here twice", "Keep one of them."
                )


def package_limits_are_sensible(deployment: Deployment) -> Iterator[Issue]:
    """A package holds at least a small file, and an S3 server takes it."""
    for name, instrument in deployment.instruments.items():
        path = ("instruments", name, "package_limit")
        if not SMALLEST_PACKAGE <= instrument.package_limit <= LARGEST_PACKAGE:
            reason = f"a package of {int(instrument.package_limit)} bytes cannot be made or archived"
            remedy = f"Write between {SMALLEST_PACKAGE} bytes and 5 TiB, for example 50 GB."
            yield error(path, "package_limit_odd", reason, remedy)


def instruments_reach_an_archive(deployment: Deployment) -> Iterator[Issue]:
    """What an instrument writes can be archived, at its own site or at the end of a route from it."""
    for name, instrument in deployment.instruments.items():
        if instrument.site not in deployment.sites:
            continue
        ends = {instrument.site, *(r.destination for r in deployment.routes_from(instrument.site).values())}
        if not any(_has_archive(deployment, end) for end in ends):
            reason = f"no route from {instrument.site} ends at a site with an active long_term_archive"
            remedy = f"Add such a route, or an archive at {instrument.site}."
            yield error(("instruments", name), "archive_unreachable", reason, remedy, Part.KEY)


def _has_archive(deployment: Deployment, site: str) -> bool:
    known = deployment.sites.get(site)
    return known is not None and bool(known.locations_of(LocationType.LONG_TERM_ARCHIVE))


def scans_are_sensible(deployment: Deployment) -> Iterator[Issue]:
    """The scanner rests between sweeps, and lets a file come to rest."""
    for site, settings in deployment.sites.items():
        if settings.scan.sweep < SHORTEST_SWEEP:
            reason = "the scanner would sweep without a pause"
            yield error(("sites", site, "scan", "sweep"), "sweep_too_short", reason, "Write 100ms or more.")
        if settings.scan.quiet == timedelta(0):
            reason = "a file that is still being written would count as complete"
            remedy = "Write some seconds, unless every file appears under its name at once."
            yield warning(("sites", site, "scan", "quiet"), "quiet_zero", reason, remedy)
