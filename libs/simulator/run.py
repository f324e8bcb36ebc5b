"""Frames, one after another, at a given rate."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from libs.simulator.sky import Frame, SkySimulator
from libs.simulator.writing import Placement


@dataclass(frozen=True)
class FramesPerSecond:
    """A pace of files.

    Attributes:
        rate: Frames per second, above 0; `math.inf` for as fast as they can be made.
    """

    rate: float

    def due(self, frames: int, _: int) -> float:
        """When the next frame is due, in seconds after the first, once `frames` were written."""
        return frames / self.rate


@dataclass(frozen=True)
class BytesPerSecond:
    """A pace of bytes.

    Attributes:
        rate: Bytes per second, above 0.
    """

    rate: float

    def due(self, _: int, size: int) -> float:
        """When the next frame is due, in seconds after the first, once `size` bytes were written."""
        return size / self.rate


Pace = FramesPerSecond | BytesPerSecond
"""How fast an instrument writes."""


def frame_name(simulator: SkySimulator, index: int, when: datetime) -> str:
    """Name a frame after its instrument, the start of its exposure in UTC, and its number."""
    return f"{simulator.camera.instrument.lower()}_{when.astimezone(UTC):%Y%m%dT%H%M%S}_{index:06d}.fits"


async def run(
    simulator: SkySimulator,
    folder: Path,
    *,
    frames: int,
    pace: Pace,
    began: datetime,
    placement: Placement = Placement.RENAMED,
) -> AsyncIterator[Frame]:
    """Write frames into a folder at a pace; late frames are caught up, the rate holds on average.

    Args:
        simulator: What makes them.
        folder: Where; made if it is not there.
        frames: How many.
        pace: How fast.
        began: DATE-OBS of the first frame; the next follow one exposure time after another.
        placement: How each file appears.

    Yields:
        Each frame once it is complete on disk.

    Raises:
        OSError: The disk refuses.
    """
    loop = asyncio.get_running_loop()
    start, written = loop.time(), 0
    for index in range(frames):
        await asyncio.sleep(start + pace.due(index, written) - loop.time())
        when = began + timedelta(seconds=index * simulator.camera.exposure)
        path = folder / frame_name(simulator, index, when)
        frame = await asyncio.to_thread(simulator.write_frame, path, index, when, placement)
        written += frame.size
        yield frame
