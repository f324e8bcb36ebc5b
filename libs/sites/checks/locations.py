"""Rules of data locations: names, folders, buckets, and what a site needs beside what it has."""

import os
import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import combinations
from pathlib import Path

from contracts.states import LocationType
from libs.sites.findings import Issue, KeyPath, Part, error
from libs.sites.models import Deployment, DiskLocation, LogSettings, S3Location

LONGEST_STEP = 255
"""Bytes in one part of a path, as file systems have it."""
OFTENEST_EXPORT = timedelta(seconds=1)
SMALLEST_SEGMENT = 64 * 2**10
LARGEST_SEGMENT = 64 * 2**20
"""Bytes: a segment is held in memory, compressed, while it is written."""
_BUCKET = re.compile(r"[a-z0-9](?:[a-z0-9.-]{1,61})[a-z0-9]")


def path_of(site: str, location: str, *below: str) -> KeyPath:
    """The key path of a location's setting."""
    return ("sites", site, "locations", location, *below)


def names_are_unique(deployment: Deployment) -> Iterator[Issue]:
    """A location's name tells its site, in every event and table."""
    sites: dict[str, str] = {}
    for site, name, _ in deployment.locations():
        first = sites.setdefault(name, site)
        if first != site:
            reason = f"site {first} has a location {name}, too"
            yield error(
                path_of(site, name), "location_twice", reason, "Give one of them another name.", Part.KEY
            )


def folders_are_whole(deployment: Deployment) -> Iterator[Issue]:
    """A location's path says a real folder, not a shell's abbreviation of one."""
    for site, name, location in deployment.locations():
        if isinstance(location, DiskLocation) and _is_odd(location.path):
            reason = f"{str(location.path)!r} is not expanded and would be taken by the letter"
            yield error(path_of(site, name, "path"), "path_odd", reason, "Write the path out in full.")


def folders_are_apart(deployment: Deployment) -> Iterator[Issue]:
    """No two locations share bytes: deleting from one must never touch the other."""
    disks = [(s, n, x.path) for s, n, x in deployment.locations() if isinstance(x, DiskLocation)]
    for (_, other, above), (site, name, path) in combinations(disks, 2):
        if nested(above, path) and other != name:
            reason = f"{path} and the path of {other}, {above}, are one within the other"
            remedy = "Give each location a folder of its own, none below another."
            yield error(path_of(site, name, "path"), "paths_overlap", reason, remedy)


def buckets_are_well_named(deployment: Deployment) -> Iterator[Issue]:
    """Bucket names and prefixes are such as every S3 server takes."""
    for site, name, location in deployment.locations():
        if not isinstance(location, S3Location):
            continue
        if not _BUCKET.fullmatch(location.bucket) or ".." in location.bucket:
            reason = f"{location.bucket!r} is no name for a bucket"
            remedy = "Use 3 to 63 lower-case letters, digits, dots and hyphens."
            yield error(path_of(site, name, "bucket"), "bucket_invalid", reason, remedy)
        if location.prefix and not is_safe(location.prefix.removesuffix("/")):
            reason = f"{location.prefix!r} is no plain prefix"
            remedy = "Begin without a slash, and leave out . and .. and control characters."
            yield error(path_of(site, name, "prefix"), "prefix_unsafe", reason, remedy)


def buckets_are_apart(deployment: Deployment) -> Iterator[Issue]:
    """No two archives put their objects under the same keys."""
    buckets = [(s, n, x) for s, n, x in deployment.locations() if isinstance(x, S3Location)]
    for (_, other, one), (site, name, two) in combinations(buckets, 2):
        same = (one.endpoint, one.bucket) == (two.endpoint, two.bucket)
        if same and (one.prefix.startswith(two.prefix) or two.prefix.startswith(one.prefix)):
            reason = f"{other} keeps its objects in the same bucket under the same keys"
            remedy = "Give each archive another bucket, or prefixes of which none begins with the other."
            yield error(path_of(site, name, "bucket"), "bucket_shared", reason, remedy)


def archives_are_on_s3(deployment: Deployment) -> Iterator[Issue]:
    """The archiver writes to S3 alone: an archive on disk would stay empty for ever."""
    for site, name, location in deployment.locations():
        if location.type is LocationType.LONG_TERM_ARCHIVE and isinstance(location, DiskLocation):
            reason = "an archive on disk is not written to by this version"
            yield error(path_of(site, name), "archive_on_disk", reason, "Write storage: s3 with a bucket.")


def logs_are_sensible(deployment: Deployment) -> Iterator[Issue]:
    """The event log has a place of its own in an archive, and is cut as one can work with."""
    for site, name, location in deployment.locations():
        if isinstance(location, S3Location):
            yield from _log_is_sensible(deployment, path_of(site, name, "log"), location.log)


def _log_is_sensible(deployment: Deployment, path: KeyPath, log: LogSettings) -> Iterator[Issue]:
    if log.every < OFTENEST_EXPORT:
        reason = "the archiver would do nothing but export"
        yield error((*path, "every"), "log_too_often", reason, "Write 1s or more, for example 1m.")
    if not SMALLEST_SEGMENT <= log.segment <= LARGEST_SEGMENT:
        reason = f"a segment of {int(log.segment)} bytes is too small or too large to work with"
        yield error((*path, "segment"), "log_segment_odd", reason, "Write 64 KiB to 64 MiB.")
    if not is_safe(log.folder):
        reason = f"{log.folder!r} is no plain folder"
        remedy = "Begin without a slash, and leave out . and .. and control characters."
        yield error((*path, "folder"), "log_folder_unsafe", reason, remedy)
    elif log.folder.split("/")[0] in deployment.instruments:
        reason = f"the packages of the instrument {log.folder.split('/')[0]} lie there"
        yield error((*path, "folder"), "log_folder_taken", reason, "Write another one, for example log.")


def sites_have_buffers(deployment: Deployment) -> Iterator[Issue]:
    """SOURCE is packed into a BUFFER; an archive is filled from one."""
    for site, settings in deployment.sites.items():
        if settings.locations_of(LocationType.BUFFER):
            continue
        for kind in (LocationType.SOURCE, LocationType.LONG_TERM_ARCHIVE):
            if settings.locations_of(kind):
                reason = f"the site has an active {kind} location, but no active buffer"
                remedy = f"Add a location of type buffer to site {site}."
                yield error(("sites", site, "locations"), "buffer_missing", reason, remedy, Part.KEY)


def nested(one: Path, two: Path) -> bool:
    """Whether two paths are equal or one lies below the other, by their letters alone."""
    a, b = Path(os.path.normpath(one)), Path(os.path.normpath(two))
    return a.is_relative_to(b) or b.is_relative_to(a)


def is_safe(relative: str) -> bool:
    """Whether a relative POSIX path stays below its root and has nothing odd in it."""
    if not relative.isprintable():
        return False
    return all(
        step not in ("", ".", "..") and len(step.encode()) <= LONGEST_STEP for step in relative.split("/")
    )


def _is_odd(path: Path) -> bool:
    return any(step.startswith("~") for step in path.parts) or "$" in str(path) or not str(path).isprintable()
