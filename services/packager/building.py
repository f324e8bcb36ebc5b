"""Writing one package, or finding that it is written already. Everything here blocks: it runs in a thread."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from libs.bus import fencing
from libs.errors import Retriable
from libs.packaging import (
    BagDamaged,
    CancelSignal,
    InspectedBag,
    PayloadFile,
    SealedBag,
    inspect_bag,
    sealed_size,
    write_bag,
)
from libs.packaging.faults import storage_errors
from libs.storage.disk import measure_space
from libs.storage.exactly import facts_of
from libs.storage.partials import end_tries
from libs.storage.paths import resolve_inside
from libs.telemetry.logs import logger

FOLDER_MODE = 0o755

log = logger("packager")

Sealed = SealedBag | InspectedBag
"""A whole package: written just now, or written before and read again."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to write, and where.

    Attributes:
        source: Root of the SOURCE location.
        buffer: Root of the BUFFER location.
        path: The package, relative to `buffer`.
        bag_name: The bag's top folder.
        info: Fields of bag-info.txt.
        files: The payload, as it was scanned.
        declared: The instrument's sha256 by path, where it declared one.
        sha256: Of the package, where it was sealed before and is written anew.
    """

    source: Path
    buffer: Path
    path: str
    bag_name: str
    info: Mapping[str, str]
    files: tuple[PayloadFile, ...]
    declared: Mapping[str, str] = field(default_factory=dict)
    sha256: str | None = None

    def size(self) -> int:
        """Bytes of the finished tar."""
        return sealed_size(self.files, name=self.bag_name, info=self.info)


def build(order: Order, progress: Callable[[int], None], cancelled: CancelSignal) -> Sealed:
    """Make sure that the package is there, whole and synced.

    A package that stands under its final name was synced before it got that name: it is read once, here,
    instead of its files at SOURCE, which may be changing by now.

    Fenced by `libs.storage.partials`: a try that was overtaken neither gives a package its name nor refuses files.

    Raises:
        Overtaken: A successor builds it, or has built it.
        PayloadChanged: Files are not what was scanned.
        PackageDiffers: It was sealed before, and would be another one now; what stands there was left alone.
        PackagingCancelled: `cancelled` was set.
        Retriable: ``location_missing``, ``disk_full``, ``storage_unavailable``, or as `write_bag`.
    """
    if not order.buffer.is_dir():
        raise Retriable(
            "location_missing", f"{order.buffer} is not there", "Mount the BUFFER or correct its path."
        )
    destination = resolve_inside(order.buffer, order.path)
    fencing.check()
    end_tries(destination)
    size, found = order.size(), facts_of(destination)
    standing = _standing(order, destination, size, progress, cancelled) if found is not None else None
    if standing is not None:
        return standing
    require_room(order.buffer, size)
    with storage_errors(order.buffer):
        destination.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    return write_bag(
        order.source,
        order.files,
        destination,
        name=order.bag_name,
        info=order.info,
        expected_sha256=order.declared,
        sealed_sha256=order.sha256,
        replacing=found,
        progress=progress,
        cancelled=cancelled,
    )


def require_room(buffer: Path, size: int) -> None:
    """Refuse to begin a package that cannot be finished.

    Raises:
        Retriable: ``disk_full``.
    """
    free = measure_space(buffer).free
    if free < size:
        raise Retriable(
            "disk_full",
            f"the package needs {size} bytes, {buffer} has {free} bytes free",
            "Free space in the BUFFER or let transfers catch up; it is tried again by itself.",
        )


def _standing(
    order: Order, destination: Path, size: int, progress: Callable[[int], None], cancelled: CancelSignal
) -> InspectedBag | None:
    try:
        bag = inspect_bag(
            destination,
            expected_sha256=order.sha256,
            expected_size=size,
            progress=progress,
            cancelled=cancelled,
        )
    except BagDamaged as damage:
        log.warning("written_again", path=str(destination), reason=damage.problem.reason)
        return None
    return bag if _as_planned(order, bag) else None


def _as_planned(order: Order, bag: InspectedBag) -> bool:
    planned = sorted((file.path, file.size, file.mtime_ns) for file in order.files)
    found = sorted((file.path, file.size, file.mtime_ns) for file in bag.files)
    undisputed = all(order.declared.get(file.path, file.sha256).lower() == file.sha256 for file in bag.files)
    return bag.name == order.bag_name and planned == found and undisputed
