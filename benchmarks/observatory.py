"""The demo's two sites in a temporary folder, with every service but the janitor running, for a benchmark."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from commands.demo.tracking import Tracker
from commands.demo.watching import Watch, watching
from commands.filing_client import FilingClient
from commands.line.performing import DEMO_CONFIG
from commands.standing import Standing, standing
from contracts.observations import DeclaredFile, StartObservation
from libs.sites.credentials import Credentials
from libs.sites.workdir import Workdir

INSTRUMENT = "sky-camera"
QUIET_S = 0.1


@dataclass(frozen=True)
class Observatory:
    """Everything a benchmark drives and looks at."""

    stands: Standing
    watch: Watch
    filing: FilingClient
    source: Path
    folder: Path

    @property
    def tracker(self) -> Tracker:
        return self.watch.tracker

    async def start(self, name: str) -> UUID:
        return await self.filing.start(
            StartObservation(instrument=INSTRUMENT, start_time=datetime.now(UTC), obs_unit=name)
        )

    async def file_and_finish(self, unit: UUID, paths: Sequence[Path]) -> None:
        files = [
            DeclaredFile(path=path.relative_to(self.source).as_posix(), size=path.stat().st_size)
            for path in paths
        ]
        await self.filing.file(unit, files)
        await self.filing.finish(unit, datetime.now(UTC))

    async def archived(self, units: Sequence[UUID]) -> None:
        tracks = self.tracker.tracks
        await self.watch.until(
            lambda: all(unit in tracks and tracks[unit].done for unit in units), "the archive"
        )


@asynccontextmanager
async def observatory() -> AsyncIterator[Observatory]:
    folder = Path(tempfile.mkdtemp(prefix="chasqui-bench-", dir=Path.cwd()))
    try:
        config = folder / "deployment.yaml"
        text = await asyncio.to_thread(DEMO_CONFIG.read_text)
        await asyncio.to_thread(config.write_text, text.replace("quiet: 0.3s", f"quiet: {QUIET_S}s"))
        tracker = Tracker()
        async with standing(config, Workdir(folder / "work"), Credentials({})) as stands:
            stands.start_all(but=("janitor",))
            async with (
                watching(stands.places["cologne"], tracker) as watch,
                FilingClient(str(stands.urls()["chile"].filing)) as filing,
            ):
                source = stands.places["chile"].disk("chile-source").path / INSTRUMENT
                source.mkdir(parents=True, exist_ok=True)
                assert await stands.until_ready() == ()
                yield Observatory(stands, watch, filing, source, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
