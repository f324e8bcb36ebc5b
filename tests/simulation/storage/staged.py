"""What was staged, read back and taken away, on simulated disks."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from libs.copies.staged import PlacedFile, Reading, Standing
from libs.packaging.faults import storage_errors
from libs.storage.base import ByteProgress, unheard
from libs.storage.exactly import FileFacts, facts_of
from tests.simulation.active import world
from tests.simulation.storage.contents import sha256_of
from tests.simulation.storage.paths import place_of


def read_staged(
    folder: Path, files: Iterable[PlacedFile], progress: ByteProgress = unheard
) -> Iterator[Reading]:
    """As `libs.copies.staged.read_staged`."""
    disk, base = place_of(folder)
    with storage_errors(folder):
        for file in files:
            world().point(f"read {file.path}")
            progress(file.size)
            node = disk.find(f"{base}/{file.path}")
            if node is None:
                yield Reading(file, Standing.MISSING)
            elif (node.size, node.mtime_ns) != (file.size, file.mtime_ns):
                yield Reading(file, Standing.CHANGED)
            else:
                whole = sha256_of(node.content) == file.sha256
                yield Reading(file, Standing.WHOLE if whole else Standing.DAMAGED, _facts(folder, file))


def take_away(folder: Path, damaged: Sequence[Reading]) -> None:
    """As `services.stager.proving._take_away`."""
    disk, base = place_of(folder)
    with storage_errors(folder):
        for one in damaged:
            path = f"{base}/{one.file.path}"
            if disk.find(path) is not None and _facts(folder, one.file) == one.facts:
                world().point(f"take away {path}")
                world().delete(disk, path)


def _facts(folder: Path, file: PlacedFile) -> FileFacts | None:
    return facts_of(folder / file.path)
