"""A damaged archive copy that nothing at this site can mend: the package is sent for once more, alone.

It comes as one that arrived damaged does: the site that it came from reads its own copy, or has it built anew from
SOURCE, or passes the question on to the site before, and sends it. Here it is verified, and is a copy to mend with.
"""

from dataclasses import dataclass
from enum import Enum, auto
from uuid import UUID

from contracts.base import derived_id
from contracts.packages import PackageCorrupted, PackageFailed, PackageRecord
from contracts.problems import Problem
from contracts.states import LocationType
from contracts.subjects import events_stream
from libs.bus import fencing
from libs.bus.publishing import EventPublisher
from libs.copies.records import THERE, Hop, copies_of, last_hop
from libs.errors import Postponed
from libs.opsdb.reader import OpsDbReader
from libs.service.service import Place
from libs.telemetry.logs import logger

LOOK_AGAIN_S = 5.0

# Who is asked may pass the question on, and so on, until somebody gives it up.
_ANSWER = """
WITH RECURSIVE asked AS (
    SELECT $1::text AS id
    UNION
    SELECT passed.event_id::text FROM event_record passed JOIN asked ON passed.causation_id = asked.id
    WHERE passed.about = $2 AND passed.type = $3
)
SELECT EXISTS (SELECT FROM event_record WHERE event_id = $1::text::uuid) AS said,
       EXISTS (SELECT FROM event_record failed JOIN asked ON failed.causation_id = asked.id
               WHERE failed.about = $2 AND failed.type = $4) AS given_up
"""

_ELSEWHERE = """
SELECT EXISTS (SELECT FROM physical_copy copy
               WHERE copy.entity_id = $1 AND copy.kind = 'raw_data_package' AND copy.location = ANY($2::text[])
                 AND copy.state::text = ANY($3::text[])) AS packaged,
       (SELECT count(*) FROM raw_data_file file
        JOIN physical_copy copy ON copy.entity_id = file.id AND copy.location = file.location
        WHERE file.raw_data_package_id = $1 AND copy.state::text = ANY($3::text[])) AS files
"""

log = logger("archiver")


class Answer(Enum):
    """What came of a question for a package."""

    NOT_ASKED = auto()
    """Nobody was asked since it came last."""
    AWAITED = auto()
    """It is on its way, or being looked for."""
    GIVEN_UP = auto()
    """Nobody can send it: there is a dead letter where it was given up."""


@dataclass(frozen=True, slots=True)
class Way:
    """The hop that brought a package to a BUFFER of this site, and its path there, which is that at its origin."""

    hop: Hop
    location: str
    path: str


class Origin:
    """Where this site's packages came from, as far as it may still have them.

    Args:
        opsdb: The site's ops-db.
        publisher: Says what must be known before the message in hand is settled.
        place: Where the instance runs.
    """

    def __init__(self, *, opsdb: OpsDbReader, publisher: EventPublisher, place: Place) -> None:
        self._opsdb = opsdb
        self._publisher = publisher
        self._place = place

    async def require_here(self, package: PackageRecord) -> None:
        """Do not look again at the copies of a package while it was sent for, and neither came nor was given up.

        Raises:
            Postponed: ``package_sent_for``.
        """
        way = await self._way(package)
        if way is not None and await self._answer(package, way) is Answer.AWAITED:
            raise _sent_for(package, way)

    async def send_for(self, package: PackageRecord, found: Problem, cause: UUID) -> None:
        """Have a package sent again if somebody may still have it; returns if nobody has, or it was given up.

        Args:
            package: The package.
            found: What is wrong with the copy in the archive.
            cause: Of the event that is worked on.

        Raises:
            Postponed: ``package_sent_for``.
        """
        way = await self._way(package)
        if way is None:
            return
        answer = await self._answer(package, way)
        if answer is Answer.GIVEN_UP or (
            answer is Answer.NOT_ASKED and not await self._is_elsewhere(package)
        ):
            return
        if answer is Answer.NOT_ASKED:
            fencing.check()
            event = _corrupted(package, way, found)
            sequence = await self._publisher.publish([event], causation_id=str(cause))
            log.warning("sent_for", package=package.name, origin=way.hop.origin, **found.model_dump())
            await self._opsdb.wait_applied(events_stream(self._place.site), sequence)
        raise _sent_for(package, way)

    async def _way(self, package: PackageRecord) -> Way | None:
        """How it came to this site last."""
        ways = []
        for copy in await copies_of(self._opsdb, package.package_id):
            if self._is_own_buffer(copy.ref.location):
                hop = await last_hop(self._opsdb, package.package_id, copy.ref.location)
                ways += [] if hop is None else [Way(hop, copy.ref.location, copy.ref.path)]
        return max(ways, key=lambda way: way.hop.attempt, default=None)

    def _is_own_buffer(self, name: str) -> bool:
        location = self._place.settings.locations.get(name)
        return location is not None and location.type is LocationType.BUFFER

    async def _answer(self, package: PackageRecord, way: Way) -> Answer:
        sent_for = derived_id(
            PackageCorrupted.type_name(),
            self._place.site,
            package.package_id,
            way.location,
            way.hop.transfer_id,
        )
        kinds = PackageCorrupted.type_name(), PackageFailed.type_name()
        row = await self._opsdb.fetchrow(_ANSWER, str(sent_for), str(package.package_id), *kinds)
        if row is None or not row["said"]:
            return Answer.NOT_ASKED
        return Answer.GIVEN_UP if row["given_up"] else Answer.AWAITED

    async def _is_elsewhere(self, package: PackageRecord) -> bool:
        buffers = [
            name
            for site, name, location in self._place.deployment.locations()
            if site != self._place.site and location.type is LocationType.BUFFER
        ]
        row = await self._opsdb.fetchrow(_ELSEWHERE, package.package_id, buffers, list(THERE))
        return row is not None and (row["packaged"] or row["files"] == package.file_count)


def _corrupted(package: PackageRecord, way: Way, found: Problem) -> PackageCorrupted:
    return PackageCorrupted(
        package=package,
        bundle_id=way.hop.bundle_id,
        transfer_id=way.hop.transfer_id,
        origin=way.hop.origin,
        origin_location=way.hop.origin_location,
        origin_path=way.path,
        location=way.location,
        attempt=way.hop.attempt,
        problems=(found,),
    )


def _sent_for(package: PackageRecord, way: Way) -> Postponed:
    return Postponed(
        "package_sent_for",
        f"no copy of {package.name} at this site is whole, and {way.hop.origin} was asked to send it again",
        "Nothing to do: the archive copy is written anew when it has come.",
        delay_s=LOOK_AGAIN_S,
    )
