"""The breakers of a site as its instances share them, in a key-value bucket."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError, NoKeysError
from nats.js.kv import KeyValue
from pydantic import ValidationError

from contracts.problems import Problem
from contracts.subjects import breaker_bucket
from libs.breakers.circuit import (
    CLOSED,
    Circuit,
    CircuitState,
    Pass,
    Pauses,
    Probe,
    Sighting,
    Wait,
    ask,
    opened,
)
from libs.breakers.resources import Resource
from libs.bus.connection import unavailable
from libs.bus.repeating import repeating
from libs.errors import Postponed, Retriable
from libs.telemetry.logs import logger

API_TIMEOUT_S = 5.0
FRESH_S = 1.0
"""A record that says closed is believed for so long before it is read again."""
AMISS = (NatsError, OSError, TimeoutError)

log = logger("breakers")


class Use:
    """One use of resources; while it is a probe, it may say early that the resource works."""

    def __init__(self, keys: frozenset[str]) -> None:
        self.keys = keys
        self.worked = False
        self.over = False

    def works(self) -> None:
        """Bytes moved: whoever waits for this probe need not wait for its end. From any thread."""
        self.worked = True


_USES: ContextVar[tuple[tuple["Breakers", Use], ...]] = ContextVar("breakers_uses", default=())
"""What whoever runs now is in the middle of, or whoever started it was; some of it may be over."""


class Breakers:
    """The breakers of one site, as one instance of a service sees them.

    While NATS cannot be asked, every breaker counts as closed: work then fails or succeeds by itself.

    Args:
        client: A connected NATS client.
        site: The site.
        who: This instance.
        pauses: When they open, and for how long.
        monotonic: Seconds that only go forward.
    """

    def __init__(
        self,
        client: Client,
        *,
        site: str,
        who: str,
        pauses: Pauses | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._bucket_name = breaker_bucket(site)
        self._who = who
        self._pauses = pauses or Pauses()
        self._monotonic = monotonic
        self._sightings: dict[str, Sighting] = {}
        self._read_at: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._bucket: KeyValue | None = None

    @asynccontextmanager
    async def using(self, *resources: Resource) -> AsyncIterator[Use]:
        """Use resources within the block, if none of their breakers is open.

        A Retriable error that leaves the block with one of a resource's own codes is a failure of that resource;
        whatever else comes of the block says that it answered. A use within a use of the same resource is part of it:
        were the breaker asked once more, the one try after a pause would wait for itself, and no try ever succeed.

        Raises:
            Postponed: ``breaker_open``: nothing was tried, and no attempt is to be counted.
        """
        around = _USES.get()
        passed = {key for owner, one in around if owner is self and not one.over for key in one.keys}
        asked = [resource for resource in resources if resource.key not in passed]
        use = Use(frozenset(resource.key for resource in asked))
        async with AsyncExitStack() as stack:
            for resource in asked:
                await stack.enter_async_context(self._used(resource, use))
            token = _USES.set((*around, (self, use)))
            try:
                yield use
            finally:
                use.over = True
                _USES.reset(token)

    @asynccontextmanager
    async def _used(self, resource: Resource, use: Use) -> AsyncIterator[None]:
        sighting = await self._look(resource.key)
        now = datetime.now(UTC)
        elapsed = sighting.elapsed(self._monotonic())
        match ask(sighting.circuit, elapsed, who=self._who, now=now, pauses=self._pauses):
            case Pass():
                async with self._judged(resource, sighting):
                    yield
            case Wait(seconds):
                raise _postponed(resource, sighting.circuit, seconds)
            case Probe(record):
                probing = await self._store(resource.key, record, sighting)
                if probing is None:
                    raise _postponed(resource, record, self._pauses.first_s)
                log.info("probing", breaker=resource.key, trips=record.trips)
                async with self._judged(resource, probing), self._renewed(resource.key, use):
                    yield

    @asynccontextmanager
    async def _judged(self, resource: Resource, before: Sighting) -> AsyncIterator[None]:
        """Count what comes of a use."""
        try:
            yield
        except Postponed:
            await self._released(resource.key, before)
            raise
        except Retriable as error:
            if error.problem.code in resource.faults:
                await self._failed(resource.key, error.problem)
            else:
                await self._answered(resource.key)
            raise
        except asyncio.CancelledError:
            await asyncio.shield(self._released(resource.key, before))
            raise
        except Exception:
            await self._answered(resource.key)
            raise
        else:
            await self._answered(resource.key)

    @asynccontextmanager
    async def _renewed(self, key: str, use: Use) -> AsyncIterator[None]:
        """Keep a probe alive while it runs, or close the breaker as soon as it is known to work."""

        async def renew() -> None:
            sighting = self._sightings.get(key, Sighting())
            if not self._is_mine(sighting.circuit):
                return
            if use.worked:
                await self._answered(key)
            else:
                renewed = sighting.circuit.model_copy(update={"since": datetime.now(UTC)})
                await self._store(key, renewed, sighting)

        async with repeating(renew, self._pauses.probe_s / 3):
            yield

    async def _failed(self, key: str, problem: Problem) -> None:
        sighting = await self._look(key, fresh=True)
        self._failures[key] = self._failures.get(key, 0) + 1
        circuit = sighting.circuit
        tripped = circuit.state is CircuitState.CLOSED and self._failures[key] >= self._pauses.threshold
        if tripped or self._is_mine(circuit):
            record = opened(circuit, problem, now=datetime.now(UTC), pauses=self._pauses)
            if await self._store(key, record, sighting) is not None:
                log.warning("opened", breaker=key, pause_s=record.pause_s, **problem.model_dump())

    async def _answered(self, key: str) -> None:
        """The resource works. What somebody else's probe is about to find out is left to that probe."""
        self._failures.pop(key, None)
        sighting = self._sightings.get(key, Sighting())
        if self._is_mine(sighting.circuit) and await self._store(key, CLOSED, sighting) is not None:
            log.info("closed", breaker=key)

    async def _released(self, key: str, before: Sighting) -> None:
        """A probe that tried nothing lets others try at once."""
        sighting = self._sightings.get(key, before)
        if self._is_mine(sighting.circuit):
            freed = sighting.circuit.model_copy(
                update={"state": CircuitState.OPEN, "pause_s": 0.0, "probe": None}
            )
            await self._store(key, freed, sighting)

    def _is_mine(self, circuit: Circuit) -> bool:
        return circuit.state is CircuitState.HALF_OPEN and circuit.probe == self._who

    async def _look(self, key: str, *, fresh: bool = False) -> Sighting:
        """The record, as read just now; a closed one may be a second old."""
        monotonic = self._monotonic()
        known = self._sightings.get(key)
        is_fresh = monotonic - self._read_at.get(key, -FRESH_S) < FRESH_S
        if known is not None and is_fresh and not fresh and known.circuit.state is CircuitState.CLOSED:
            return known
        try:
            entry = await (await self._kv()).get(key)
        except KeyNotFoundError:
            circuit, revision = CLOSED, 0
        except AMISS as error:
            log.debug("not_read", breaker=key, error=repr(error))
            return known or Sighting(seen_at=monotonic)
        else:
            circuit, revision = read_circuit(entry.value), entry.revision or 0
        return self._seen(key, circuit, revision, fresh_age_s=None)

    def _seen(self, key: str, circuit: Circuit, revision: int, *, fresh_age_s: float | None) -> Sighting:
        monotonic = self._monotonic()
        age_s = fresh_age_s
        if age_s is None:
            age_s = 0.0 if circuit.since is None else (datetime.now(UTC) - circuit.since).total_seconds()
        before = self._sightings.get(key, Sighting(seen_at=monotonic))
        sighting = before.again(circuit, revision, monotonic=monotonic, age_s=age_s)
        self._sightings[key] = sighting
        self._read_at[key] = monotonic
        return sighting

    async def _store(self, key: str, record: Circuit, before: Sighting) -> Sighting | None:
        """Make `record` the record if nobody was faster; None if somebody was, or NATS is away."""
        try:
            revision = await (await self._kv()).update(
                key, record.model_dump_json().encode(), before.revision
            )
        except KeyWrongLastSequenceError:
            return None
        except AMISS as error:
            log.debug("not_stored", breaker=key, error=repr(error))
            return None
        return self._seen(key, record, revision, fresh_age_s=0.0)

    async def _kv(self) -> KeyValue:
        if self._bucket is None:
            self._bucket = await self._client.jetstream(timeout=API_TIMEOUT_S).key_value(self._bucket_name)
        return self._bucket


