"""The mover's engine on simulated disks: as `libs.transfer.local` keeps, replaces and gives up."""

from collections.abc import Sequence
from typing import Any

from libs.errors import ChasquiError, Permanent, Retriable
from libs.storage.files import full_or, source_missing
from libs.transfer.engine import (
    AlreadyThere,
    Copied,
    Existing,
    Failed,
    Outcome,
    Recovery,
    TransferItem,
    TransferReport,
)
from tests.simulation.active import world
from tests.simulation.storage.contents import sha256_of
from tests.simulation.storage.disk import Disk, Node
from tests.simulation.storage.paths import place_of


class SimulatedEngine:
    """Stands in for `libs.transfer.local.LocalEngine`."""

    async def transfer(self, items: Sequence[TransferItem], **_: Any) -> TransferReport:
        """As `TransferEngine.transfer`."""
        began = world().loop.now
        self._check_room(items)
        outcomes = [await self._one(item) for item in items]
        return TransferReport(tuple(outcomes), world().loop.now - began)

    def _check_room(self, items: Sequence[TransferItem]) -> None:
        for item in items:
            disk, path = place_of(item.destination)
            if disk.find(path) is None and disk.free() < item.size:
                raise Retriable(
                    "disk_full", f"{disk.location} has no room", "Free space; it goes on by itself."
                )

    async def _one(self, item: TransferItem) -> Outcome:
        await world().trip(f"copy {item.destination.name}")
        try:
            return self._copied(item)
        except OSError as error:
            told = full_or(error, item.destination)
            failure = told if isinstance(told, ChasquiError) else _unusable(item, error)
        except ChasquiError as error:
            failure = error
        recovery = Recovery.RETRY if isinstance(failure, Retriable) else Recovery.PERSON
        return Failed(item, failure.problem, recovery)

    def _copied(self, item: TransferItem) -> Outcome:
        origin, source = place_of(item.source)
        disk, path = place_of(item.destination)
        if not (world().reaches(origin) and world().reaches(disk)):
            raise OSError("the link is cut")
        if _is_there(item, disk.find(path)):
            return AlreadyThere(item)
        node = origin.find(source)
        if node is None:
            raise source_missing(item.source)
        if node.size != item.size:
            raise Permanent("source_changed", f"{item.source} has {node.size} bytes", "Seal it again.")
        self._write(disk, path, node, item.sha256)
        return Copied(item, node.size)

    def _write(self, disk: Disk, path: str, node: Node, sha256: str) -> None:
        folder, _, base = path.rpartition("/")
        disk.make_folder(folder)
        partial = f"{folder}/.{base}.partial"
        content = world().in_transit(node.content, f"copy of {base}")
        now = world().wall(disk.site)
        disk.put(partial, content, node.size, mtime_ns=world().wall_ns(disk.site), now=now)
        world().point(f"name {base}")
        disk.move(partial, path)
        disk.mark(path, sha256)
        world().changed(disk, path)


def _is_there(item: TransferItem, found: Node | None) -> bool:
    if item.existing is Existing.REPLACE or found is None:
        return False
    marked = found.mark == (item.sha256, found.size, found.mtime_ns)
    if found.size == item.size and (marked or sha256_of(found.content) == item.sha256):
        return True
    raise Permanent("destination_differs", f"{item.destination} is another file", "Move it away.")


def _unusable(item: TransferItem, error: OSError) -> Retriable:
    return Retriable("io_error", f"{item.source} to {item.destination}: {error}", "It goes on by itself.")
