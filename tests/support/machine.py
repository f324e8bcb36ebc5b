"""`chasqui` as a person runs it: in processes of its own, in a work directory of the test's own."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil

from commands.demo.tracking import Tracker
from commands.demo.watching import Watch, watching
from commands.filing_client import FilingClient
from commands.run import place_of
from contracts.observations import DeclaredFile, StartObservation
from libs.service.service import Place
from libs.sites.running import find_running
from libs.sites.workdir import Workdir

ROOT = Path(__file__).resolve().parents[2]
INSTRUMENT = "sky-camera"


def chasqui(*words: str, **options: Any) -> "subprocess.Popen[str]":
    """Start the command line in a session of its own, which ends when this process does, even by kill -9."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.tied", str(os.getpid()), "commands.main", *words],
        cwd=ROOT,
        text=True,
        start_new_session=True,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    )


def processes_in(workdir: Path) -> list[psutil.Process]:
    """Every process that has to do with a work directory: it names it, or works or writes in it."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = " ".join(process.cmdline())
            files = [item.path for item in process.open_files()]
            if process.pid != os.getpid() and (
                str(workdir) in words
                or str(workdir) in process.cwd()
                or any(path.startswith(str(workdir)) for path in files)
            ):
                found.append(process)
    return found


def wait_until_gone(workdir: Path, within_s: float = 20.0) -> list[str]:
    """Wait until nothing runs for a work directory; what still does after that time."""
    deadline = time.monotonic() + within_s
    while (left := processes_in(workdir)) and time.monotonic() < deadline:
        time.sleep(0.1)
    told = []
    for process in left:
        with contextlib.suppress(psutil.Error):
            told.append(f"{process.pid} {' '.join(process.cmdline())}")
    return told


@dataclass
class Machine:
    """A running `chasqui up` and the means to drive it."""

    process: "subprocess.Popen[str]"
    workdir: Workdir
    started: dict[str, Any]
    filing: FilingClient
    watch: Watch

    @property
    def tracker(self) -> Tracker:
        """What has happened so far."""
        return self.watch.tracker

    def place(self, site: str) -> Place:
        """A site of it."""
        return place_of(site, None, self.workdir)

    @property
    def source(self) -> Path:
        """The instrument's folder."""
        return self.workdir.site("chile") / "source" / INSTRUMENT

    async def observe(self, name: str, paths: Sequence[str]) -> UUID:
        """File files that are in the instrument's folder, and finish."""
        unit = await self.filing.start(
            StartObservation(instrument=INSTRUMENT, start_time=datetime.now(UTC), obs_unit=name)
        )
        await self.filing.file(unit, [DeclaredFile(path=path) for path in paths])
        await self.filing.finish(unit, datetime.now(UTC))
        return unit

    async def archived(self, unit: UUID) -> None:
        """Wait until every file of an observation is archived."""
        tracks = self.tracker.tracks
        await self.watch.until(lambda: unit in tracks and tracks[unit].done, "the archive")

    async def until(self, condition: Callable[[], bool], what: str, within_s: float = 60.0) -> None:
        """Wait for anything."""
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, f"{what} did not happen within {within_s} s"
            await asyncio.sleep(0.005)


@asynccontextmanager
async def up(folder: Path, *words: str, end: signal.Signals = signal.SIGTERM) -> AsyncIterator[Machine]:
    """Run `chasqui up` while the block lasts, end it with a signal, and see that it leaves nothing behind."""
    workdir = Workdir(folder)
    process = chasqui("up", *words, "--workdir", str(folder), "--json")
    try:
        line = await asyncio.to_thread(_first_line, process)
        started = json.loads(line)
        running = find_running(workdir)
        tracker = Tracker()
        async with (
            watching(place_of("cologne", None, workdir), tracker) as watch,
            FilingClient(str(running.urls["chile"].filing)) as filing,
        ):
            machine = Machine(process, workdir, started, filing, watch)
            machine.source.mkdir(parents=True, exist_ok=True)
            yield machine
    finally:
        with ended(process):
            process.send_signal(end)
    assert wait_until_gone(folder) == []


def _first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        _, errors = process.communicate(timeout=30)
        raise AssertionError(f"chasqui up ended at once:\n{errors}")
    return line


@contextlib.contextmanager
def ended(process: "subprocess.Popen[str]", within_s: float = 40.0) -> Iterator[None]:
    """After the block, the process ends by itself, or the test fails (and the process is killed)."""
    yield
    try:
        process.communicate(timeout=within_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise AssertionError(f"the process did not end within {within_s} s") from None
