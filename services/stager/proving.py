"""What a job has put in place, read once more before the job is called complete.

The stream of a package proves what was written, not what the disk made of it; and a job that waited for an archive may
have had its first files for a day. What is damaged is taken away, and comes from the archive again. So is what an
attempt that was killed had put in place without a word, if it has rotted by the time the next one finds it in its way.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from libs.bus import fencing
from libs.copies.staged import PlacedFile, Reading, Standing, read_staged
from libs.errors import ChasquiError, Retriable
from libs.packaging.faults import DestinationConflict, stop_if, storage_errors
from libs.packaging.folders import Root
from libs.storage import exactly
from libs.storage.base import ByteProgress
from libs.telemetry.logs import logger

SHOWN = 3

log = logger("stager")


def prove(
    folder: Path,
    files: Sequence[PlacedFile],
    stop: threading.Event,
    progress: Callable[[int], None],
) -> None:
    """Read everything that a job has put in place; blocking.

    A damaged file is taken away if it still is the one that was read. One that somebody changed stays: the next attempt
    finds it in its way, and says so.

    Args:
        folder: The job's folder.
        files: What must stand there.
        stop: Ends the reading.
        progress: Hears the bytes read so far.

    Raises:
        Retriable: ``staged_copy_damaged``: not all of it stands there; ``storage_unavailable``; ``cancelled``.
    """
    done = 0

    def read(count: int) -> None:
        nonlocal done
        stop_if(stop)
        done += count
        progress(done)

    bad = list(_not_whole(folder, files, read))
    if not bad:
        return
    fencing.check()  # a successor may have completed the job, and a scientist work in its folder by now
    _take_away(folder, [one for one in bad if one.standing is Standing.DAMAGED])
    raise _damaged(folder, bad)


def judge_conflict(folder: Path, conflict: DestinationConflict, stop: threading.Event) -> ChasquiError:
    """What to raise when a package finds other content in its places; blocking.

    What stands there and is nothing but the package's own files, damaged, is taken away.

    Args:
        folder: The job's folder.
        conflict: What unpacking found in it.
        stop: Ends the reading.

    Returns:
        The conflict if somebody's work is among it: all of it stays then. Else Retriable: ``staged_copy_damaged``, or
        ``staged_copy_misread``.

    Raises:
        Retriable: ``storage_unavailable``; ``cancelled``.
    """
    files = [PlacedFile(one.path, one.size, one.mtime_ns, one.sha256) for one in conflict.files]
    bad = list(_not_whole(folder, files, lambda _: stop_if(stop)))
    if any(one.standing is Standing.CHANGED for one in bad):
        return conflict
    if not bad:
        return _misread(folder, files)
    fencing.check()
    _take_away(folder, [one for one in bad if one.standing is Standing.DAMAGED])
    return _damaged(folder, bad)


def _not_whole(folder: Path, files: Sequence[PlacedFile], read: ByteProgress) -> Iterator[Reading]:
    return (one for one in read_staged(folder, files, read) if one.standing is not Standing.WHOLE)


def _take_away(folder: Path, damaged: Sequence[Reading]) -> None:
    if not damaged:
        return
    with storage_errors(folder), Root(folder) as root:
        for one in damaged:
            if one.facts is not None:
                parent, name = root.parent_of(one.file.path)
                exactly.remove(parent, name, one.facts)


def _damaged(folder: Path, bad: Sequence[Reading]) -> Retriable:
    shown = ", ".join(f"{one.file.path!r} ({one.standing})" for one in bad[:SHOWN])
    more = f" and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
    error = Retriable(
        "staged_copy_damaged",
        f"{len(bad)} files do not stand in {folder} as they were unpacked: {shown}{more}",
        "Nothing: they come from the archive again by themselves. If it happens often, have the disk examined.",
    )
    log.error("damaged", folder=str(folder), **error.problem.model_dump())
    return error


def _misread(folder: Path, files: Sequence[PlacedFile]) -> Retriable:
    return Retriable(
        "staged_copy_misread",
        f"{len(files)} files in {folder} were read as damaged, and as whole when they were read again",
        "It is tried again by itself. Have the disk and the memory of this machine examined.",
    )
