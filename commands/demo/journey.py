"""The demo from beginning to end."""

import asyncio
import shutil
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from commands.demo.display import shown
from commands.demo.inputs import Inputs, read_inputs
from commands.demo.instrument import NAME, Filed, observe
from commands.demo.restoring import Comparison, compare, packages_left, remaining, request_staging
from commands.demo.summary import S3Access, Skipped, Summary, tell
from commands.demo.tracking import Tracker
from commands.demo.watching import Watch, watching
from commands.filing_client import FilingClient
from commands.standing import Standing, keep_temporary_files_in, standing, until_signal
from contracts.staging import StagingCompleted
from contracts.states import LocationType
from contracts.subjects import dead_stream
from libs.bus.connection import connect
from libs.errors import UserError
from libs.insight.queues import queues_of
from libs.sites.credentials import Credentials
from libs.sites.models import S3Location
from libs.sites.workdir import Workdir, WorkdirLock
from libs.storage.walk import FoundFile
from libs.telemetry import logs

TELESCOPE, CENTRE = "chile", "cologne"
MARKER = "demo"
CLEARING_PATIENCE_S = 60.0
DRAWING_PATIENCE_S = 60.0


@dataclass(slots=True)
class Journey:
    """What has happened so far."""

    inputs: Inputs
    began: float
    filed: list[Filed] = field(default_factory=list)
    headline: str = "starting servers and services"

    @property
    def files(self) -> tuple[FoundFile, ...]:
        """Everything that was written and filed."""
        return tuple(file for filed in self.filed for file in filed.observation.files)

    @property
    def skipped(self) -> list[Skipped]:
        """Everything that was not."""
        odd = [*self.inputs.skipped, *(item for filed in self.filed for item in filed.unreadable)]
        return [Skipped(path=item.path, code=item.code, reason=item.reason) for item in odd]


async def run(
    config: Path, inputs: Path, workdir: Workdir, console: Console, *, keep: bool, as_json: bool
) -> int:
    """Carry a folder of files along the whole road and back.

    Args:
        config: The demo's deployment.
        inputs: The folder whose files the instrument writes.
        workdir: Emptied first, if it is a demo's.
        console: Where to show what happens.
        keep: Leave everything running until a signal comes.
        as_json: Print the summary as one line of JSON on standard output.

    Returns:
        The exit status: 0 if everything came back identical and was cleared.
    """
    journey = Journey(await asyncio.to_thread(read_inputs, inputs), time.monotonic())
    await asyncio.to_thread(prepare, workdir)
    keep_temporary_files_in(workdir.run)
    workdir.create()
    logs.configure(to=workdir.logs / "demo.log")  # the screen shows what travels
    tracker = Tracker()
    async with AsyncExitStack() as stack:
        with shown(console, tracker, lambda: journey.headline):
            stands = await stack.enter_async_context(standing(config, workdir, Credentials({})))
            stands.start_all(but=("janitor",))
            watch = await stack.enter_async_context(watching(stands.places[CENTRE], tracker))
            summary = await _travel(journey, stands, watch)
        tell(summary, console, keeps_running=keep)
        if as_json:
            print(summary.model_dump_json(), flush=True)
        if keep:
            await until_signal()
    return 0 if summary.good else 1


def prepare(workdir: Workdir) -> None:
    """Empty a demo's work directory; blocking.

    Raises:
        UserError: ``workdir_not_a_demo``: it holds something else; ``workdir_in_use``.
    """
    marker = workdir.path / MARKER
    if workdir.path.exists() and any(workdir.path.iterdir()) and not marker.exists():
        raise UserError(
            "workdir_not_a_demo",
            f"{workdir.path} holds something that no demo made",
            "Choose another folder with --workdir, or remove it.",
        )
    with WorkdirLock(workdir):
        for folder in (workdir.servers, workdir.logs, workdir.path / "sites"):
            shutil.rmtree(folder, ignore_errors=True)
        marker.write_text("Made by chasqui demo, which empties this folder when it runs again.\n")


