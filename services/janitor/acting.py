"""Deleting what was decided about, at all locations of a site side by side."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from contracts.copies import CopyRef
from libs.errors import Retriable
from libs.groups import TaskGroup
from libs.opsdb.reader import OpsDbReader
from libs.service.blocking import in_thread
from libs.sites.models import Deployment
from libs.storage.deletion import EmptiedFolders
from libs.telemetry.logs import logger
from services.janitor import hold_queries, queries
from services.janitor.deleting import Cleared, Ground, delete, give_back, require_mounted
from services.janitor.facts import BufferCopy, Moment, PackageFacts, SourceCopy
from services.janitor.looking import look
from services.janitor.planning import Candidate
from services.janitor.premises import Premises

CHUNK = 500
"""Copies between two looks at the holds."""
AT_ONCE = 4
"""Chunks that are deleted side by side."""
PACKAGES_FOLDER = "packages"

T = TypeVar("T")
Grounds = dict[str, Ground]
"""By location."""

log = logger("janitor")


@dataclass(frozen=True, slots=True)
class Actor:
    """Looks at, and deletes, the copies of one package after the other.

    Attributes:
        opsdb: The site's ops-db.
        premises: The site.
        deployment: Whose instruments' folders stay.
    """

    opsdb: OpsDbReader
    premises: Premises
    deployment: Deployment

    async def grounds(self, package: PackageFacts, candidates: Sequence[Candidate]) -> Grounds:
        """Where the candidates are deleted; a location that is away is left out.

        Raises:
            UserError: An instrument's folder is reached through a symbolic link.
        """
        found: Grounds = {}
        for location, several in by_location(candidates):
            ground = await self._ground(package, location, ref_of(several[0]).path)
            try:
                await asyncio.to_thread(require_mounted, ground)
            except Retriable as away:
                log.warning("location_away", location=location, **away.problem.model_dump())
            else:
                found[location] = ground
        return found

    async def looked(self, grounds: Grounds, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The candidates as they are on disk now; what is at a location that is away is left out."""
        here = [one for one in candidates if ref_of(one).location in grounds]
        with _failing_disks():
            return await asyncio.to_thread(_looked, grounds, here)

    async def delete(
        self, grounds: Grounds, package: PackageFacts, candidates: Sequence[Candidate]
    ) -> Cleared:
        """Delete what may go, each after a last look.

        Args:
            grounds: Where they are.
            package: With what its archives said just now.
            candidates: What was decided to go.

        Raises:
            Retriable: ``opsdb_unavailable``, ``storage_unavailable``.
            Overtaken: A successor may be at it.
        """
        room = asyncio.Semaphore(AT_ONCE)
        try:
            async with TaskGroup() as group:
                tasks = [
                    group.create_task(self._delete(room, grounds[location], package, chunk))
                    for location, several in by_location(candidates)
                    for chunk in _chunks(several)
                ]
        except ExceptionGroup as failures:
            first = failures.exceptions[0]  # whoever calls looks for a kind, which a group has not
            raise first from failures
        return Cleared(
            tuple(one for task in tasks for one in task.result().gone),
            tuple(one for task in tasks for one in task.result().refused),
        )

    async def _delete(
        self, room: asyncio.Semaphore, ground: Ground, package: PackageFacts, chunk: Sequence[Candidate]
    ) -> Cleared:
        """Delete some copies; holds are looked up for every few of them, as they may be placed meanwhile."""
        async with room:
            holds = await hold_queries.standing(self.opsdb)
            acting = [
                replace(one, world=replace(one.world, moment=Moment.ACTING, package=package, holds=holds))
                for one in chunk
            ]
            with _failing_disks():
                return await in_thread(lambda stop: delete(ground, acting, stop.is_set))

    async def _ground(self, package: PackageFacts, location: str, path: str) -> Ground:
        root = self.premises.cleared[location].path
        if location in self.premises.buffers:
            return Ground(root, PACKAGES_FOLDER, EmptiedFolders.REMOVE)
        # A running observation may be about to write into a folder that is empty just now.
        busy = package.instrument is None or await queries.is_observing(self.opsdb, package.instrument)
        emptied = EmptiedFolders.KEEP if busy else EmptiedFolders.REMOVE
        return Ground(root, self._instrument_folder(package, path), emptied)

    def _instrument_folder(self, package: PackageFacts, path: str) -> str:
        if package.instrument in self.deployment.instruments:
            return self.deployment.instrument_folder(package.instrument)
        return path.partition("/")[0]


@contextmanager
def _failing_disks() -> Iterator[None]:
    """A disk that fails under one's hands is waited for, as one that was away before."""
    try:
        yield
    except OSError as error:
        raise Retriable(
            "storage_unavailable",
            f"copies cannot be looked at: {error}",
            "Look at the disk or mount; it is tried again by itself.",
        ) from error


def ref_of(candidate: Candidate) -> CopyRef:
    """The file or package that a candidate is.

    Raises:
        TypeError: It is something else.
    """
    copy = candidate.copy
    if not isinstance(copy, SourceCopy | BufferCopy):
        raise TypeError(f"{type(copy).__name__} is no file or package")
    return copy.ref


def by_location(candidates: Iterable[Candidate]) -> list[tuple[str, list[Candidate]]]:
    """The candidates of each location, in the order of their names."""
    return grouped(candidates, lambda one: ref_of(one).location)


def grouped(items: Iterable[T], key: Callable[[T], str]) -> list[tuple[str, list[T]]]:
    """The items of each key, in the order of the keys."""
    groups: dict[str, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return sorted(groups.items(), key=lambda group: group[0])


def _looked(grounds: Grounds, candidates: Sequence[Candidate]) -> list[Candidate]:
    for location, several in by_location(candidates):
        give_back(grounds[location], several)
    return [
        replace(
            one, copy=replace(one.copy, seen=look(grounds[ref_of(one).location].root, ref_of(one).path).seen)
        )
        if isinstance(one.copy, SourceCopy | BufferCopy)
        else one
        for one in candidates
    ]


def _chunks(candidates: Sequence[Candidate]) -> Iterable[Sequence[Candidate]]:
    return (candidates[start : start + CHUNK] for start in range(0, len(candidates), CHUNK))
