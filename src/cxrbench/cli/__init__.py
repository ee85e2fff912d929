"""One command with subcommands: parse, call, print. Heavy imports wait for the subcommand that needs them."""

import sys
from typing import Annotated

import typer

from cxrbench import __version__
from cxrbench.cli import approaches, archives, bundles, explaining, exporting, measures, pacs, plans, serving, studies
from cxrbench.environment import share_cores
from cxrbench.errors import CxrbenchError

BAD_INPUT = 2

app = typer.Typer(
    name="cxrbench",
    help="Train and compare approaches for multi-label chest X-ray classification, and say how sure that is. "
    "Research use only; not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,  # help without boxes, in half the time
)
for commands in (studies, approaches, plans, archives, measures, bundles, exporting, explaining, serving, pacs):
    for command in commands.COMMANDS:
        app.command()(command)


def main() -> None:
    """Run the command line; an error a user can act on is one line and exit code 2."""
    share_cores()
    try:
        app()
    except CxrbenchError as error:
        _fail(str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _fail(f"{where}{error.strerror or error}")


def _fail(message: str) -> None:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(BAD_INPUT)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        print(f"cxrbench {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass
