"""A package that was damaged in its first BUFFER is built anew from SOURCE: the same files give the same bytes."""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from nats.aio.client import Client

from contracts.base import Event
from contracts.copies import CopyRef, CopyRepaired, CopyScrubbed, CopyUnrepairable
from contracts.packages import PackageRecord
from contracts.problems import Problem
from contracts.states import CopyKind, LocationType
from libs.breakers import resources
from libs.breakers.shared import Breakers
from libs.bus import fencing
from libs.copies.records import copy_on_record, package_record
from libs.errors import Permanent, Retriable
from libs.opsdb.reader import OpsDbReader
from libs.packaging import FileFault, PayloadChanged
from libs.service.blocking import in_thread
from libs.service.service import Place
from libs.service.telling import telling
from libs.storage.presence import require_location
from libs.telemetry.logs import logger
from services.packager import queries
from services.packager.building import Order, Sealed, build
from services.packager.naming import SUFFIX, bag_info

REMEDY = (
    "Put the files back to SOURCE as they were, or a whole copy of the package to its place in the BUFFER; then "
    "send the dead letter again, or archive the package from another copy."
)

log = logger("packager")


class Mender:
    """Builds packages anew at the site that sealed them.

    Args:
        opsdb: The site's ops-db.
        place: Where the instance runs.
        client: For the progress bucket.
        breakers: Of the BUFFERs.
    """

    def __init__(self, *, opsdb: OpsDbReader, place: Place, client: Client, breakers: Breakers) -> None:
        self._opsdb = opsdb
        self._place = place
        self._client = client
        self._breakers = breakers

    def concerns(self, copy: CopyRef) -> bool:
        """Whether a copy is one of a package in a BUFFER of this site."""
        location = self._place.settings.locations.get(copy.location)
        return (
            copy.kind is CopyKind.RAW_DATA_PACKAGE
            and location is not None
            and location.type is LocationType.BUFFER
        )

    async def mend(self, event: CopyScrubbed, cause: UUID) -> Sequence[Event]:
        """What becomes of a damaged package that was sealed here; nothing if it was not, or is whole again.

        Raises:
            Retriable: SOURCE or BUFFER cannot be used now.
        """
        copy = event.copy_ref
        package = await package_record(self._opsdb, copy.entity_id)
        known = await copy_on_record(self._opsdb, copy.entity_id, copy.location)
        if package is None or package.provenance.site != self._place.site:
            return ()
        if known is None or known.problem is None:
            return ()
        try:
            order = await self._order(package, copy)
            await self._built(package, order, copy.location)
        except Permanent as lost:
            _require_readable(lost)
            fencing.check()
            log.warning("not_mended", package=package.name, **lost.problem.model_dump())
            return [
                CopyUnrepairable(copy_ref=copy, cause=cause, problem=_unrepairable(package, lost.problem))
            ]
        log.info("mended", package=package.name, location=copy.location)
        source = (await self._from(package)).source
        return [
            CopyRepaired(
                copy_ref=copy,
                cause=cause,
                repaired_from=source,
                repaired_at=datetime.now(UTC),
                sha256=package.sha256,
            )
        ]

    async def _from(self, package: PackageRecord) -> queries.SealedFrom:
        found = await queries.sealed_from(self._opsdb, package.package_id)
        if found is None or found.source not in self._place.settings.locations:
            raise Permanent(
                "source_unknown",
                f"nothing tells which SOURCE of this site {package.name} was built from",
                REMEDY,
            )
        return found

    async def _order(self, package: PackageRecord, copy: CopyRef) -> Order:
        origin = await self._from(package)
        chosen = await queries.sealed_files(self._opsdb, package.package_id)
        if len(chosen.files) != package.file_count:
            raise Permanent(
                "files_unknown",
                f"ops-db knows {len(chosen.files)} of the {package.file_count} files of {package.name}",
                REMEDY,
            )
        return Order(
            source=self._place.disk(origin.source).path,
            buffer=self._place.disk(copy.location).path,
            path=copy.path,
            bag_name=package.name.removesuffix(SUFFIX),
            info=bag_info(package.provenance, package.package_id, origin.planned_at.date()),
            files=chosen.files,
            declared=chosen.declared,
            sha256=package.sha256,
        )

    async def _built(self, package: PackageRecord, order: Order, buffer: str) -> Sealed:
        facts = {
            "work": "package",
            "package_id": package.package_id,
            "name": package.name,
            "total": package.payload_bytes,
        }
        key = f"packager.{package.package_id}"
        async with (
            self._breakers.using(resources.disk(buffer)),
            telling(self._client, self._place.site, key, facts) as board,
        ):

            def work(stop: threading.Event) -> Sealed:
                require_location(order.source, order.files[0].path)
                return build(order, lambda done: board.show(done=done), stop)

            return await in_thread(work)


def _require_readable(lost: Permanent) -> None:
    """A disk that fails to hand out a file says nothing about the file.

    Raises:
        Retriable: ``source_unreadable``.
    """
    if not isinstance(lost, PayloadChanged):
        return
    unreadable = [bad for bad in lost.files if bad.code is FileFault.FILE_UNREADABLE]
    if unreadable:
        raise Retriable(
            "source_unreadable",
            f"{len(unreadable)} files in SOURCE cannot be read: {unreadable[0].path!r}: {unreadable[0].found}",
            "Check the disk and the rights of the service's user; it is tried again by itself.",
        ) from lost


def _unrepairable(package: PackageRecord, problem: Problem) -> Problem:
    reason = f"{package.name} cannot be built anew from SOURCE: {problem.reason}"
    return Problem(code=problem.code, reason=reason, remedy=REMEDY)
