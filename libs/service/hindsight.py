"""What a site has said before: an input that was answered long ago is not worked on again.

After a restore, a replay or a crash a handler hears old events again. Ids of events derive from their causes, and
ops-db has every event with its cause: it can tell whether this very input was answered.

Nobody is asked about an event that is newer than the instance and comes for the first time. Of an ops-db that stands
still the log is read from there on; while it is away, from the input on. Nothing is known then of the answers to another
site's input, or to one of long ago: the work is done again, which loses nothing. Handlers condemn nothing and clear
nothing without the ops-db; what they make twice is the same.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Self
from uuid import UUID

import asyncpg
from nats.aio.client import Client

from contracts.base import Event
from contracts.envelope import Envelope
from contracts.subjects import events_stream
from libs.bus.delivery import Delivery
from libs.bus.extent import last_sequence
from libs.errors import Postponed
from libs.opsdb.connecting import FAULTS, is_away
from libs.service.unapplied import MOST, Unapplied
from libs.telemetry.logs import logger

APPLIED_WITHIN_S = 5.0
LOOK_EVERY_S = 0.05
AGAIN_S = 2.0
STANDSTILL_S = 5.0
"""A projection that has not moved for so long is not waited for, but the log read: its projector is dead, or stuck."""
CLOCKS_DIFFER = timedelta(minutes=5)
"""The clocks of two sites at most."""

_ANSWERED = """
SELECT event_id FROM event_record WHERE stream = $1 AND event_id = ANY($2::uuid[]) AND causation_id = $3
"""

_SPOKE = """
SELECT EXISTS (
    SELECT FROM event_record WHERE stream = $1 AND about = $2 AND causation_id = $3 AND type = ANY($4::text[])
)
"""

_POSITION = "SELECT coalesce(max(sequence), 0) FROM stream_position WHERE stream = $1"

log = logger("service")


class Hindsight:
    """Asks the site's ops-db, with one connection that is made when it is needed.

    Args:
        dsn: Of the ops-db, for the role that can only read.
        client: Connected to the site's NATS server.
        site: The site.
    """

    def __init__(self, dsn: str, client: Client, site: str) -> None:
        self._dsn = dsn
        self._client = client
        self._stream = events_stream(site)
        self._unapplied = Unapplied(client, self._stream)
        self._lately = Unapplied(client, self._stream)
        self._lately_from: int | None = None
        self._connection: asyncpg.Connection | None = None
        self._turn = asyncio.Lock()
        self._in_step = False
        self._newer = datetime.now(UTC) + CLOCKS_DIFFER
        self._moved: tuple[int, float] | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, dsn: str, client: Client, site: str) -> AsyncIterator[Self]:
        """Ready to ask while the block lasts; nothing is connected before."""
        hindsight = cls(dsn, client, site)
        try:
            yield hindsight
        finally:
            if hindsight._connection is not None:
                hindsight._connection.terminate()

    async def answered(self, delivery: Delivery, answers: Collection[UUID]) -> frozenset[UUID]:
        """Which of these events the site has said before because of this very input.

        Args:
            delivery: The input.
            answers: The ids of the events.

        Raises:
            Postponed: ``projection_lags``: ops-db does not yet know what the site has said.
            Retriable: ``bus_unavailable``.
        """
        found, since = await self._ask(delivery, _ANSWERED, self._stream, list(answers), _cause(delivery))
        known = {row["event_id"] for row in found} | {one.id for one in since}
        return frozenset(known.intersection(answers))

    async def spoke(self, delivery: Delivery, about: UUID, kinds: Collection[type[Event]]) -> bool:
        """Whether the site has said events of these kinds about a thing because of this very input.

        Raises:
            Postponed, Retriable: As `answered`.
        """
        types = [kind.type_name() for kind in kinds]
        found, since = await self._ask(delivery, _SPOKE, self._stream, str(about), _cause(delivery), types)
        if found and found[0]["exists"]:
            return True
        return any(one.type in types and one.about == str(about) for one in since)

    def _is_new(self, delivery: Delivery) -> bool:
        first = delivery.attempt == 1 and not delivery.replayed
        return first and delivery.envelope.time > self._newer

    async def _ask(
        self, delivery: Delivery, query: str, *arguments: object
    ) -> tuple[list[asyncpg.Record], list[Envelope]]:
        """What ops-db answers, and what the site has said since because of this input."""
        if self._is_new(delivery):
            return [], []
        async with self._turn:
            try:
                behind = await self._follow(delivery)
                found = await (await self._connected()).fetch(query, *arguments)
                if behind is None:
                    return found, []
                return found, await self._unapplied.because_of(_cause(delivery), *behind)
            except FAULTS as error:
                if not is_away(error) and not isinstance(error, asyncpg.UndefinedTableError):
                    raise
                log.info("no_hindsight", reason=str(error) or type(error).__name__)
                if self._connection is not None:
                    self._connection.terminate()
                self._connection = None
                return [], await self._said_lately(delivery)

    async def _said_lately(self, delivery: Delivery) -> list[Envelope]:
        """What the log has after an input of the site's own because of it; nothing if that is too much to be read."""
        end = await last_sequence(self._client, self._stream)
        after = delivery.sequence + 1
        if delivery.stream != self._stream or not after <= end < after + MOST:
            return []
        first = after if self._lately_from is None else min(after, self._lately_from)
        self._lately_from = max(first, end - MOST + 1)
        return await self._lately.because_of(_cause(delivery), self._lately_from, end)

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self._dsn, server_settings={"jit": "off"}, timeout=5)
        return self._connection

    async def _follow(self, delivery: Delivery) -> tuple[int, int] | None:
        """Let ops-db apply what the site has said: once, and again for every repeat of a delivery.

        Returns:
            The first and the last sequence that it lacks if it stands still, and they are few enough to be read.
        """
        if self._in_step and delivery.attempt == 1:
            return None
        connection = await self._connected()
        end = await last_sequence(self._client, self._stream)
        deadline = time.monotonic() + APPLIED_WITHIN_S
        while (position := await connection.fetchval(_POSITION, self._stream)) < end:
            if self._stands_still(position):
                log.info("behind", reason=f"{self._stream} is applied up to {position} of {end} only")
                return (position + 1, end) if end - position <= MOST else None
            if time.monotonic() > deadline:
                raise Postponed(
                    "projection_lags",
                    f"the ops-db has applied {self._stream} up to {position}, not yet {end}",
                    "Nothing, if it passes; otherwise look whether the projector runs and what it logs.",
                    delay_s=AGAIN_S,
                )
            await asyncio.sleep(LOOK_EVERY_S)
        self._in_step = True
        return None

    def _stands_still(self, position: int) -> bool:
        now = time.monotonic()
        if self._moved is None or self._moved[0] != position:
            self._moved = (position, now)
        return now - self._moved[1] > STANDSTILL_S


def _cause(delivery: Delivery) -> str:
    return str(delivery.envelope.id)
