"""Reading a transfer's packages, two at a time, and telling of each as soon as it is read."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path
from uuid import UUID

from contracts.transfers import MovedPackage, TransferCompleted
from libs.bus.pulse import turn
from libs.copies.examining import Verdict, examine
from libs.errors import Retriable
from libs.groups import TaskGroup
from libs.service.blocking import in_thread
from libs.service.telling import Board

AT_ONCE = 2
REMEDY = "Nothing to do: this package alone travels again."

Tell = Callable[[MovedPackage, Verdict], Awaitable[Verdict]]
"""Says and does what follows from a verdict, and returns the one that counts."""


class Reader:
    """Reads what arrived. All transfers share its two places, so that a small one is not behind a huge one.

    What was read and told of a transfer is remembered until the transfer is done: while the disk fails to hand
    out one package, the others are not read again at each try.
    """

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(AT_ONCE)
        self._known: dict[UUID, dict[UUID, Verdict]] = {}

    def told(self, transfer_id: UUID) -> AbstractSet[UUID]:
        """The packages of an unfinished transfer of which this instance has told."""
        return self._known.get(transfer_id, {}).keys()

    async def read(
        self, transfer: TransferCompleted, root: Path, tell: Tell, board: Board
    ) -> dict[UUID, Verdict]:
        """The verdict on every package, each told before the next is begun.

        Args:
            transfer: What arrived.
            root: The folder of the BUFFER it arrived in.
            tell: Told of each verdict.
            board: Shows the bytes read.

        Raises:
            Retriable: Some packages could not be read; all others were read and told.
        """
        known = self._known.setdefault(transfer.transfer_id, {})
        left = [moved for moved in transfer.packages if moved.package.package_id not in known]
        sweep = _Sweep(root, known, tell, Tally(board, transfer.size, left), self._places)
        await sweep.all(left)
        if sweep.failures:
            raise sweep.failures[0]
        self._known.pop(transfer.transfer_id, None)
        return known


class Tally:
    """Sums up what several threads have read."""

    def __init__(self, board: Board, total: int, left: list[MovedPackage]) -> None:
        self._board = board
        self._done = total - sum(moved.package.size for moved in left)
        self._open: dict[UUID, int] = {}

    def at(self, package_id: UUID, done: int) -> None:
        """So many bytes of a package are read."""
        self._open[package_id] = done
        self._board.show(done=self._done + sum(list(self._open.values())))

    def close(self, package_id: UUID) -> None:
        """A package was read to its end."""
        self._done += self._open.pop(package_id, 0)


class _Sweep:
    """One pass over the packages of a transfer that are not known yet."""

    def __init__(
        self,
        root: Path,
        known: dict[UUID, Verdict],
        tell: Tell,
        tally: Tally,
        places: asyncio.Semaphore,
    ) -> None:
        self._root = root
        self._known = known
        self._tell = tell
        self._tally = tally
        self._places = places
        self.failures: list[Retriable] = []

    async def all(self, packages: list[MovedPackage]) -> None:
        waiting = iter(packages)
        async with TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._some(waiting))

    async def _some(self, waiting: Iterator[MovedPackage]) -> None:
        for moved in waiting:
            try:
                verdict = await self._examined(moved)
            except Retriable as failure:
                self.failures.append(failure)
                continue
            self._known[moved.package.package_id] = await self._tell(moved, verdict)

    async def _examined(self, moved: MovedPackage) -> Verdict:
        package = moved.package.package_id
        async with turn(self._places):
            verdict = await in_thread(
                lambda stop: examine(
                    self._root,
                    moved.path,
                    moved.package,
                    read=lambda done: self._tally.at(package, done),
                    stop=stop,
                    remedy=REMEDY,
                )
            )
        self._tally.close(package)
        return verdict
