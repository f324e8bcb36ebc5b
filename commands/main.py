"""The `chasqui` command: puts the groups of commands together, and turns every error of ours into an exit status."""

import sys

import typer

from commands.line import (
    associations,
    breakers,
    catalog,
    data,
    deletion,
    deployment,
    letters,
    log,
    looking,
    opsdb,
    problems,
    stands,
)
from libs.errors import ChasquiError, UserError

INTERRUPTED = 130

app = typer.Typer(
    name="chasqui",
    help="Carries an observatory's data from the instrument's disk to the archive and to the scientist.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(stands.app)
app.add_typer(data.app)
app.add_typer(looking.app)
app.add_typer(letters.dead_app, name="dead")
app.add_typer(letters.app)
app.add_typer(breakers.breaker_app, name="breaker")
app.add_typer(deletion.janitor_app, name="janitor")
app.add_typer(deletion.hold_app, name="hold")
app.add_typer(associations.association_app, name="association")
app.add_typer(log.events_app, name="events")
app.add_typer(opsdb.opsdb_app, name="opsdb")
app.add_typer(associations.schema_app, name="schema")
app.add_typer(catalog.catalog_app, name="catalog")
app.add_typer(deployment.config_app, name="config")


def main() -> None:
    """Run the command line; every error of ours becomes one message and an exit status.

    The status is 0 if it is done, 1 if it could not be done, 2 if the words or the configuration are wrong, 130 if
    it was interrupted, 143 if it was terminated.
    """
    as_json = "--json" in sys.argv
    try:
        status = app(standalone_mode=False)
    except ChasquiError as error:
        problems.show(error.problem, as_json=as_json)
        sys.exit(2 if isinstance(error, UserError) else 1)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(INTERRUPTED)
    except typer.TyperException as error:
        getattr(error, "show", lambda: None)()  # an error of usage knows its command's usage line
        problems.print_error(problems.usage_problem(error), as_json=as_json)
        sys.exit(2)
    sys.exit(status)  # standalone_mode=False makes typer.Exit a returned number


if __name__ == "__main__":
    main()
