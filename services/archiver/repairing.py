"""A damaged or missing archive copy is written anew from the first good copy there is.

Invariants:
    1. Nothing is written before good bytes were read to their end: an upload is completed only when the checksum of
       what it read is right. What is damaged stays as it is if there is no good copy.
    2. Only the package's own object is ever replaced: one that declares another checksum is somebody else's.
    3. A copy that cannot be read now is waited for; the alarm is raised when each was read, or is known to be gone.
    4. Killed at any line, it looks at the object again first. One that it has mended says so in its own metadata.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from nats.aio.client import Client

from contracts.base import Event
from contracts.copies import CopyRef, CopyScrubbed
from contracts.problems import Problem
from contracts.states import LocationType
from libs.breakers import resources
from libs.breakers.shared import Breakers
from libs.bus.delivery import Delivery
from libs.copies.archived import REMEDY, SIDECAR_FAULTS
from libs.copies.holdings import archived_copy
from libs.copies.records import CopyOnRecord, copies_of, found_fit_at
from libs.errors import ChasquiError, Postponed, Retriable
from libs.opsdb.reader import OpsDbReader
from libs.service.service import Place
from libs.service.telling import Board, telling
from libs.storage.base import ByteProgress
from libs.storage.s3_job import SOURCE_FAULTS
from libs.storage.s3_objects import ExistingObject
from libs.storage.s3_proof import ProofMode, Verdict
from libs.telemetry.logs import logger
from services.archiver.archiving import Archive, labels, put_sidecar
from services.archiver.asking_back import Origin
from services.archiver.fetching import Fetcher
from services.archiver.repairs import Repair, foreign, not_as_written, repaired, unrepairable
from services.archiver.sources import Source, Tried, in_order, no_good_copy

REPAIRED_FROM = "repaired-from"
REPAIR_CAUSE = "repair-cause"
"""What a mended object says of itself: which copy it was written from, because of which finding."""

_OF_THE_FILE = SOURCE_FAULTS | {"storage_unavailable", "location_missing"}
"""Codes with which an upload says that the file, and not the archive, is at fault."""

_READ_BAD = frozenset({"checksum_mismatch", "source_changed", "object_missing", "object_broken"})
"""Codes with which a source says that its own bytes are not the package, or not there."""

log = logger("archiver")


class Repairer:
    """Mends the copies in the archives of one site.

    Args:
        place: Where the instance runs.
        targets: The archives of the site, by location.
        fetcher: Makes other copies readable.
        origin: Has a package sent again that no copy here can mend.
        opsdb: The site's ops-db.
        client: For the progress bucket.
        breakers: Of the archives.
    """

    def __init__(
        self,
        *,
        place: Place,
        targets: Mapping[str, Archive],
        fetcher: Fetcher,
        origin: Origin,
        opsdb: OpsDbReader,
        client: Client,
        breakers: Breakers,
    ) -> None:
        self._place = place
        self._targets = targets
        self._fetcher = fetcher
        self._origin = origin
        self._opsdb = opsdb
        self._client = client
        self._breakers = breakers

    def concerns(self, copy: CopyRef) -> bool:
        """Whether a copy is in an archive of this site."""
        return copy.location in self._targets

    async def repair(self, copy: CopyRef, delivery: Delivery) -> Sequence[Event]:
        """What becomes of a damaged copy; nothing if it is on record as whole by now.

        Raises:
            Retriable: The archive, or a copy that may be good, cannot be used now, or is on its way from another site.
        """
        held = await archived_copy(self._opsdb, copy.entity_id, copy.location)
        if held is None or held.copy.problem is None:
            return ()
        await self._origin.require_here(held.package)
        repair = Repair(self._targets[copy.location], held.package, held.copy, delivery.envelope.id)
        facts = {
            "work": "repair",
            "package_id": held.package.package_id,
            "name": held.package.name,
            "location": copy.location,
            "total": held.package.size,
        }
        key = f"archiver.repair.{held.package.package_id}.{copy.location}"
        async with (
            self._breakers.using(resources.archive(copy.location)),
            telling(self._client, self._place.site, key, facts) as board,
        ):
            return await self._mended(repair, board)

    async def _mended(self, repair: Repair, board: Board) -> Sequence[Event]:
        if repair.found.code in SIDECAR_FAULTS:
            await self._put_sidecar(repair)
            return [repaired(repair, repair.target.location)]
        facts = await repair.target.store.head(repair.copy.ref.path)
        if facts is not None and facts.sha256 != repair.package.sha256:
            return [unrepairable(repair, foreign(repair, facts.sha256))]
        if facts is not None and await self._is_whole(repair):
            return await self._whole_already(repair, facts.metadata)
        return await self._from_first_good(repair, board)

    async def _is_whole(self, repair: Repair) -> bool:
        package, key = repair.package, repair.copy.ref.path
        proof = await repair.target.store.prove(
            key, size=package.size, sha256=package.sha256, mode=ProofMode.BYTES
        )
        return proof.verdict is Verdict.PROVEN

    async def _whole_already(self, repair: Repair, metadata: Mapping[str, str]) -> Sequence[Event]:
        """It was mended by a run that was killed before it said so; or the scrub had misread it."""
        await self._put_sidecar(repair)
        if metadata.get(REPAIR_CAUSE) == str(repair.cause):
            return [repaired(repair, metadata[REPAIRED_FROM])]
        log.warning("damage_not_found_again", location=repair.target.location, key=repair.copy.ref.path)
        return [CopyScrubbed(copy_ref=repair.copy.ref, scrubbed_at=datetime.now(UTC))]

    async def _from_first_good(self, repair: Repair, board: Board) -> Sequence[Event]:
        copies = await copies_of(self._opsdb, repair.package.package_id)
        sources = in_order(copies, self._place.deployment, self._place.site, target=repair.target.location)
        tried: list[Tried] = []
        for source in sources:
            fault = await self._written(repair, source, _counted_on(board))
            if fault is None:
                return [*self._said(tried, copies), await self._proven(repair, source)]
            log.warning("source_unusable", location=source.location, **fault.problem.model_dump())
            tried.append(Tried(source, fault))
        waits = [one.error for one in tried if isinstance(one.error, Retriable)]
        if waits:
            raise next((one for one in waits if not isinstance(one, Postponed)), waits[0])
        await self._origin.send_for(repair.package, repair.found, repair.cause)
        return [*self._said(tried, copies), unrepairable(repair, self._alarm(repair, tried, copies))]

    async def _written(self, repair: Repair, source: Source, progress: ByteProgress) -> ChasquiError | None:
        """Write the copy anew from a source; or what is wrong with the source.

        Raises:
            ChasquiError: What is wrong with the archive that is written to.
        """
        package = repair.package
        async with AsyncExitStack() as stack:
            try:
                path = await stack.enter_async_context(self._fetcher.fetched(source, package, progress))
            except ChasquiError as error:
                return error
            says = {REPAIRED_FROM: source.location, REPAIR_CAUSE: str(repair.cause)}
            try:
                await repair.target.store.upload_file(
                    path,
                    repair.copy.ref.path,
                    size=package.size,
                    expected_sha256=package.sha256,
                    metadata=labels(package) | says,
                    existing=ExistingObject.REPLACE,
                    progress=progress,
                )
            except ChasquiError as error:
                if error.problem.code not in _OF_THE_FILE:
                    raise
                return error
        return None

    async def _proven(self, repair: Repair, source: Source) -> Event:
        await self._put_sidecar(repair)
        if await self._is_whole(repair):
            log.info("repaired", location=repair.target.location, source=source.location)
            return repaired(repair, source.location)
        return unrepairable(repair, not_as_written(repair, source.location))

    async def _put_sidecar(self, repair: Repair) -> None:
        created = await found_fit_at(self._opsdb, repair.package.package_id) or datetime.now(UTC)
        await put_sidecar(repair.target, repair.package, repair.copy.ref.path, created=created)

    def _said(self, tried: Sequence[Tried], copies: Sequence[CopyOnRecord]) -> list[Event]:
        """What is to be put on record of this site's copies that were found damaged on the way."""
        known = {copy.ref.location: copy for copy in copies}
        return [
            CopyScrubbed(
                copy_ref=known[one.source.location].ref,
                scrubbed_at=datetime.now(UTC),
                problem=Problem(code=one.error.problem.code, reason=one.error.problem.reason, remedy=REMEDY),
            )
            for one in tried
            if one.error.problem.code in _READ_BAD
            and one.source.location in self._place.settings.locations
            and known[one.source.location].problem is None
        ]

    def _alarm(self, repair: Repair, tried: Sequence[Tried], copies: Sequence[CopyOnRecord]) -> Problem:
        buffers = self._place.settings.locations_of(LocationType.BUFFER)
        paths = [f"{one.ref.path} in {one.ref.location}" for one in copies if one.ref.location in buffers]
        return no_good_copy(
            repair.package.name,
            repair.target.location,
            repair.found,
            tried,
            paths[0] if paths else "a BUFFER of this site",
        )


def _counted_on(board: Board) -> Callable[[int], None]:
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        board.show(done=done)

    return count
