"""Where a staging job goes and what it is called: decisions, made of the deployment and the request alone."""

from datetime import datetime
from pathlib import Path
from uuid import UUID

from contracts.base import derived_id
from contracts.staging import RequestStaging, Selection, job_id
from contracts.states import LocationType
from libs.errors import UserError
from libs.sites.models import Deployment, DiskLocation

MOST_IDS = 5_000
"""More do not fit into one event."""


def choose_location(deployment: Deployment, site: str, wanted: str | None) -> str:
    """The PROCESSING location of a job: the wanted one, else the site's own first, else the deployment's.

    Raises:
        UserError: ``unknown_location``, ``not_processing``, ``location_inactive`` or ``no_processing``.
    """
    if wanted is not None:
        return _checked(deployment, wanted)
    sites = [site, *(other for other in deployment.sites if other != site)]
    for one in sites:
        if found := deployment.site(one).locations_of(LocationType.PROCESSING):
            return next(iter(found))
    raise UserError(
        "no_processing",
        "the deployment has no active PROCESSING location",
        "Add one to the deployment file.",
    )


def _checked(deployment: Deployment, wanted: str) -> str:
    known = [n for _, n, x in deployment.locations() if x.type is LocationType.PROCESSING and x.active]
    remedy = f"Choose from {', '.join(known) or 'none: add one to the deployment file'}."
    try:
        _, location = deployment.location(wanted)
    except KeyError:
        raise UserError("unknown_location", f"there is no location {wanted!r}", remedy) from None
    if location.type is not LocationType.PROCESSING:
        raise UserError("not_processing", f"{wanted} is a {location.type} location", remedy)
    if not location.active:
        raise UserError("location_inactive", f"{wanted} is not active", remedy)
    return wanted


def check_selection(selection: Selection) -> None:
    """Refuse a selection that does not fit into one event.

    Raises:
        UserError: ``too_many_ids``.
    """
    count = len(ids_of(selection))
    if count > MOST_IDS:
        raise UserError(
            "too_many_ids",
            f"the selection names {count} ids; a job takes {MOST_IDS}",
            "Name whole observations or packages in the place of single files, or ask in several jobs.",
        )


def ids_of(selection: Selection) -> list[UUID]:
    """Everything that a selection names."""
    return [*selection.executed_obs_unit_ids, *selection.package_ids, *selection.file_ids]


def name_job(request: RequestStaging, site: str, key: str | None, now: datetime) -> UUID:
    """The id of a job: of the client's key if there is one, so that a repeat is the same job.

    Args:
        request: What is asked for.
        site: Whose gateway was asked.
        key: The client's Idempotency-Key.
        now: When it was asked.
    """
    return job_id(request, now) if key is None else derived_id("staging_job", "idempotency_key", site, key)


def folder_of(job: UUID) -> str:
    """The folder of a job, relative to its location's root."""
    return f"staging/{job}"


def absolute_folder(deployment: Deployment, site: str, location: str, folder: str) -> Path | None:
    """A job's folder as a path on this site's disks; None if the location is elsewhere or gone."""
    try:
        owner, settings = deployment.location(location)
    except KeyError:
        return None
    if owner != site or not isinstance(settings, DiskLocation):
        return None
    return settings.path / folder
