"""`chasqui simulate`: an instrument that takes frames of a made-up sky and files them."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from commands.file import site_of
from commands.filing_client import FilingClient
from contracts.observations import DeclaredFile, StartObservation, Target
from libs.errors import UserError
from libs.simulator.camera import Camera
from libs.simulator.run import FramesPerSecond
from libs.simulator.run import run as take_frames
from libs.simulator.sky import Frame, SkySimulator
from libs.sites.running import find_running
from libs.sites.workdir import Workdir


@dataclass(frozen=True, slots=True)
class Play:
    """What to simulate; `size` is pixels a side, `rate` frames a second."""

    instrument: str
    frames: int
    rate: float
    size: int
    per_observation: int
    seed: int


async def run(play: Play, workdir: Workdir, console: Console, *, as_json: bool) -> int:
    """Take frames and file them as observations at the running site.

    Raises:
        UserError: The instrument is unknown, a filing was refused, or nothing runs in the work directory.
    """
    running = find_running(workdir)
    site = site_of(running.deployment, play.instrument)
    urls = running.urls.get(site)
    if urls is None or urls.filing is None:
        raise UserError(
            "filing_not_running", f"no filing runs for {site}", "Start that site with chasqui up."
        )
    settings = running.deployment.instruments[play.instrument]
    root = running.deployment.disk(settings.source).path / running.deployment.instrument_folder(
        play.instrument
    )
    camera = Camera(shape=(play.size, play.size))
    simulator = SkySimulator(play.seed, camera, datetime.now(UTC))
    units: list[str] = []
    columns = (TextColumn("frames"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    async with FilingClient(urls.filing) as filing:
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("frames", total=play.frames)
            for begin in range(0, play.frames, play.per_observation):
                count = min(play.per_observation, play.frames - begin)
                began = datetime.now(UTC)
                folder = root / f"{began:%Y%m%dT%H%M%S%f}"
                unit = await filing.start(
                    StartObservation(
                        instrument=play.instrument,
                        start_time=began,
                        target=Target(name=camera.target, ra_deg=camera.ra, dec_deg=camera.dec),
                        obs_mode="stare",
                    )
                )
                frames: list[Frame] = []
                async for frame in take_frames(
                    simulator, folder, frames=count, pace=FramesPerSecond(play.rate), began=began
                ):
                    frames.append(frame)
                    progress.advance(task)
                await filing.file(unit, [_declared(frame, root) for frame in frames])
                await filing.finish(unit, datetime.now(UTC))
                units.append(str(unit))
    if as_json:
        print(json.dumps({"executed_obs_unit_ids": units, "frames": play.frames}))
    return 0


def _declared(frame: Frame, root: Path) -> DeclaredFile:
    return DeclaredFile(path=frame.path.relative_to(root).as_posix(), size=frame.size, sha256=frame.sha256)
