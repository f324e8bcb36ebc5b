"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

WorkdirOption = Annotated[
    Path | None,
    typer.Option(
        "--workdir",
        help="Where everything is kept, and how commands find each other. "
        "$CHASQUI_WORKDIR or ./.chasqui if left out.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts on standard output.")]
SiteOption = Annotated[str | None, typer.Option("--site", help="Ask this site only.")]
ServersOption = Annotated[
    Path | None,
    typer.Option(
        "--config", help="A deployment of real servers; without it, that of the running chasqui up is meant."
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Argument(help="The deployment file; the demo's if left out.", show_default=False),
]
StoppedConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="The deployment file, if no chasqui up runs; the demo's if left out."),
]
SitesOption = Annotated[list[str] | None, typer.Option("--site", help="Only this site; may be repeated.")]
StreamsOption = Annotated[
    list[str] | None, typer.Option("--stream", help="Only this stream, EVENTS_<site>; may be repeated.")
]
LettersArgument = Annotated[
    list[str] | None,
    typer.Argument(help="Ids of letters, or enough of their beginnings.", show_default=False),
]
LetterServiceOption = Annotated[str | None, typer.Option("--service", help="Given up by this service.")]
LetterHandlerOption = Annotated[str | None, typer.Option("--handler", help="Given up by this handler of it.")]
LetterCodeOption = Annotated[
    str | None, typer.Option("--code", help="For this reason, by its code: disk_full.")
]
LetterFailureOption = Annotated[
    str | None,
    typer.Option("--failure", help="By the kind of failure: exhausted, permanent, poison or unexpected."),
]
LetterTypeOption = Annotated[
    str | None, typer.Option("--type", help="Messages of this type: package.sealed, or all of package.")
]
LetterEntityOption = Annotated[
    str | None, typer.Option("--entity", help="About this observation, package, bundle, …: its id.")
]
SinceOption = Annotated[
    str | None, typer.Option("--since", help="Buried since: 2026-03-01T04:00, or 2h for two hours ago.")
]
UntilOption = Annotated[str | None, typer.Option("--until", help="Buried before: an instant, or 2h.")]
AllOption = Annotated[bool, typer.Option("--all", help="All of them, whatever they are.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
