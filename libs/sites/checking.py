"""Every rule of a deployment on one page, and what only the machine can tell when a site starts."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from contracts.states import LocationType
from libs.sites.checks import associations, claims, instruments, locations, retention, routes, scrubs, servers
from libs.sites.findings import Issue, error, warning
from libs.sites.models import Deployment, DiskLocation

RULES: tuple[Callable[[Deployment], Iterator[Issue]], ...] = (
    locations.names_are_unique,
    locations.folders_are_whole,
    locations.folders_are_apart,
    locations.buckets_are_well_named,
    locations.buckets_are_apart,
    locations.archives_are_on_s3,
    locations.logs_are_sensible,
    locations.sites_have_buffers,
    retention.retention_can_be_met,
    retention.water_marks_are_in_order,
    retention.proofs_outlast_retention,
    retention.archives_have_no_retention,
    scrubs.scrubs_come_to_an_end,
    claims.claims_outlive_a_hitch,
    associations.deadlines_leave_time,
    instruments.sites_exist,
    instruments.sources_fit,
    instruments.folders_are_safe,
    instruments.folders_are_apart,
    instruments.modules_stand_once,
    instruments.package_limits_are_sensible,
    instruments.instruments_reach_an_archive,
    instruments.scans_are_sensible,
    routes.ends_exist,
    routes.ends_have_buffers,
    routes.relays_lead_through,
    routes.customs_name_locations,
    routes.routes_stand_once,
    routes.targets_hold_a_package,
    routes.sizes_are_positive,
    servers.names_are_free,
    servers.addresses_are_whole,
    servers.database_hosts_are_plain,
    servers.databases_are_apart,
    servers.roles_are_two,
    servers.ports_are_free,
    servers.leaves_hang_on_hubs,
    servers.domains_fit,
    servers.hops_are_connected,
)


def check_deployment(deployment: Deployment) -> tuple[Issue, ...]:
    """Everything that can be told from the deployment alone."""
    return tuple(issue for rule in RULES for issue in rule(deployment))


def check_running(deployment: Deployment, site: str) -> tuple[Issue, ...]:
    """What only the machine can tell about a site's disk locations: folders, rights, space.

    Reads the file system and changes nothing.

    Raises:
        KeyError: There is no such site.
    """
    issues: list[Issue] = []
    for name, location in deployment.site(site).locations.items():
        if isinstance(location, DiskLocation) and location.active:
            issues += _folder(locations.path_of(site, name, "path"), location)
    return (*issues, *_same_folders(deployment, site), *_space(deployment, site))


def _folder(path: tuple[str | int, ...], location: DiskLocation) -> Iterator[Issue]:
    if not location.path.exists():
        remedy = f"Mount the disk, or create the folder: mkdir -p '{location.path}'"
        yield error(path, "folder_missing", f"{location.path} does not exist", remedy)
    elif not location.path.is_dir():
        reason = f"{location.path} is no folder"
        yield error(path, "folder_not_a_folder", reason, "Name the folder itself.")
    elif not os.access(location.path, os.R_OK | os.W_OK | os.X_OK):
        reason = f"this user may not read and write {location.path}"
        yield error(
            path, "folder_not_writable", reason, "Change its owner or permissions, or remount it writable."
        )
    elif (used := _used(location.path)) >= location.retention.high_water:
        reason = f"{used:.0%} of the disk are in use, more than high_water"
        yield warning(path, "disk_nearly_full", reason, "Make room; copies that may go are deleted at once.")


def _same_folders(deployment: Deployment, site: str) -> Iterator[Issue]:
    """Symbolic links and bind mounts that make two locations one folder."""
    seen: dict[tuple[int, int], str] = {}
    for name, location in deployment.site(site).locations.items():
        if isinstance(location, DiskLocation) and location.path.is_dir():
            found = location.path.stat()
            first = seen.setdefault((found.st_dev, found.st_ino), name)
            if first != name:
                reason = f"{location.path} is the same folder as that of {first}"
                remedy = "Give each location a folder of its own."
                yield error(locations.path_of(site, name, "path"), "folder_shared", reason, remedy)


def _space(deployment: Deployment, site: str) -> Iterator[Issue]:
    """Each BUFFER has room for the largest package that may be made here."""
    largest = max((i.package_limit for i in deployment.instruments_at(site).values()), default=0)
    for name, location in deployment.site(site).locations_of(LocationType.BUFFER).items():
        if isinstance(location, DiskLocation) and location.path.is_dir():
            free = shutil.disk_usage(location.path).free
            if free < largest:
                reason = f"{free} bytes are free, less than one package of {int(largest)}"
                remedy = "Make room, or lower package_limit."
                yield warning(locations.path_of(site, name, "path"), "disk_too_small", reason, remedy)


def _used(folder: Path) -> float:
    usage = shutil.disk_usage(folder)
    return usage.used / usage.total if usage.total else 0.0
