"""Sites, locations, instruments and routes.

Every site tells the whole deployment: the telling with the latest time counts, row by row.
"""

from contracts.deployment import DeploymentApplied, LocationFact
from contracts.envelope import Envelope
from contracts.states import StorageType
from libs.opsdb.projection import tables
from libs.opsdb.projection.changes import Change, Upsert, one, text_array
from libs.opsdb.projection.folds.journals import said


def deployment_applied(told: Envelope, event: DeploymentApplied) -> list[Change]:
    """Everything that the deployment names."""
    version = {"applied_at": told.time, "applied_by": told.id}
    changes: list[Change] = [
        one(tables.SITE, (s.name,), {"description": s.description, **version}) for s in event.sites
    ]
    for location in event.locations:
        changes += _location(told, location)
    for i in event.instruments:
        columns = {
            "site": i.site,
            "source_location": i.source,
            "folder": i.folder,
            "available": i.available,
            "package_limit": i.package_limit,
        }
        changes.append(one(tables.INSTRUMENT, (i.name,), {**columns, **version}))
        changes += [one(tables.INSTRUMENT_MODULE, (i.name, module.name), {}) for module in i.modules]
    for r in event.routes:
        columns = {
            "route_type": r.type,
            "origin": r.origin,
            "destination": r.destination,
            "via": text_array(r.via),
        }
        changes.append(one(tables.DATA_TRANSFER_ROUTE, (r.name,), {**columns, **version}))
    changes.append(
        said(
            told,
            actor=None,
            message=f"revision {event.revision} of the deployment of {event.observatory}",
            details={"revision": event.revision, "telescope": event.telescope},
        )
    )
    return changes


def _location(told: Envelope, location: LocationFact) -> list[Change]:
    columns = {
        "site": location.site,
        "location_type": location.type,
        "storage_type": location.storage,
        "priority": location.priority,
        "active": location.active,
        "applied_at": told.time,
        "applied_by": told.id,
    }
    return [one(tables.DATA_LOCATION, (location.name,), columns), _subtype(told, location)]


def _subtype(told: Envelope, location: LocationFact) -> Upsert:
    version = {"told_at": told.time, "told_by": told.id}
    key = (location.name,)
    match location.storage:
        case StorageType.DISK:
            return one(tables.DISK_DATA_LOCATION, key, {"path": location.address, **version})
        case StorageType.S3:
            endpoint, _, bucket = location.address.rpartition("/")
            return one(tables.S3_DATA_LOCATION, key, {"endpoint": endpoint, "bucket": bucket, **version})
        case StorageType.TAPE:
            return one(tables.TAPE_DATA_LOCATION, key, {"library": location.address, **version})
