"""``chasqui events restore``: a site's event log back into its stream, from archives and from other sites' mirrors."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

from nats.aio.client import Client
from nats.js.errors import BucketNotFoundError
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from commands.events import shown_while_read
from commands.joining import Beside, joined
from contracts.subjects import events_stream, heartbeat_bucket
from libs.bus.buckets import read_bucket
from libs.bus.connection import connect
from libs.errors import Retriable, UserError
from libs.eventlog.archives import folders_of
from libs.eventlog.folder import LogFolder
from libs.eventlog.records import LogRecord
from libs.eventlog.restoring import Restoration, Restored, from_archive
from libs.eventlog.sources import Damage, Mirrors, choose_chain, find_mirrors, require_agreement
from libs.service.archives import open_archives
from libs.service.service import Place
from libs.sites.workdir import Workdir


class Using(Enum):
    """What a log is restored from."""

    BOTH = "both"
    """An archive, then what other sites know beyond it."""
    ARCHIVES = "archives"
    """An archive alone."""
    MIRRORS = "mirrors"
    """Other sites alone."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How to restore.

    Attributes:
        sites: Which; all if empty.
        using: What may be used for it.
        damage: What to do about a damaged archive.
    """

    sites: tuple[str, ...] = ()
    using: Using = Using.BOTH
    damage: Damage = Damage.REFUSED


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one site's log.

    Attributes:
        archived: The archive gave it up to this sequence; 0 for nothing.
        location: That archive.
        mirrored: A mirror gave it from there to this sequence; 0 if it knew no more.
        mirror: The site of that mirror.
    """

    site: str
    restored: Restored
    archived: int
    location: str | None
    mirrored: int
    mirror: str | None


def using(*, mirrors: bool, archives: bool) -> Using:
    """What is left when some sources are not to be used.

    Raises:
        UserError: ``nothing_to_restore_from``.
    """
    if mirrors and archives:
        return Using.BOTH
    if not (mirrors or archives):
        raise UserError(
            "nothing_to_restore_from",
            "with neither an archive nor mirrors there is nothing to restore from",
            "Leave --without-archive or --without-mirrors out.",
        )
    return Using.MIRRORS if mirrors else Using.ARCHIVES


async def restore(
    terms: Terms, config: Path, workdir: Workdir, console: Console, *, as_json: bool = False
) -> int:
    """Restore the logs of sites on servers that nobody else uses.

    Args:
        terms: What to restore, and what may be used for it.
        config: The deployment file.
        workdir: Where embedded servers have their data.
        console: For people.
        as_json: One JSON object at the end.

    Returns:
        0: every site's log is back, or was there.

    Raises:
        UserError: ``nothing_to_restore``, ``site_running``, ``workdir_in_use``, ``archive_damaged``,
            ``histories_differ``, ``stream_differs``.
        Retriable: ``mirror_unreachable``, ``restore_interrupted``, or a server is away.
    """
    reports: list[Report] = []
    async with joined(workdir, config, terms.sites, Beside.REFUSED) as places:
        for place in places.values():
            report = await _restore_at(place, terms, console)
            if report is None and terms.sites:
                raise _nothing(place.site)
            reports += [] if report is None else [report]
    if not reports:
        raise _nothing("any site")
    if as_json:
        print(json.dumps({"restored": [asdict(report) for report in reports]}))
    console.print(_table(reports))
    console.print("Start it with chasqui up: its ops-db is made anew from the log.", style="cyan")
    return 0


async def _restore_at(place: Place, terms: Terms, console: Console) -> Report | None:
    client = await connect(place.bus_address(), name=f"restore@{place.site}")
    try:
        async with open_archives(place) as stores:
            stream = events_stream(place.site)
            folders = {f.location: f for f in folders_of(place.deployment, stores, stream)}
            await _require_quiet(client, place.site)
            usable = {} if terms.using is Using.MIRRORS else folders
            return await _restored(client, place, usable, terms, console)
    finally:
        await client.close()


async def _restored(
    client: Client, place: Place, folders: Mapping[str, LogFolder], terms: Terms, console: Console
) -> Report | None:
    chain = choose_chain([await shown_while_read(one, console) for one in folders.values()], terms.damage)
    mirrors = await _mirrors(client, place, terms)
    archived = 0 if chain is None else chain.last
    beyond = mirrors.best if mirrors.best is not None and mirrors.best.last > archived else None
    if chain is None and beyond is None:
        return None
    sources: list[AsyncIterator[list[LogRecord]]] = []
    if chain is not None:
        for mirror in mirrors.found:
            await require_agreement(folders[chain.location], chain, mirror)
        sources.append(from_archive(folders[chain.location], chain.path))
    if beyond is not None:
        sources.append(beyond.reader.records(archived + 1, beyond.last))
    last = beyond.last if beyond is not None else archived
    done = await _shown(Restoration(client, place.site), sources, last, console)
    return Report(
        place.site,
        done,
        archived,
        None if chain is None else chain.location,
        0 if beyond is None else beyond.last,
        None if beyond is None else beyond.site,
    )


async def _mirrors(client: Client, place: Place, terms: Terms) -> Mirrors:
    if terms.using is Using.ARCHIVES:
        return Mirrors()
    mirrors = await find_mirrors(client, place.neighbours(), events_stream(place.site))
    if mirrors.silent:
        raise Retriable(
            "mirror_unreachable",
            f"{', '.join(mirrors.silent)} cannot be reached from {place.site}, and may know events of {place.site} "
            "that no archive has",
            "Start its NATS server and mend the link, then restore again. Or go on knowingly with --without-mirrors: "
            "events that are known there alone are lost then, and its mirror must be deleted before it is linked again.",
        )
    return mirrors


async def _require_quiet(client: Client, site: str) -> None:
    """Nobody may write to the stream while it is restored."""
    try:
        alive = await read_bucket(client, heartbeat_bucket(site))
    except BucketNotFoundError:
        return
    if alive:
        names = sorted({str(facts.get("service")) for facts in alive.values()})
        raise UserError(
            "site_running",
            f"services of {site} run: {', '.join(names)}",
            "Stop them and wait a quarter of a minute, then restore again.",
        )


async def _shown(
    restoration: Restoration, sources: Sequence[AsyncIterator[list[LogRecord]]], last: int, console: Console
) -> Restored:
    with Progress(console=console, transient=True) as bars:
        bar = bars.add_task("restoring", total=last)
        return await restoration.restore(sources, lambda done: bars.update(bar, completed=done))


def _nothing(site: str) -> UserError:
    return UserError(
        "nothing_to_restore",
        f"neither an archive nor another site knows any event of {site}",
        "Check the log folder and the CHASQUI_S3_… keys of the archives; a new site needs no restore: chasqui up.",
    )


def _table(reports: Sequence[Report]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("site", "from an archive", "from a mirror", "were there", "restored up to event"):
        table.add_column(heading)
    for one in reports:
        table.add_row(
            one.site,
            f"1-{one.archived} ({one.location})" if one.location else "–",
            f"{one.archived + 1}-{one.mirrored} ({one.mirror})" if one.mirror else "–",
            f"{one.restored.found}",
            f"{one.restored.last}",
        )
    return table
