"""``chasqui events export`` and ``verify``: the event log into the archives, and proof that it is whole there."""

import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from commands.joining import joined
from commands.wording import size
from contracts.problems import Problem
from libs.bus.connection import connect
from libs.errors import ChasquiError, UserError
from libs.eventlog.archives import archives_at, behind_of, folder_of, folders_of
from libs.eventlog.exporting import Exported, Exporter
from libs.eventlog.folder import LogFolder
from libs.eventlog.stream import StreamReader
from libs.eventlog.verifying import Chain, verify
from libs.service.archives import open_archives
from libs.service.service import Place
from libs.sites.workdir import Workdir
from libs.storage.s3 import S3Store


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a command is to work on.

    Attributes:
        config: The deployment file; a running `chasqui up` needs none.
        sites: All if empty.
        streams: All if empty.
    """

    config: Path
    sites: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()

    def streams_of(self, place: Place) -> list[str]:
        """The wanted streams of those that can be read at a site.

        Raises:
            UserError: ``unknown_stream``.
        """
        if unknown := [stream for stream in self.streams if stream not in place.streams]:
            raise UserError(
                "unknown_stream",
                f"no stream of events is called {unknown[0]!r}",
                f"Choose from {', '.join(place.streams)}.",
            )
        return [stream for stream in place.streams if not self.streams or stream in self.streams]


@dataclass(frozen=True, slots=True)
class Failed:
    """What could not be done, and why."""

    stream: str
    location: str
    problem: Problem


async def export(
    wanted: Wanted, workdir: Workdir, console: Console, *, mend: bool = False, as_json: bool = False
) -> int:
    """Add to the archives of the sites what their streams have gained.

    Args:
        wanted: Which sites and streams.
        workdir: Where a deployment runs, or its embedded servers have their data.
        console: For people.
        mend: First verify, and write anew what is damaged or missing.
        as_json: One JSON object at the end.

    Returns:
        0 if everything is in the archives, 1 otherwise.

    Raises:
        UserError: ``no_archive``, ``unknown_site``, ``unknown_stream``.
    """
    done: list[Exported] = []
    failed: list[Failed] = []
    async with joined(workdir, wanted.config, wanted.sites) as places:
        keeping = [place for place in places.values() if archives_at(place.settings)]
        if not keeping:
            raise no_archive(places)
        for place in keeping:
            await _export_at(place, wanted, console, mend, done, failed)
    if as_json:
        print(json.dumps({"exported": [asdict(one) for one in done], "failed": _told(failed)}))
    console.print(_exports(done, failed))
    return 1 if failed else 0


async def _export_at(
    place: Place, wanted: Wanted, console: Console, mend: bool, done: list[Exported], failed: list[Failed]
) -> None:
    async with AsyncExitStack() as stack:
        client = await connect(place.bus_address(), name=f"export@{place.site}")
        stack.push_async_callback(client.close)
        for location, settings in archives_at(place.settings).items():
            store = await stack.enter_async_context(S3Store(place.s3(location)))
            await store.ensure_bucket()
            for stream in wanted.streams_of(place):
                folder = folder_of(store, location, settings, stream)
                exporter = Exporter(
                    StreamReader(client, stream),
                    folder,
                    segment_bytes=int(settings.log.segment),
                    behind=behind_of(place.site, stream),
                )
                try:
                    done.append(await _shown(exporter, folder, console, mend))
                except ChasquiError as error:
                    failed.append(Failed(stream, location, error.problem))


async def _shown(exporter: Exporter, folder: LogFolder, console: Console, mend: bool) -> Exported:
    with Progress(console=console, transient=True) as bars:
        bar = bars.add_task(f"{folder.stream} to {folder.location}", total=None)

        def progress(last: int, end: int) -> None:
            bars.update(bar, completed=last, total=end)

        if mend and not (chain := await verify(folder)).whole:
            return await exporter.mend(chain, progress)
        return await exporter.export(progress)


async def check(wanted: Wanted, workdir: Workdir, console: Console, *, as_json: bool = False) -> int:
    """Read the chains of every stream back from every archive.

    Returns:
        0 if there are chains and all are whole, 1 otherwise.

    Raises:
        UserError: ``no_archive``, ``unknown_site``, ``unknown_stream``.
    """
    async with joined(workdir, wanted.config, wanted.sites) as places:
        chains, failed = await _chains(places, wanted, console)
    if as_json:
        print(json.dumps({"chains": [as_document(one) for one in chains], "failed": _told(failed)}))
    console.print(_verdicts(chains, failed))
    for problem in [p for one in chains for p in one.problems] + [one.problem for one in failed]:
        console.print(Text(f"{problem.code}: {problem.reason}", style="bold red"), soft_wrap=True)
        console.print(Text(f"  {problem.remedy}", style="dim"), soft_wrap=True)
    whole = any(one.last for one in chains) and all(one.whole for one in chains)
    return 0 if whole and not failed else 1


async def _chains(
    places: dict[str, Place], wanted: Wanted, console: Console
) -> tuple[list[Chain], list[Failed]]:
    chains: list[Chain] = []
    failed: list[Failed] = []
    place = next(iter(places.values()))
    async with open_archives(place) as stores:
        if not stores:
            raise no_archive(places)
        for stream in wanted.streams_of(place):
            for folder in folders_of(place.deployment, stores, stream):
                try:
                    chains.append(await shown_while_read(folder, console))
                except ChasquiError as error:
                    failed.append(Failed(stream, folder.location, error.problem))
    return chains, failed


async def shown_while_read(folder: LogFolder, console: Console) -> Chain:
    """Verify a chain, with a bar."""
    with Progress(console=console, transient=True) as bars:
        bar = bars.add_task(f"{folder.stream} in {folder.location}", total=None)

        def progress(number: int, total: int) -> None:
            bars.update(bar, completed=number, total=total)

        return await verify(folder, progress)


def no_archive(places: dict[str, Place]) -> UserError:
    """The error of sites without an archive."""
    return UserError(
        "no_archive",
        f"{', '.join(places)} has no active archive that can be used from here",
        "Name a site with an archive, which also keeps the others' events; set the CHASQUI_S3_… keys.",
    )


def as_document(chain: Chain) -> dict[str, object]:
    """A chain for scripts."""
    return {
        "stream": chain.stream,
        "location": chain.location,
        "whole": chain.whole,
        "last": chain.last,
        "segments": len(chain.path),
        "stored_bytes": chain.stored_bytes,
        "beside": chain.beside,
        "problems": [problem.model_dump() for problem in chain.problems],
    }


def _told(failed: Sequence[Failed]) -> list[dict[str, object]]:
    return [
        {"stream": one.stream, "location": one.location, "problem": one.problem.model_dump()}
        for one in failed
    ]


def _exports(done: Sequence[Exported], failed: Sequence[Failed]) -> Table:
    table = _table("stream", "archive", "up to event", "new", "stored")
    for one in done:
        table.add_row(
            one.stream, one.location, f"{one.last}", f"{one.messages} events", size(one.stored_bytes)
        )
    for failure in failed:
        reason = f"{failure.problem.reason} ({failure.problem.code}). {failure.problem.remedy}"
        table.add_row(failure.stream, failure.location, Text("not exported", style="bold red"), reason, "")
    return table


def _verdicts(chains: Sequence[Chain], failed: Sequence[Failed]) -> Table:
    table = _table("stream", "archive", "up to event", "segments", "stored", "verdict")
    for one in chains:
        verdict = Text("whole", style="green") if one.whole else Text("damaged", style="bold red")
        if not one.last and one.whole:
            verdict = Text("nothing there", style="yellow")
        table.add_row(
            one.stream, one.location, f"{one.last}", f"{len(one.path)}", size(one.stored_bytes), verdict
        )
    for failure in failed:
        table.add_row(failure.stream, failure.location, "", "", "", Text("not read", style="bold red"))
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading)
    return table