async def _travel(journey: Journey, stands: Standing, watch: Watch) -> Summary:
    tracker = watch.tracker
    source = stands.places[TELESCOPE].disk(f"{TELESCOPE}-source").path / NAME
    journey.headline = "the instrument writes and files its observations"
    urls = stands.urls()
    async with FilingClient(str(urls[TELESCOPE].filing)) as filing:
        async for filed in observe(journey.inputs, source, filing):
            journey.filed.append(filed)
    journey.headline = "files travel from SOURCE to the archive"
    expected = {filed.unit for filed in journey.filed if filed.observation.files}
    await watch.until(
        lambda: all(unit in tracker.tracks and tracker.tracks[unit].done for unit in expected), "the archive"
    )
    journey.headline = "everything is brought back from the archive and compared"
    processing = stands.places[CENTRE].disk(f"{CENTRE}-processing").path
    staged, comparison, folder = await _bring_back(journey, stands, watch, processing)
    journey.headline = "the last previews are drawn"
    await _drawn(stands)
    journey.headline = "the janitor clears SOURCE and BUFFER"
    for site in (TELESCOPE, CENTRE):
        stands.start(site, "janitor")
    cleared = await _cleared(stands, source, journey.files)
    journey.headline = "done"
    return await _summarise(
        journey, stands, tracker, staged=staged, comparison=comparison, cleared=cleared, folder=folder
    )


async def _bring_back(
    journey: Journey, stands: Standing, watch: Watch, processing: Path
) -> tuple[int, Comparison, Path]:
    units = [filed.unit for filed in journey.filed if filed.observation.files]
    job = await request_staging(str(stands.urls()[CENTRE].gateway), units)
    await watch.until(lambda: job in watch.tracker.staged, "staging")
    outcome = watch.tracker.staged[job]
    if not isinstance(outcome, StagingCompleted):
        return (
            0,
            Comparison(len(journey.files), 0, (f"staging failed: {outcome.problem.reason}",)),
            processing,
        )
    folder = processing / outcome.folder
    comparison = await asyncio.to_thread(compare, journey.inputs.folder, folder / NAME, journey.files)
    return outcome.files, comparison, folder


async def _drawn(stands: Standing) -> None:
    """Wait until the renderer has nothing left to do; on a slow machine everything else may be faster."""
    place = stands.places[TELESCOPE]
    client = await connect(place.bus_address(), name="demo-previews")
    deadline = time.monotonic() + DRAWING_PATIENCE_S
    try:
        while time.monotonic() < deadline:
            queues = [one for one in await queues_of(place, client) if one.service == "renderer"]
            if not any(one.waiting or one.in_hand for one in queues):
                return
            await asyncio.sleep(0.2)
    finally:
        await client.close()


async def _cleared(stands: Standing, source: Path, files: tuple[FoundFile, ...]) -> bool:
    buffers = tuple(
        stands.deployment.disk(name).path
        for site in stands.places
        for name in stands.deployment.site(site).locations_of(LocationType.BUFFER)
    )
    fewest, since = -1, time.monotonic()
    while True:
        left = await asyncio.to_thread(lambda: remaining(source, files) + packages_left(buffers))
        if left == 0:
            return True
        if fewest < 0 or left < fewest:
            fewest, since = left, time.monotonic()
        if time.monotonic() - since > CLEARING_PATIENCE_S:
            return False
        await asyncio.sleep(0.1)


async def _summarise(
    journey: Journey,
    stands: Standing,
    tracker: Tracker,
    *,
    staged: int,
    comparison: Comparison,
    cleared: bool,
    folder: Path,
) -> Summary:
    centre = stands.places[CENTRE]
    name, archive = next(iter(centre.settings.locations_of(LocationType.LONG_TERM_ARCHIVE).items()))
    s3 = centre.s3(name)
    urls = stands.urls()
    address = centre.bus_address()
    return Summary(
        observations=len(journey.filed),
        files=len(journey.files),
        bytes=sum(file.size for file in journey.files),
        packages=len(tracker.packages),
        bundles=len(tracker.bundles),
        archived_packages=len(tracker.archived),
        staged_files=staged,
        restored_identical=comparison.compared > 0 and comparison.identical == comparison.compared,
        source_cleared=cleared,
        previews=len(tracker.rendered),
        dead_letters=await _dead_letters(stands),
        seconds=round(time.monotonic() - journey.began, 2),
        s3=S3Access(
            endpoint=s3.endpoint,
            bucket=archive.bucket if isinstance(archive, S3Location) else "",
            access_key=s3.access_key,
            secret_key=s3.secret_key.get_secret_value(),
        ),
        database_url=centre.opsdb_dsn(),
        nats_url=address.url.replace("://", f"://{address.user}:{address.password}@", 1),
        processing_dir=str(folder),
        gateway_url=str(urls[CENTRE].gateway),
        filing_url=str(urls[TELESCOPE].filing),
        workdir=str(stands.workdir.path),
        skipped=journey.skipped,
        differences=list(comparison.differences),
    )


async def _dead_letters(stands: Standing) -> int:
    count = 0
    for site, place in stands.places.items():
        client = await connect(place.bus_address(), name="demo-letters")
        try:
            count += (await client.jetstream().stream_info(dead_stream(site))).state.messages
        finally:
            await client.close()
    return count
