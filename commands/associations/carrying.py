"""``chasqui association export`` and ``import``: association tables in FITS, and JSON."""

import sys
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from rich.console import Console
from rich.text import Text

from commands.associations.changing import Manner, begun, tell
from commands.associations.desk import Desk, after, opened, owning, planning_place, read_name
from contracts.association_ids import file_name
from contracts.association_states import AssociationState
from contracts.associations import AssociationEvent
from libs.associations.association import Association
from libs.associations.documents import Document, as_plan, as_recorded, read_json, to_json
from libs.associations.planning import Plan
from libs.associations.saying import World
from libs.associations.tables import Member, plan_of, read_fits, to_fits
from libs.errors import UserError
from libs.sites.workdir import Workdir

STANDARD_OUTPUT = "-"


class FileFormat(StrEnum):
    """How an association stands in a file."""

    FITS = "fits"
    """A binary table with MEMNAME, MEMTYPE and MEMPRSNT."""
    JSON = "json"
    """Everything that is known of it."""


_WRITERS: dict[FileFormat, Callable[[Association], bytes]] = {
    FileFormat.FITS: to_fits,
    FileFormat.JSON: lambda known: to_json(known).encode(),
}


async def export(
    workdir: Workdir,
    name: str,
    format_: FileFormat,
    to: str | None,
    *,
    site: str | None,
    console: Console | None = None,
) -> int:
    """Write an association to a file; its name is in lower case if none is given.

    Returns:
        0.

    Raises:
        UserError: ``association_unknown``, ``file_exists`` or ``file_unwritable``.
        Retriable: The site's servers are away.
    """
    wanted = read_name(name)
    async with owning(workdir, wanted, site) as desk:
        content = _WRITERS[format_](await desk.known(wanted))
    if to == STANDARD_OUTPUT:
        sys.stdout.buffer.write(content)
        return 0
    path = Path(to) if to else Path(file_name(wanted, f"asn.{format_}"))
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError as error:
        raise UserError("file_exists", f"{path} is there already", "Name another file: --to.") from error
    except OSError as error:
        raise UserError(
            "file_unwritable", f"{path} cannot be written: {error}", "Name another: --to."
        ) from error
    (console or Console()).print(Text(f"wrote {path}"))
    return 0


async def import_(
    workdir: Workdir, path: Path, within: str | None, manner: Manner, console: Console | None = None
) -> int:
    """Take over an association from a file.

    One that is open, and every FITS table, is planned here, and waits for its exposures. One in JSON that was
    collected is taken over as it was recorded.

    Returns:
        0.

    Raises:
        UserError: ``association_exists``, or what is wrong with the file.
        Retriable: The site's servers are away.
    """
    document = read_json(path) if path.suffix.lower() == ".json" else None
    table = None if document is not None else read_fits(path)
    async with opened(planning_place(workdir, manner.site)) as desk:
        deadline = after(within, desk.deadline)
        if document is not None and document.head.state is not AssociationState.OPEN:
            await _taken_over(desk, document, manner, console)
        elif (wanted := _plan_of(document, table, deadline)) is not None:
            await begun(desk, wanted, f"read from {path.name}", manner, console)
    return 0


def _plan_of(
    document: Document | None, table: tuple[str, list[Member]] | None, deadline: datetime
) -> Plan | None:
    if document is not None:
        return as_plan(document, deadline)
    return None if table is None else plan_of(*table, deadline)


async def _taken_over(desk: Desk, document: Document, manner: Manner, console: Console | None) -> None:
    name = document.head.association_id

    def decide(world: World) -> AssociationEvent:
        if world.known is not None:
            raise UserError(
                "association_exists",
                f"{name} is known here",
                "Nothing is to be done; look at it: chasqui association show.",
            )
        return as_recorded(document)

    if manner.dry_run:
        event: AssociationEvent | None = decide(await desk.associations.look(name))
    else:
        event = await desk.associations.say(name, decide)
    tell(None, event, manner, console or Console())
