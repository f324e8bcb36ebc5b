"""Leases: what only one process of a site may do at a time, in a key-value bucket of the site.

    lease = Leases(client, site="chile", instance="janitor.host-123").of("janitor.sweep")
    async with lease.held():    # waits for its turn
        lease.check()           # raises when the time is up: ask right before an effect
        ...

Invariants:
    1. At most one process holds a lease, whatever clocks show. It is taken and renewed by compare-and-set alone.
       The holder counts from before it asked for a renewal, and stops before the time is up; whoever waits counts
       from when it first saw the very same revision, and takes over after all of that time. Each counts its own
       elapsed seconds: neither the server's clock (by which JetStream ages messages, and which may jump) nor
       anybody's date matters. Dates in the bucket are for people.
    2. What is left: an effect that begins right after `check` and lasts longer than the margin. Whatever must not
       happen twice is fenced by itself; a lease saves work and quarrels.
    3. While NATS is away the holder stops when its time is up, and nobody else can begin.
    4. The bucket is on disk and nothing in it expires: else a restart or a clock set forward would end leases early.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue
from pydantic import BaseModel, ConfigDict, ValidationError

from contracts.subjects import lease_bucket
from libs.bus.buckets import read_bucket
from libs.bus.fencing import Overtaken
from libs.bus.holders import ProcessId, is_gone, this_process
from libs.bus.pulse import clock
from libs.bus.repeating import repeating
from libs.errors import Retriable
from libs.telemetry.logs import logger

LEASE_S = 15.0
"""A lease that is not renewed for so long is over."""

MARGIN = 1 / 5
"""Part of that time in which the holder does not begin anything more, for effects that are under way."""

_RENEW = 1 / 3
_LOOK = 1 / 15
_AWAY = (NatsError, OSError, TimeoutError)

log = logger("leases")


class LeaseLost(Retriable, Overtaken):
    """The time is up, or somebody else has taken over: stop, and touch nothing."""

    def __init__(self, name: str) -> None:
        super().__init__(
            "lease_lost",
            f"the lease {name} is over, and another process may hold it",
            "Nothing to do: it is waited for again by itself.",
        )


class Entry(BaseModel):
    """What stands in the bucket under a lease's name.

    Attributes:
        instance: Who holds it, for people: service, host and process.
        nonce: Tells one holder from all others.
        process: To see from beside it whether it lives.
        lease_s: How long it holds without renewal.
        since: When it was taken, by the holder's date.
        renewed: When it was last renewed, by the holder's date.
    """

    model_config = ConfigDict(frozen=True)

    instance: str
    nonce: str
    process: ProcessId | None
    lease_s: float
    since: datetime
    renewed: datetime


_NEVER = datetime.fromtimestamp(0, UTC)
_UNREADABLE = Entry(instance="unknown", nonce="", process=None, lease_s=LEASE_S, since=_NEVER, renewed=_NEVER)


@dataclass(frozen=True, slots=True)
class Seen:
    """A look at the bucket.

    Attributes:
        revision: Of what stood there, a mark that it was given back included; 0 for nothing at all.
        entry: None if nobody holds the lease.
        at: When this revision was first seen, in elapsed seconds.
    """

    revision: int
    entry: Entry | None
    at: float


def may_take(seen: Seen, nonce: str, now: float, gone: Callable[[ProcessId], bool] = is_gone) -> bool:
    """Whether a lease may be taken: it is free, one's own, a dead process's, or was not renewed in time."""
    entry = seen.entry
    if entry is None or entry.nonce == nonce or now - seen.at >= entry.lease_s:
        return True
    return entry.process is not None and gone(entry.process)


class Leases:
    """The leases of one site, for one process.

    Args:
        client: A connected NATS client.
        site: The site.
        instance: Names this process, for people.
        lease_s: How long a lease holds without renewal.
        clock: Elapsed seconds.
    """

    def __init__(
        self,
        client: Client,
        *,
        site: str,
        instance: str,
        lease_s: float = LEASE_S,
        clock: Callable[[], float] = clock,
    ) -> None:
        self.lease_s = lease_s
        self.clock = clock
        self._client = client
        self._bucket_name = lease_bucket(site)
        self._bucket: KeyValue | None = None
        self._instance = instance
        self._process = this_process()

    def of(self, name: str) -> "Lease":
        """A lease by its name: letters, digits and ``-_.=/``. Names are few, for each stays in the bucket."""
        return Lease(self, name)

    async def look(self, name: str) -> Seen:
        """What stands under a name now."""
        try:
            found = await (await self._open()).get(name)
        except KeyNotFoundError as missing:
            return Seen((missing.entry and missing.entry.revision) or 0, None, self.clock())
        return Seen(found.revision or 0, _decoded(found.value), self.clock())

    async def put(self, name: str, nonce: str, since: datetime, last: int) -> int:
        """Write a holder's entry over revision `last`; returns the new revision."""
        entry = Entry(
            instance=self._instance,
            nonce=nonce,
            process=self._process,
            lease_s=self.lease_s,
            since=since,
            renewed=datetime.now(UTC),
        )
        return await (await self._open()).update(name, entry.model_dump_json().encode(), last=last)

    async def remove(self, name: str, last: int) -> None:
        """Write over revision `last` that nobody holds it."""
        await (await self._open()).delete(name, last=last)

    async def _open(self) -> KeyValue:
        if self._bucket is None:
            patience_s = self.lease_s * MARGIN
            self._bucket = await self._client.jetstream(timeout=patience_s).key_value(self._bucket_name)
        return self._bucket


