"""What a package waits for."""

from datetime import datetime, timedelta

from contracts.states import PackageState
from libs.insight.waits.words import NOTHING, Row, Waiting, for_a_person, latest, location, route


def package(row: Row, context: Row) -> Waiting:
    """Its tar, its bundle, its way, its archive.

    Args:
        row: Of raw_data_package.
        context: ``origin``: the site it was sealed at; ``routes``: how many leave the package's site (without one it is archived where it is);
            ``bundle``: the row of the bundle it is in; ``archives``: names of the archives at its end;
            ``longest_wait``: how long a bundle of its route is left open (timedelta).
    """
    origin = context.get("origin")
    bundle: Row = context.get("bundle", {})
    match row.get("state"):
        case PackageState.PLANNED:
            return Waiting(
                now="For the packager to write its tar.",
                next="It is sealed in the buffer.",
                since=row.get("planned_at"),
                by="packager",
                at=origin,
            )
        case PackageState.ABANDONED:
            return Waiting(
                now="Nothing: this plan was given up because files changed.",
                next="The files travel in another package.",
            )
        case PackageState.WAITING if context.get("routes") == 0:
            return _for_the_archive(row, context, origin)
        case PackageState.WAITING if row.get("data_transfer_package_id") is None:
            return Waiting(
                now="For the bundler to close a bundle.",
                next="It is moved to the next site.",
                since=row.get("sealed_at"),
                next_at=_at_the_latest(row.get("sealed_at"), context.get("longest_wait")),
                by="bundler",
                at=origin,
            )
        case PackageState.WAITING:
            return Waiting(
                now="For the mover to take its bundle.",
                next="It is moved to the next site.",
                since=bundle.get("sealed_at") or row.get("sealed_at"),
                by="mover",
                at=bundle.get("origin") or origin,
                uses=route(bundle.get("route")),
            )
        case PackageState.TRANSFERRING if row.get("verified_at") is None:
            return _on_its_way(row, context, bundle)
        case PackageState.TRANSFERRING:
            return _for_the_archive(row, context, bundle.get("destination"))
        case PackageState.FAILED:
            return for_a_person(row, "it failed", "Look at the dead letters: chasqui dead list.")
        case PackageState.ARCHIVED:
            return NOTHING
        case _:
            return Waiting(
                now="For its events to arrive here.", next="It is completed when they do.", by="projector"
            )


def _on_its_way(row: Row, context: Row, bundle: Row) -> Waiting:
    hop: Row = context.get("hop", {})
    if hop.get("completed_at") is None:
        return Waiting(
            now="For its bundle to be moved.",
            next="It is verified where it arrives, then uploaded to the archive.",
            since=hop.get("started_at") or bundle.get("sealed_at"),
            by="mover",
            at=hop.get("origin") or bundle.get("origin"),
            uses=(*route(bundle.get("route")), *location(hop.get("destination_location"))),
        )
    return Waiting(
        now="For its bundle to be verified where it arrived.",
        next="It is uploaded to the archive.",
        since=latest(hop, "completed_at") or row.get("sealed_at"),
        by="verifier",
        at=hop.get("destination") or bundle.get("destination"),
        uses=location(hop.get("destination_location")),
    )


def _for_the_archive(row: Row, context: Row, at: str | None) -> Waiting:
    archives: tuple[str, ...] = context.get("archives", ())
    return Waiting(
        now="For the archiver to upload and prove it.",
        next="It is archived.",
        since=latest(row, "sealed_at", "verified_at"),
        by="archiver",
        at=at,
        uses=tuple(key for name in archives for key in location(name)),
    )


def _at_the_latest(since: datetime | None, longest: timedelta | None) -> datetime | None:
    return None if since is None or longest is None else since + longest
