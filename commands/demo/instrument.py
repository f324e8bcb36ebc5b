"""The demo's instrument: writes each observation's files to SOURCE and files them."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from commands.demo.inputs import Inputs, Observation
from commands.filing_client import FilingClient
from contracts.observations import DeclaredFile, StartObservation, Target
from libs.storage.walk import FoundFile, Oddity

NAME = "sky-camera"
LONGEST_NAME = 250


@dataclass(frozen=True, slots=True)
class Filed:
    """An observation that filing accepted."""

    unit: UUID
    observation: Observation
    unreadable: tuple[Oddity, ...]


async def observe(inputs: Inputs, source: Path, filing: FilingClient) -> AsyncIterator[Filed]:
    """Write and file every observation, one after the other, as an instrument does in a night.

    Args:
        inputs: What to write.
        source: The instrument's folder in its SOURCE location.
        filing: The site's filing service.

    Raises:
        UserError: A registration was refused.
    """
    for observation in inputs.observations:
        began = datetime.now(UTC)
        name = observation.name[:LONGEST_NAME]
        unit = await filing.start(
            StartObservation(
                instrument=NAME, start_time=began, obs_unit=name, target=Target(name=name), obs_mode="stare"
            )
        )
        written, unreadable = await asyncio.to_thread(write, inputs.folder, observation.files, source)
        if written:
            await filing.file(unit, [DeclaredFile(path=file.path, size=file.size) for file in written])
            await filing.finish(unit, datetime.now(UTC))
        yield Filed(unit, Observation(observation.name, written), unreadable)


def write(
    origin: Path, files: tuple[FoundFile, ...], source: Path
) -> tuple[tuple[FoundFile, ...], tuple[Oddity, ...]]:
    """Copy files with their times, each under a temporary name first; what cannot be read is told, not fatal."""
    written: list[FoundFile] = []
    unreadable: list[Oddity] = []
    for file in files:
        target = source / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = source / f".writing-{os.getpid()}"
        try:
            shutil.copyfile(origin / file.path, temporary, follow_symlinks=False)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            unreadable.append(Oddity(file.path, "unreadable", error.strerror or str(error)))
            continue
        os.utime(temporary, ns=(file.mtime_ns, file.mtime_ns))
        temporary.replace(target)
        written.append(FoundFile(file.path, target.stat().st_size, file.mtime_ns))
    return tuple(written), tuple(unreadable)
