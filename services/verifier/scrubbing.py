"""The scrub: what an archive holds is read again in full, the copy that was unread for longest first.

Invariants:
    1. Only what reading the copy itself found is said of it. An archive that is away, slow or busy says nothing.
    2. A copy that cannot be read now does not keep the scrub from the others: it is left alone for a while.
    3. Nothing is remembered but in the log: after a kill the copy in hand is read again, as a new reading.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from nats.aio.client import Client

from contracts.copies import CopyScrubbed
from contracts.problems import Problem
from contracts.subjects import events_stream
from libs.breakers import resources
from libs.breakers.resources import S3_FAULTS
from libs.breakers.shared import Breakers, Use
from libs.bus.publishing import EventPublisher
from libs.copies.archived import examine_copy
from libs.copies.holdings import ArchivedCopy, holdings, longest_unread
from libs.errors import ChasquiError, Postponed, Retriable
from libs.opsdb.reader import OpsDbReader
from libs.service.resting import Patience
from libs.service.telling import Board, telling
from libs.sites.scrubs import ScrubSettings
from libs.storage.s3 import S3Store
from libs.telemetry.logs import logger
from libs.transfer.ratelimit import RateLimit
from services.verifier.pacing import due_before

AT_ONCE = 100
"""Copies that are looked up at a time; whatever is archived or read meanwhile is looked up with the next ones."""

log = logger("verifier")


class Scrubber:
    """Reads the copies of one archive again.

    Args:
        location: The archive.
        settings: How it is scrubbed.
        store: The way to it.
        opsdb: The site's ops-db.
        client: For the progress bucket.
        publisher: Says what was found.
        breakers: Of the archive.
        site: The site.
        now: The clock.
    """

    def __init__(
        self,
        location: str,
        settings: ScrubSettings,
        store: S3Store,
        *,
        opsdb: OpsDbReader,
        client: Client,
        publisher: EventPublisher,
        breakers: Breakers,
        site: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._location = location
        self._settings = settings
        self._store = store
        self._opsdb = opsdb
        self._client = client
        self._publisher = publisher
        self._breakers = breakers
        self._site = site
        self._now = now
        self._limit = RateLimit(settings.rate)
        self._patience = Patience(first_s=60.0)

    async def scrub(self) -> None:
        """Read every copy that is due.

        Raises:
            Retriable: The archive, ops-db or the bus is away: the rest is read another time.
        """
        while due := await self._due():
            for copy in due:
                await self._scrub(copy)

    async def _due(self) -> list[ArchivedCopy]:
        now = self._now()
        held = await holdings(self._opsdb, self._location)
        return await longest_unread(
            self._opsdb,
            self._location,
            now=now,
            before=due_before(now, self._settings, held),
            but=self._patience.tired_of(),
            limit=AT_ONCE,
        )

    async def _scrub(self, copy: ArchivedCopy) -> None:
        try:
            problem = await self._read(copy)
        except Postponed:
            raise
        except ChasquiError as error:
            self._patience.rest(copy.id, settled=False)
            log.warning(
                "not_scrubbed", location=self._location, key=copy.copy.ref.path, **error.problem.model_dump()
            )
            if isinstance(error, Retriable) and error.problem.code in S3_FAULTS:
                raise
            return
        self._patience.forget(copy.id)
        await self._say(copy, problem)

    async def _read(self, copy: ArchivedCopy) -> Problem | None:
        package = copy.package
        facts = {
            "work": "scrub",
            "location": self._location,
            "package_id": package.package_id,
            "name": package.name,
            "total": package.size,
        }
        async with (
            self._breakers.using(resources.archive(self._location)) as use,
            telling(self._client, self._site, f"verifier.scrub.{self._location}", facts) as board,
        ):
            return await examine_copy(self._store, copy, read=_shown_on(board, use), limit=self._limit)

    async def _say(self, copy: ArchivedCopy, problem: Problem | None) -> None:
        scrubbed = CopyScrubbed(copy_ref=copy.copy.ref, scrubbed_at=self._now(), problem=problem)
        sequence = await self._publisher.publish([scrubbed])
        if problem is not None:
            log.error("damaged", location=self._location, key=copy.copy.ref.path, **problem.model_dump())
        # Or the same copy would be due again in the next lot.
        await self._opsdb.wait_applied(events_stream(self._site), sequence)


def _shown_on(board: Board, use: Use) -> Callable[[int], None]:
    def show(done: int) -> None:
        board.show(done=done)
        use.works()

    return show
