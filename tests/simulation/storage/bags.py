"""Packages without bytes: what `libs.packaging` does, on simulated disks."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from libs.errors import Retriable, UserError
from libs.packaging import (
    BadFile,
    BagDamaged,
    BagFault,
    BagProblem,
    CancelSignal,
    DestinationConflict,
    FileFault,
    InspectedBag,
    PackageDiffers,
    PayloadChanged,
    PayloadFile,
    SealedBag,
    SealedFile,
    UnpackedBag,
    sealed_size,
)
from libs.packaging.faults import storage_errors
from libs.packaging.sources import checked
from libs.storage.exactly import FileFacts, facts_of
from tests.simulation.active import world
from tests.simulation.chaos import Fault
from tests.simulation.storage.contents import Content, Flipped, Member, Tar, sha256_of
from tests.simulation.storage.disk import Disk
from tests.simulation.storage.paths import place_of

BLOCK = 512


def write_bag(
    source_root: Path,
    files: Sequence[PayloadFile],
    destination: Path,
    *,
    name: str,
    info: Mapping[str, str],
    expected_sha256: Mapping[str, str] | None = None,
    sealed_sha256: str | None = None,
    replacing: FileFacts | None = None,
    progress: Callable[[int], None] | None = None,
    cancelled: CancelSignal | None = None,
) -> SealedBag:
    """As `libs.packaging.write_bag`."""
    members, bad = _read(source_root, files, expected_sha256 or {})
    if bad:
        raise PayloadChanged(bad)
    tar = Tar(name, tuple(info.items()), tuple(members))
    if sealed_sha256 is not None and sha256_of(tar) != sealed_sha256:
        raise PackageDiffers(name, sha256_of(tar), sealed_sha256)
    size = sealed_size(files, name=name, info=info)
    disk, path = place_of(destination)
    folder, _, base = path.rpartition("/")
    partial = f"{folder}/.{base}.partial"
    with storage_errors(destination.parent):
        disk.put(partial, tar, size, mtime_ns=world().wall_ns(disk.site), now=world().wall(disk.site))
        world().point(f"seal {base}")
        if (there := facts_of(destination)) is not None and there != replacing:
            disk.delete(partial)
            raise Retriable(
                "package_stands", f"{destination} is there already", "It is read, and kept if right."
            )
        disk.move(partial, path)
        world().changed(disk, path)
    return SealedBag(
        path=destination,
        size=size,
        sha256=sha256_of(tar),
        file_count=len(members),
        payload_bytes=sum(one.size for one in members),
        files=_all_sealed(tar),
    )


def _read(
    root: Path, files: Sequence[PayloadFile], declared: Mapping[str, str]
) -> tuple[list[Member], list[BadFile]]:
    members: list[Member] = []
    bad: list[BadFile] = []
    offset = 0
    for file in sorted(files, key=lambda one: one.path.encode()):
        disk, path = place_of(root / file.path)
        node = disk.find(path)
        if node is None:
            bad.append(BadFile(file.path, FileFault.FILE_VANISHED, "nothing is there"))
            continue
        found = sha256_of(node.content)
        if (node.size, node.mtime_ns) != (file.size, file.mtime_ns):
            bad.append(BadFile(file.path, FileFault.FILE_CHANGED, f"{node.size} bytes of {node.mtime_ns} ns"))
        elif (mismatch := checked(file, declared.get(file.path), found)) is not None:
            bad.append(mismatch)
        members.append(Member(file.path, file.size, file.mtime_ns, node.content, found, offset + BLOCK))
        offset += BLOCK + file.size
    return members, bad


def inspect_bag(
    path: Path,
    *,
    expected_sha256: str | None,
    expected_size: int | None,
    progress: Callable[[int], None] | None = None,
    cancelled: CancelSignal | None = None,
) -> InspectedBag:
    """As `libs.packaging.inspect_bag`."""
    disk, name = place_of(path)
    node = disk.find(name) if world().reaches(disk) else None
    if node is None:
        raise BagDamaged([BagProblem(BagFault.PACKAGE_UNREADABLE, "", "no bytes come")])
    return inspected(node.content, node.size, expected_sha256, expected_size)


def inspect_stream(
    stream: Any,
    *,
    expected_sha256: str | None,
    expected_size: int | None,
    cancelled: CancelSignal | None = None,
) -> InspectedBag:
    """As `libs.packaging.inspect_stream`."""
    source: Streamed = stream._stream
    return inspected(source.content, source.size, expected_sha256, expected_size)


def inspected(
    content: Content, size: int, expected_sha256: str | None, expected_size: int | None
) -> InspectedBag:
    """What a whole package says of itself.

    Raises:
        BagDamaged: It is not whole, or not the expected one.
    """
    problems = []
    if expected_size is not None and size != expected_size:
        problems.append(BagProblem(BagFault.PACKAGE_SIZE, "", f"{size} bytes, sealed {expected_size}"))
    found = sha256_of(content)
    if expected_sha256 is not None and found != expected_sha256:
        problems.append(
            BagProblem(BagFault.PACKAGE_CHECKSUM, "", f"sha256 {found}, sealed {expected_sha256}")
        )
    if not isinstance(content, Tar):
        raise BagDamaged([*problems, BagProblem(BagFault.HEADER_DAMAGED, "", "a header cannot be read")])
    problems += [
        BagProblem(BagFault.FILE_CHECKSUM, one.path, "its bytes are not those of the manifest")
        for one in content.members
        if sha256_of(one.content) != one.sha256
    ]
    if problems:
        raise BagDamaged(problems)
    return InspectedBag(
        name=content.name,
        size=size,
        sha256=found,
        file_count=len(content.members),
        payload_bytes=sum(one.size for one in content.members),
        files=_all_sealed(content),
    )


def unpack_bag(
    source: "Streamed",
    destination: Path,
    *,
    only: AbstractSet[str] | None = None,
    expected_sha256: str | None = None,
    expected_size: int | None = None,
    progress: Callable[[int], None] | None = None,
    cancelled: CancelSignal | None = None,
) -> UnpackedBag:
    """As `libs.packaging.unpack_bag`, from an object of a simulated archive."""
    content = world().in_transit(source.content, f"download of {source.key}")
    bag = inspected(content, source.size, expected_sha256, expected_size)
    assert isinstance(content, Tar)
    chosen = [one for one in content.members if only is None or one.path in only]
    if only is not None and len(chosen) < len(only):
        raise UserError("path_not_in_package", "a path is not in the package", "Ask for files that it has.")
    disk, folder = place_of(destination)
    now = world().wall(disk.site)
    partial = f"{folder.rpartition('/')[0]}/.{folder.rpartition('/')[2]}-{bag.name}.partial"
    with storage_errors(destination.parent):
        disk.make_folder(partial)
        for one in chosen:
            _place(disk, f"{partial}/{one.path}", one, now)
        world().point(f"unpack {bag.name}")
        _refuse_others(disk, folder, chosen)
        for one in chosen:
            disk.make_folder(f"{folder}/{one.path}".rpartition("/")[0])
            disk.move(f"{partial}/{one.path}", f"{folder}/{one.path}")
        disk.remove_tree(partial)
    if chosen and world().strikes(Fault.STAGED_ROT, f"{folder}/{chosen[-1].path}"):
        _rot(disk, f"{folder}/{chosen[-1].path}")
    return UnpackedBag(destination, bag, tuple(one.path for one in chosen), ())


def _rot(disk: Disk, path: str) -> None:
    disk.spoil(path, Flipped(disk.require(path).content, f"{disk.location}:{path} at {world().loop.now:.6f}"))
    world().tell("rot", disk.location, path, what=disk)


def _place(disk: Disk, path: str, one: Member, now: float) -> None:
    disk.make_folder(path.rpartition("/")[0])
    disk.put(path, one.content, one.size, mtime_ns=one.mtime_ns, now=now)


def _refuse_others(disk: Disk, folder: str, chosen: Sequence[Member]) -> None:
    found = [(one, disk.find(f"{folder}/{one.path}")) for one in chosen]
    conflicts = [_sealed(one) for one, there in found if there is not None and there.content != one.content]
    if conflicts:
        raise DestinationConflict(conflicts)


class Streamed:
    """An object of an archive, open for one reader."""

    def __init__(self, key: str, content: Content, size: int) -> None:
        self.key = key
        self.content = content
        self.size = size


def _all_sealed(tar: Tar) -> tuple[SealedFile, ...]:
    return tuple(_sealed(one) for one in tar.members)


def _sealed(one: Member) -> SealedFile:
    return SealedFile(one.path, one.size, one.mtime_ns, one.sha256, one.offset)
