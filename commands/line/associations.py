"""Associations of exposures, and the descriptions of relations that tables have to follow."""

from pathlib import Path
from typing import Annotated

import typer

from commands.line.options import DryRunOption, JsonOption, SiteOption, WorkdirOption
from commands.line.performing import perform, workdir_of

association_app = typer.Typer(
    help="Associations: exposures that are made into products together, as OPUS has them.",
    no_args_is_help=True,
)
schema_app = typer.Typer(help="Tables: whether they are what their descriptions say.", no_args_is_help=True)

NameArgument = Annotated[
    str, typer.Argument(metavar="ASSOCIATION", help="Its id, IPPPSSAA0, in upper or lower case.")
]
WithinOption = Annotated[
    str | None,
    typer.Option(
        "--within",
        help="Collect it after so long with what is there, for example 2d; the site's deadline if left out.",
    ),
]
OwnerOption = Annotated[
    str | None, typer.Option("--site", help="The site that it belongs to; it is found if left out.")
]


@association_app.command("list")
def association_list(
    state: Annotated[str | None, typer.Option("--state", help="open, collected or failed.")] = None,
    program: Annotated[str | None, typer.Option("--program", help="Of this program: 3 characters.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="So many of them at most, the latest first.")] = 100,
    site: SiteOption = None,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """List associations: their state, how many of their exposures are there, what comes next.

    chasqui association list --state open
    """
    from commands.associations.showing import Sought, show_list

    sought = Sought(state, program, limit)
    perform(show_list(workdir_of(workdir), sought, site=site, as_json=as_json))


@association_app.command("show")
def association_show(
    name: NameArgument, site: OwnerOption = None, workdir: WorkdirOption = None, as_json: JsonOption = False
) -> None:
    """Show an association with every member, as OPUS has it in asn_members.

    chasqui association show J8C0A1010
    """
    from commands.associations.showing import show

    perform(show(workdir_of(workdir), name, site=site, as_json=as_json))


@association_app.command("plan")
def association_plan(
    name: NameArgument,
    exposure: Annotated[
        list[str] | None,
        typer.Option("--exposure", help="A member: IPPPSSOO, with :TYPE if it is not EXP; may be repeated."),
    ] = None,
    product: Annotated[
        list[str] | None,
        typer.Option("--product", help="A product: its last character, with :TYPE; 0 if none is named."),
    ] = None,
    expected: Annotated[
        int | None,
        typer.Option("--expected", min=1, help="How many exposures it will have, if these are not all."),
    ] = None,
    within: WithinOption = None,
    site: OwnerOption = None,
    dry_run: DryRunOption = False,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Plan an association of listed exposures. Those that are there already are taken at once.

    chasqui association plan J8C0A1010 --exposure J8C0A1Q1:EXP-DTH --exposure J8C0A1Q2:EXP-DTH --product 0:PROD-DTH
    """
    from commands.associations.changing import Listed, Manner, plan

    listed = Listed(name, tuple(exposure or ()), tuple(product or ()), expected, within)
    perform(plan(workdir_of(workdir), listed, Manner(dry_run, as_json, site)))


@association_app.command("generate")
def association_generate(
    rules: Annotated[Path, typer.Option("--rules", help="A file of rules: see docs/associations.md.")],
    program: Annotated[
        str | None, typer.Option("--program", help="Look at this program only: 3 characters.")
    ] = None,
    within: WithinOption = None,
    site: OwnerOption = None,
    dry_run: DryRunOption = False,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Plan what rules find among the exposures that were filed, and tell which are left over.

    Repeated, it makes nothing new. What two rules claim is one association, of the first of them.

    chasqui association generate --rules rules.yaml --dry-run
    """
    from commands.associations.changing import Manner
    from commands.associations.generating import run

    perform(run(workdir_of(workdir), rules, program, within, Manner(dry_run, as_json, site)))


@association_app.command("collect")
def association_collect(
    name: NameArgument,
    site: OwnerOption = None,
    dry_run: DryRunOption = False,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Collect an association now, with what is there; what is missing is an orphan from then on.

    With no exposure there, nothing is changed, and the exit status is 2.

    chasqui association collect J8C0A1010 --dry-run
    """
    from commands.associations.changing import Manner, collect

    perform(collect(workdir_of(workdir), name, Manner(dry_run, as_json, site)))


@association_app.command("reopen")
def association_reopen(
    name: NameArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why: the log keeps it for ever.")],
    within: WithinOption = None,
    site: OwnerOption = None,
    dry_run: DryRunOption = False,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Begin a new revision of an association, with the exposures that came too late for the last one.

    It is collected again as any other: at once, if all of its exposures are there.

    chasqui association reopen J8C0A1010 --reason "the last exposure was transmitted again"
    """
    from commands.associations.changing import Manner, reopen

    perform(reopen(workdir_of(workdir), name, reason, within, Manner(dry_run, as_json, site)))


@association_app.command("made")
def association_made(
    name: NameArgument,
    product: Annotated[str, typer.Argument(help="The product, by the last character of its name.")],
    file: Annotated[
        str, typer.Option("--file", help="Its data set: the id of a file that was filed and packaged.")
    ],
    site: OwnerOption = None,
    dry_run: DryRunOption = False,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that the data set of a product was made: only then it counts as collected.

    chasqui association made J8C0A1010 0 --file 5b0e7c1e-...
    """
    from commands.associations.changing import Manner, made

    perform(made(workdir_of(workdir), name, product, file, Manner(dry_run, as_json, site)))


@association_app.command("export")
def association_export(
    name: NameArgument,
    format_: Annotated[str, typer.Option("--format", help="fits or json.")] = "fits",
    to: Annotated[
        str | None,
        typer.Option("--to", help="The file; ID_asn.FORMAT in lower case if left out; - for stdout."),
    ] = None,
    site: OwnerOption = None,
    workdir: WorkdirOption = None,
) -> None:
    """Write an association to a file: a FITS association table (MEMNAME, MEMTYPE, MEMPRSNT), or JSON with everything.

    chasqui association export J8C0A1010
    """
    from commands.associations.carrying import FileFormat, export
    from libs.errors import UserError

    if format_ not in list(FileFormat):
        raise UserError("format_unknown", f"{format_!r} is no format of ours", "Choose fits or json.")
    perform(export(workdir_of(workdir), name, FileFormat(format_), to, site=site))


@association_app.command("import")
def association_import(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A FITS association table, or .json.")],
    within: WithinOption = None,
    site: OwnerOption = None,
    dry_run: DryRunOption = False,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take over an association from a FITS association table, or from JSON as export writes it.

    What a FITS table says is planned here, and waits for its exposures. What was collected elsewhere and stands in
    JSON is taken over as it was recorded.

    chasqui association import j8c0a1010_asn.fits --dry-run
    """
    from commands.associations.carrying import import_
    from commands.associations.changing import Manner

    perform(import_(workdir_of(workdir), path, within, Manner(dry_run, as_json, site)))


@schema_app.command("check-sddl")
def schema_check_sddl(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A description in SDDL.")],
    site: SiteOption = None,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Prove that the ops-db has a relation as it is described: its fields, their types, and its indexes.

    SDDL is the language in which the HST archive describes its relations. The running database is asked, not its
    description in our code. The exit status is 1 if something differs, and what differs is shown.

    chasqui schema check-sddl asn_members.sddl
    """
    from commands.schema import check_sddl

    perform(check_sddl(workdir_of(workdir), path, site=site, as_json=as_json))