class Lease:
    """Something that one process at a time may do, and one task in it; made by `Leases.of`."""

    def __init__(self, leases: Leases, name: str) -> None:
        self.name = name
        self._leases = leases
        self._turn = asyncio.Lock()
        self._nonce = secrets.token_hex(8)
        self._since = _NEVER
        self._token = 0
        self._revision = 0
        self._until = float("-inf")

    @property
    def token(self) -> int:
        """The fencing token: larger for each holder than for all before it.

        Raises:
            LeaseLost: It is not held.
        """
        self.check()
        return self._token

    def check(self) -> None:
        """Go on only while the lease is held. Any thread may ask.

        Raises:
            LeaseLost: It is not, or not any more.
        """
        if self._left() <= 0:
            raise LeaseLost(self.name)

    def lose(self) -> None:
        """A successor was seen at work."""
        self._until = float("-inf")

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Wait until the lease can be had, and hold it while the block runs; it may be held again and again.

        When the time is up, the block is cancelled. What it does in threads goes on: that asks `check` itself.

        Raises:
            LeaseLost: The time was up before the block ended.
        """
        async with self._turn:
            await self._taken()
            log.info("lease_taken", lease=self.name, token=self._token)
            limit = asyncio.timeout(self._left())
            try:
                async with limit, repeating(self._renewing(limit), self._leases.lease_s * _RENEW):
                    yield
            except TimeoutError as error:
                if not limit.expired():
                    raise
                log.warning("lease_lost", lease=self.name, token=self._token)
                raise LeaseLost(self.name) from error
            finally:
                await self._give_back()

    async def _taken(self) -> None:
        """Look until it can be taken. One that was taken although the answer was lost is found to be one's own."""
        seen: Seen | None = None
        waiting_told = False
        while True:
            try:
                now = await self._leases.look(self.name)
                seen = seen if seen is not None and seen.revision == now.revision else now
                if may_take(seen, self._nonce, self._leases.clock()) and await self._take(seen.revision):
                    return
            except _AWAY as error:
                if not waiting_told:
                    log.warning("lease_waits", lease=self.name, error=repr(error))
                waiting_told = True
            await asyncio.sleep(self._leases.lease_s * _LOOK)

    async def _take(self, last: int) -> bool:
        self._since = datetime.now(UTC)
        try:
            await self._put(last)
        except KeyWrongLastSequenceError:
            return False
        self._token = self._revision
        return True

    async def _put(self, last: int) -> None:
        """Take or renew; the time counts from before it was asked for."""
        asked = self._leases.clock()
        self._revision = await self._leases.put(self.name, self._nonce, self._since, last)
        self._until = asked + self._leases.lease_s * (1 - MARGIN)

    def _renewing(self, limit: asyncio.Timeout) -> Callable[[], Awaitable[None]]:
        async def renew() -> None:
            try:
                await self._renew()
            except _AWAY as error:
                log.warning("lease_not_renewed", lease=self.name, error=repr(error))
            if not limit.expired():
                limit.reschedule(asyncio.get_running_loop().time() + self._left())

        return renew

    async def _renew(self) -> None:
        if self._left() <= 0:
            return
        try:
            await self._put(self._revision)
        except KeyWrongLastSequenceError:
            seen = await self._leases.look(self.name)
            if seen.entry is None or seen.entry.nonce != self._nonce:
                self.lose()
                return
            # An earlier renewal was stored, and its answer lost.
            await self._put(seen.revision)

    async def _give_back(self) -> None:
        held, self._until = self._left() > 0, float("-inf")
        if held:
            with suppress(*_AWAY):
                await self._leases.remove(self.name, self._revision)

    def _left(self) -> float:
        return max(0.0, self._until - self._leases.clock())


async def holders(client: Client, site: str) -> dict[str, Entry]:
    """Who holds which lease of a site, by the lease's name, as told by them: one that died since may stand there.

    Raises:
        nats.errors.Error, TimeoutError: The server is away.
    """
    found = await read_bucket(client, lease_bucket(site))
    return {name: _decoded(facts) for name, facts in sorted(found.items())}


def _decoded(value: object) -> Entry:
    """An entry from JSON or what JSON says; one of a later version that cannot be read holds for the usual time."""
    try:
        return Entry.model_validate_json(value) if isinstance(value, bytes) else Entry.model_validate(value)
    except ValidationError:
        return _UNREADABLE
