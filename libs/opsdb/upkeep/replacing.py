"""Making the ops-db anew from the log, and putting it in the place of the live one while the site works on."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from libs.bus.connection import BusAddress
from libs.errors import Retriable
from libs.opsdb.connecting import unavailable_as_retriable
from libs.opsdb.rebuild import LogStream
from libs.opsdb.upkeep.beside import Beside
from libs.opsdb.upkeep.claim import Claim, claimed
from libs.opsdb.upkeep.exchanging import Exchange, InUse, exchange
from libs.opsdb.upkeep.fitness import require_replaceable
from libs.opsdb.upkeep.progress import Progress, Stage, Tell, in_silence

PATIENCE_S = 600.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0


@dataclass(frozen=True, slots=True)
class Replaced:
    """What was done.

    Attributes:
        positions: How far the tables were when they were exchanged, by stream.
        events: How many events were folded.
        held_s: For how long readers and the projector had to wait.
        kept: The schema that keeps the tables that were replaced; None if they were dropped.
    """

    positions: dict[str, int]
    events: int
    held_s: float
    kept: str | None


async def replace(
    bus: BusAddress,
    dsn: str,
    streams: Sequence[LogStream],
    *,
    reader: str | None = None,
    schema: str = "public",
    keep: bool = False,
    patience_s: float = PATIENCE_S,
    tell: Tell = in_silence,
) -> Replaced:
    """Fold the log into tables beside the live ones, and exchange them in one transaction.

    The projector goes on projecting into the live tables, and after the exchange into the new ones: these are then
    at the same positions. Readers wait for the moment of the exchange. Killed at any point, it leaves the live
    tables as they were, or has exchanged them; what else it leaves, the next one removes.

    Args:
        bus: The server that has the streams.
        dsn: With the role that owns the tables.
        streams: All streams that the tables are folded from.
        reader: The role that may read all tables, as it is given to `migrate`.
        schema: The live tables.
        keep: Whether the tables that are replaced stay, in a schema of their own.
        patience_s: For how long to try to exchange tables that somebody uses without a pause.
        tell: Shown how far it is.

    Raises:
        UserError: ``opsdb_newer``, ``opsdb_not_owned`` or ``opsdb_has_dependents``.
        Permanent: ``log_incomplete`` or ``log_unknown``: it cannot be folded again.
        Retriable: ``exchange_blocked`` after `patience_s`, ``upkeep_running``, ``log_behind``,
            ``opsdb_not_prepared``, ``opsdb_unavailable`` or ``bus_unavailable``.
    """
    async with (
        claimed(dsn, "rebuild", schema=schema) as claim,
        Beside.open(bus, claim, streams, tell) as beside,
    ):
        await require_replaceable(claim.connection, schema)
        await beside.make(reader)
        await beside.complete()
        kept = f"chasqui_kept_{schema}_{datetime.now(UTC):%Y%m%dt%H%M%Sz}" if keep else None
        work = _Replacing(claim, beside, Exchange(schema, claim.beside, kept or claim.replaced), tell)
        held_s = await work.within(patience_s)
        tell(Progress(Stage.DROPPING))
    return Replaced(work.positions, beside.events, held_s, kept)


class _Replacing:
    """Exchanging tables that are in use: tried until a moment is found."""

    def __init__(self, claim: Claim, beside: Beside, schemas: Exchange, tell: Tell) -> None:
        self._claim = claim
        self._beside = beside
        self._schemas = schemas
        self._tell = tell
        self.positions: dict[str, int] = {}

    async def within(self, patience_s: float) -> float:
        """Exchange; returns for how many seconds nobody could use the tables."""
        deadline, pause = time.monotonic() + patience_s, _FIRST_PAUSE_S
        attempt = 0
        while True:
            await self._beside.approach()
            attempt += 1
            self._tell(Progress(Stage.EXCHANGING, attempt))
            try:
                return await self._once(attempt)
            except InUse as error:
                blockers = await self._blockers()
                if time.monotonic() > deadline:
                    raise _blocked(patience_s, blockers, error) from error
                self._tell(Progress(Stage.EXCHANGING, attempt, note=f"waiting for {blockers}"))
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    async def _once(self, attempt: int) -> float:
        async with (
            self._beside.writer() as writer,
            writer.transaction("read_committed") as connection,
        ):

            async def fold_rest(live: Mapping[str, int]) -> None:
                self._tell(Progress(Stage.EXCHANGING, attempt, note="folding the last events"))
                await self._beside.fold(writer, live)
                self.positions = dict(live)

            return await exchange(connection, self._schemas, fold_rest)

    async def _blockers(self) -> str:
        with unavailable_as_retriable():
            rows = await self._claim.connection.fetch(_HOLDERS, self._schemas.live)
        return (
            ", ".join(f"process {row['pid']} ({row['name']}, since {row['since']})" for row in rows)
            or "locks"
        )


_HOLDERS = """
    SELECT a.pid, COALESCE(NULLIF(a.application_name, ''), a.backend_type, 'of another role') AS name,
           COALESCE(to_char(a.xact_start, 'YYYY-MM-DD HH24:MI:SS TZ'), '?') AS since
    FROM pg_stat_activity a
    WHERE a.pid <> pg_backend_pid() AND a.pid IN (
        SELECT l.pid FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND l.granted AND c.relkind IN ('r', 'p')
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    )
    ORDER BY a.xact_start LIMIT 3
"""


def _blocked(patience_s: float, blockers: str, error: BaseException) -> Retriable:
    return Retriable(
        "exchange_blocked",
        f"the tables were in use without a pause for {patience_s:g} s, last by {blockers}: {error}",
        "Wait until it ends or end it (SELECT pg_terminate_backend(PID)), then rebuild again; the ops-db is as it was.",
    )