async def standing(client: Client, site: str) -> dict[str, Circuit]:
    """Every breaker of a site that ever opened, by its key.

    Raises:
        Retriable: ``bus_unavailable``.
    """
    try:
        bucket = await client.jetstream(timeout=API_TIMEOUT_S).key_value(breaker_bucket(site))
        found: dict[str, Circuit] = {}
        for key in sorted(await bucket.keys()):
            try:
                found[key] = read_circuit((await bucket.get(key)).value)
            except KeyNotFoundError:
                continue
    except NoKeysError:
        return {}
    except AMISS as error:
        raise unavailable(str(client.connected_url), error) from error
    return found


async def close(client: Client, site: str, key: str) -> bool:
    """Close a breaker by hand; whether there was one to close.

    Raises:
        Retriable: ``bus_unavailable``.
    """
    try:
        bucket = await client.jetstream(timeout=API_TIMEOUT_S).key_value(breaker_bucket(site))
        entry = await bucket.get(key)
        if read_circuit(entry.value).state is CircuitState.CLOSED:
            return False
        await bucket.put(key, CLOSED.model_dump_json().encode())
    except KeyNotFoundError:
        return False
    except AMISS as error:
        raise unavailable(str(client.connected_url), error) from error
    return True


def read_circuit(value: bytes | None) -> Circuit:
    """A record; one that cannot be read (another release's) counts as closed."""
    try:
        return Circuit.model_validate_json(value or b"{}")
    except ValidationError:
        return CLOSED


def _postponed(resource: Resource, circuit: Circuit, seconds: float) -> Postponed:
    found = circuit.problem
    reason = f"{resource.key} is given a rest" + (f": {found.reason}" if found else "")
    return Postponed(
        "breaker_open",
        reason,
        (found.remedy if found else "") or "Nothing to do: it is tried again by itself.",
        delay_s=seconds,
    )
