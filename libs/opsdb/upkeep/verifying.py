"""Proof that the ops-db equals the fold of the log: fold it again, up to exactly where the tables are, and compare."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from libs.bus.connection import BusAddress
from libs.errors import UserError
from libs.opsdb.connecting import quoted
from libs.opsdb.migrating import newest_revision, stored_revision
from libs.opsdb.models import METADATA
from libs.opsdb.projection.reconciling import conclude
from libs.opsdb.rebuild import LogStream
from libs.opsdb.upkeep.beside import Beside
from libs.opsdb.upkeep.claim import Claim, claimed
from libs.opsdb.upkeep.comparing import SAMPLES, Difference, compare_within
from libs.opsdb.upkeep.progress import Progress, Stage, Tell, in_silence


@dataclass(frozen=True, slots=True)
class Verified:
    """What came out.

    Attributes:
        positions: How far the compared view of the live tables was, by stream.
        events: How many events were folded.
        tables: How many tables were compared.
        differences: The tables that are not what the log says: first is the ops-db, second the log.
    """

    positions: dict[str, int]
    events: int
    tables: int
    differences: tuple[Difference, ...]


async def verify(
    bus: BusAddress,
    dsn: str,
    streams: Sequence[LogStream],
    *,
    schema: str = "public",
    samples: int = SAMPLES,
    tell: Tell = in_silence,
) -> Verified:
    """Compare the live tables with the fold of the log, row by row. The site works on meanwhile.

    Most is folded before the tables are looked at; then one transaction sees them all at one instant, folds the
    rest up to there into the tables beside, and compares.

    Args:
        bus: The server that has the streams.
        dsn: With the role that owns the tables.
        streams: All streams that they are folded from.
        schema: The live tables.
        samples: How many rows of a table to show at most.
        tell: Shown how far it is.

    Raises:
        UserError: ``opsdb_outdated``: the tables are of another release.
        Permanent: ``log_incomplete`` or ``log_unknown``: it cannot be folded again.
        Retriable: ``upkeep_running``, ``log_behind``, ``opsdb_not_prepared``, ``opsdb_unavailable`` or
            ``bus_unavailable``.
    """
    tables = len(METADATA.tables)
    async with (
        claimed(dsn, "verify", schema=schema) as claim,
        Beside.open(bus, claim, streams, tell) as beside,
    ):
        await _require_this_release(claim)
        await beside.make()
        async with beside.writer() as writer, writer.transaction("repeatable_read") as view:
            live = await _positions(view, schema)
            await beside.fold(writer, live)
            await conclude(view)
            differences = await compare_within(
                view,
                schema,
                claim.beside,
                samples=samples,
                on_table=lambda done, name: tell(Progress(Stage.COMPARING, done, tables, name)),
            )
        tell(Progress(Stage.DROPPING))
    return Verified(live, beside.events, tables, tuple(differences))


async def _require_this_release(claim: Claim) -> None:
    there, wanted = await stored_revision(claim.connection), await newest_revision()
    if there != wanted:
        raise UserError(
            "opsdb_outdated",
            f"the tables are of revision {there}, this release has {wanted}",
            "Verify with the release that wrote them, or bring them to this one: chasqui provision, or "
            "chasqui opsdb rebuild.",
        )


async def _positions(view: asyncpg.Connection, schema: str) -> dict[str, int]:
    rows = await view.fetch(f"SELECT stream, sequence FROM {quoted(schema)}.stream_position")  # noqa: S608 - quoted
    return {row["stream"]: row["sequence"] for row in rows}
