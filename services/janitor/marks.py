"""Which disks are being cleared because they were too full, as all instances of a site know it.

Invariants:
    1. Whoever holds the sweep's lease decides, from what the bucket says and not from what it remembers: between the
       two marks, its predecessor may have begun, or ended, since.
    2. It is written by compare-and-set: who was paused, and has a successor by now, changes nothing.
    3. The bucket may be lost, or be away: then what this instance saw last counts, and without that, high water.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue
from pydantic import BaseModel, ConfigDict, ValidationError

from contracts.subjects import pressure_bucket
from libs.sites.retention import Retention
from libs.storage.disk import Space
from libs.telemetry.logs import logger
from services.janitor.pressure import is_pressed

API_TIMEOUT_S = 5.0
AWAY = (NatsError, OSError, TimeoutError)

log = logger("janitor")


class Mark(BaseModel):
    """What stands in the bucket under a location's name.

    Attributes:
        pressed: Whether archived copies go before their age there.
        since: Since when, by the date of whoever wrote it.
        used: The fraction of the disk in use at that time.
    """

    model_config = ConfigDict(frozen=True)

    pressed: bool = False
    since: datetime | None = None
    used: float | None = None


NO_MARK = Mark()


@dataclass(frozen=True, slots=True)
class _Seen:
    """A mark, the revision that it is or was written upon, and whether it is in the bucket."""

    mark: Mark = NO_MARK
    revision: int = 0
    stored: bool = True


class Marks:
    """The disks of one site, as one instance sees them.

    Args:
        client: A connected NATS client.
        site: The site.
    """

    def __init__(self, client: Client, site: str) -> None:
        self._client = client
        self._name = pressure_bucket(site)
        self._seen: dict[str, _Seen] = {}

    async def recall(self, location: str) -> Mark:
        """What was decided of a disk last, by whomever."""
        before = self._seen.get(location, _Seen())
        try:
            found = await self._get(location)
        except AWAY as error:
            log.warning("pressure_not_recalled", location=location, error=repr(error))
            return before.mark
        if before.stored or found.revision != before.revision:
            self._seen[location] = found
        else:
            await self._put(location, before)  # the bucket was away when this was decided
        return self._seen[location].mark

    async def look(self, location: str, space: Space, retention: Retention) -> bool:
        """Whether archived copies at a location go before their age now; a change is put down for all."""
        before = self._seen.get(location, _Seen())
        pressed = is_pressed(space, retention, before=before.mark.pressed)
        if pressed != before.mark.pressed:
            mark = Mark(pressed=pressed, since=datetime.now(UTC), used=round(space.used_fraction, 4))
            log.info("disk_pressed" if pressed else "disk_relieved", location=location, used=mark.used)
            await self._put(location, _Seen(mark, before.revision))
        return pressed

    async def _get(self, location: str) -> _Seen:
        try:
            entry = await (await self._bucket()).get(location)
        except KeyNotFoundError as none:
            return _Seen(revision=getattr(none.entry, "revision", None) or 0)
        return _Seen(_read(entry.value), entry.revision or 0)

    async def _put(self, location: str, seen: _Seen) -> None:
        self._seen[location] = _Seen(seen.mark, seen.revision, stored=False)
        data = seen.mark.model_dump_json().encode()
        try:
            revision = await (await self._bucket()).update(location, data, seen.revision)
        except KeyWrongLastSequenceError:
            log.warning("pressure_decided_elsewhere", location=location)
        except AWAY as error:
            log.warning("pressure_not_stored", location=location, error=repr(error))
        else:
            self._seen[location] = _Seen(seen.mark, revision)

    async def _bucket(self) -> KeyValue:
        return await self._client.jetstream(timeout=API_TIMEOUT_S).key_value(self._name)


def _read(value: bytes | None) -> Mark:
    try:
        return Mark.model_validate_json(value or b"{}")
    except ValidationError:
        return Mark()
