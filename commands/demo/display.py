"""The demo as a person sees it: a table of observations and stations that fills while files travel."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.filesize import decimal
from rich.live import Live
from rich.table import Table
from rich.text import Text

from commands.demo.tracking import Station, Track, Tracker

MOST_ROWS = 24
_HEADINGS = {
    Station.FILED: "file",
    Station.SCANNED: "scan",
    Station.PLANNED: "plan",
    Station.SEALED: "seal",
    Station.BUNDLED: "bundle",
    Station.MOVED: "move",
    Station.VERIFIED: "verify",
    Station.ARCHIVED: "archive",
}


@contextmanager
def shown(console: Console, tracker: Tracker, headline: Callable[[], str]) -> Iterator[None]:
    """Show the tracker live while the block lasts; on anything but a terminal, once at the end."""
    if not console.is_terminal:
        yield
        console.print(render(tracker, headline()))
        return
    with Live(
        get_renderable=lambda: render(tracker, headline()),
        console=console,
        refresh_per_second=8,
        transient=False,
    ):
        yield


def render(tracker: Tracker, headline: str) -> RenderableType:
    """The table as it is now."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("observation", no_wrap=True, max_width=24)
    table.add_column("size", justify="right", no_wrap=True)
    for heading in _HEADINGS.values():
        table.add_column(heading, justify="right", no_wrap=True)
    tracks = list(tracker.tracks.values())
    for track in tracks[-MOST_ROWS:]:
        table.add_row(
            Text(printable(track.name)), decimal(track.bytes), *map(_cell, [track] * len(Station), Station)
        )
    more = Text(f"… and {len(tracks) - MOST_ROWS} more", style="dim") if len(tracks) > MOST_ROWS else Text()
    return Group(Text(headline, style="cyan"), table, more)


def _cell(track: Track, station: Station) -> Text:
    count, most = track.files[station], max(track.expected, track.files[Station.FILED])
    if count == 0:
        return Text("·", style="dim")
    return Text(str(count), style="green" if count >= most else "yellow")


def printable(name: str) -> str:
    """A name with its control characters made visible."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in name)
