"""Holds: placing, releasing and listing them."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from nats.aio.client import Client

from contracts.base import derived_id
from contracts.holds import HoldPlaced, HoldReleased, HoldScope, PlaceHold, ReleaseHold, hold_id
from contracts.staging import Selection
from contracts.states import HoldKind
from contracts.subjects import events_stream
from libs.bus.publishing import EventPublisher
from libs.errors import Retriable, UserError
from libs.opsdb.reader import OpsDbReader
from libs.service.service import Place
from libs.sites.models import Deployment
from services.gateway.knowing import Knowing
from services.gateway.known import require_known
from services.gateway.paging import Page, Select, key_of, page_of, read_time
from services.gateway.records import Record

APPLIED_WITHIN_S = 5.0

_HOLDS = "SELECT h.* FROM deletion_hold h WHERE true"

_SELECTIONS = {
    HoldKind.EXECUTED_OBS_UNIT: "executed_obs_unit_ids",
    HoldKind.RAW_DATA_PACKAGE: "package_ids",
    HoldKind.RAW_DATA_FILE: "file_ids",
}


class HoldRecord(Record):
    """A hold.

    Attributes:
        target: The name or id of what is held, by `kind`.
        released_at: None while it stands.
    """

    id: UUID
    kind: HoldKind | None
    target: str | None
    reason: str | None
    placed_by: str | None
    placed_at: datetime | None
    released_at: datetime | None
    released_by: str | None
    release_reason: str | None


class HoldDesk:
    """Takes requests for holds at a site.

    Args:
        place: The site.
        knowing: Its ops-db.
        client: Connected to its NATS server.
        publisher: Says what was asked for.
    """

    def __init__(self, place: Place, knowing: Knowing, client: Client, publisher: EventPublisher) -> None:
        self._place = place
        self._knowing = knowing
        self._client = client
        self._publisher = publisher

    async def place(self, wanted: PlaceHold, key: str | None) -> HoldRecord:
        """Say that somebody wants copies to stay; the same key again is the same hold.

        Args:
            wanted: What is asked for.
            key: The client's Idempotency-Key, if it sent one.

        Raises:
            UserError: ``unknown_location``, ``unknown_instrument``, ``unknown_ids``, ``id_invalid``, or
                ``idempotency_key_reused``.
            Retriable: A server is away.
        """
        opsdb, now = self._knowing.opsdb, datetime.now(UTC)
        scope = canonical(wanted.scope)
        name = hold_id(scope, now) if key is None else _name(self._place.site, key)
        if earlier := await _find(opsdb, name):
            return _same(earlier, wanted, scope)
        await self._require_known(opsdb, scope)
        event = HoldPlaced(
            hold_id=name, scope=scope, reason=wanted.reason, placed_by=wanted.placed_by, placed_at=now
        )
        await self._say(opsdb, event)
        stored = await _find(opsdb, name)
        return _same(stored, wanted, scope) if stored else _record(event)

    async def release(self, name: UUID, wanted: ReleaseHold) -> HoldRecord:
        """Say that a hold stands no more; again if it was said before, nothing more happens.

        Raises:
            UserError: ``unknown_hold``.
            Retriable: A server is away.
        """
        opsdb, now = self._knowing.opsdb, datetime.now(UTC)
        found = await self.hold(name)
        if found.released_at is not None:
            return found
        event = HoldReleased(
            hold_id=name, reason=wanted.reason, released_by=wanted.released_by, released_at=now
        )
        await self._say(opsdb, event)
        return await self.hold(name)

    async def hold(self, name: UUID) -> HoldRecord:
        """One hold.

        Raises:
            UserError: ``unknown_hold``.
            Retriable: ``opsdb_unavailable``.
        """
        row = await _find(self._knowing.opsdb, name)
        if row is None:
            raise UserError(
                "unknown_hold",
                f"nothing here is a hold with the id {name}",
                "Check the id with 'chasqui hold list'; one placed at another site may not have arrived yet.",
            )
        return HoldRecord.of(row)

    async def holds(self, *, everything: bool, limit: int, cursor: str | None) -> Page[HoldRecord]:
        """Holds, the latest first.

        Args:
            everything: Those that were released, too.
            limit: At most so many.
            cursor: Where the page before ended.
        """
        standing = "" if everything else " AND h.released_at IS NULL"
        select = Select(_HOLDS + " AND h.placed_at IS NOT NULL" + standing)
        select.where("(h.placed_at, h.id) < ({}, {})", *key_of(cursor, read_time, UUID))
        rows = await select.fetch(self._knowing.opsdb, order="h.placed_at DESC, h.id DESC", limit=limit)
        return page_of(rows, limit, HoldRecord.of, lambda row: (row["placed_at"], row["id"]))

    async def _require_known(self, opsdb: OpsDbReader, scope: HoldScope) -> None:
        """A misspelt name would hold nothing, and nobody would notice until it is too late."""
        if scope.kind in _SELECTIONS:
            selection = Selection.model_validate({_SELECTIONS[scope.kind]: [scope.target]})
            await require_known(opsdb, self._client, self._place, selection)
        else:
            _require_named(self._place.deployment, scope)

    async def _say(self, opsdb: OpsDbReader, event: HoldPlaced | HoldReleased) -> None:
        sequence = await self._publisher.publish([event])
        with suppress(Retriable):  # it is in the log; that ops-db shows it a little later is no failure
            await opsdb.wait_applied(events_stream(self._place.site), sequence, APPLIED_WITHIN_S)


def canonical(scope: HoldScope) -> HoldScope:
    """The scope with its id as everybody writes it.

    Raises:
        UserError: ``id_invalid``.
    """
    if scope.kind not in _SELECTIONS:
        return scope
    try:
        return scope.model_copy(update={"target": str(UUID(scope.target.strip()))})
    except ValueError as error:
        raise UserError(
            "id_invalid",
            f"{scope.target[:80]!r} is no id",
            "Give a UUID, as status, the page and the logs show them.",
        ) from error


def _require_named(deployment: Deployment, scope: HoldScope) -> None:
    if scope.kind is HoldKind.LOCATION:
        known, code = sorted(name for _, name, _ in deployment.locations()), "unknown_location"
    else:
        known, code = sorted(deployment.instruments), "unknown_instrument"
    if scope.target not in known:
        raise UserError(
            code, f"there is no {scope.kind} {scope.target!r}", f"Choose from {', '.join(known) or 'none'}."
        )


def _name(site: str, key: str) -> UUID:
    return derived_id("deletion_hold", "idempotency_key", site, key)


def _same(row: dict[str, Any], wanted: PlaceHold, scope: HoldScope) -> HoldRecord:
    """The stored hold, if it is the one that is asked for.

    Raises:
        UserError: ``idempotency_key_reused``.
    """
    found = (row["kind"], row["target"], row["reason"], row["placed_by"])
    if found != (scope.kind, scope.target, wanted.reason, wanted.placed_by):
        raise UserError(
            "idempotency_key_reused",
            f"the hold {row['id']} of this Idempotency-Key holds something else",
            "Send a new key with a new request.",
        )
    return HoldRecord.of(row)


def _record(event: HoldPlaced) -> HoldRecord:
    return HoldRecord(
        id=event.hold_id,
        kind=event.scope.kind,
        target=event.scope.target,
        reason=event.reason,
        placed_by=event.placed_by,
        placed_at=event.placed_at,
        released_at=None,
        released_by=None,
        release_reason=None,
    )


async def _find(opsdb: OpsDbReader, name: UUID) -> dict[str, Any] | None:
    """A hold's row once its placing is known; a stub of its release is none."""
    row = await opsdb.fetchrow(_HOLDS + " AND h.id = $1 AND h.kind IS NOT NULL", name)
    return None if row is None else dict(row)
