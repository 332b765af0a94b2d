"""The command `statemount`, and how its errors are shown: one line, and an exit code that is not 0."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version as version_of

import click

from statemount.cli.clean import clean
from statemount.cli.database import db
from statemount.cli.directory import directory
from statemount.cli.serve import serve
from statemount.cli.token import token
from statemount.errors import StateMountError

_INTERRUPTED = 130  # 128 + SIGINT, as shells have it


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True)
@click.pass_context
def program(context: click.Context) -> None:
    """Task state and asset state endpoints, for any web application or orchestrator."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@program.command()
def version() -> None:
    """Print the version."""
    click.echo(f"statemount {version_of('statemount')}")


program.add_command(serve)
program.add_command(token)
program.add_command(db)
program.add_command(clean)
program.add_command(directory)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    Args:
        arguments: None = those of the process.

    Raises:
        SystemExit: Always.
    """
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = program.main(arguments, prog_name="statemount", standalone_mode=False)
    except click.ClickException as error:
        return _fail(error.format_message(), error.exit_code)
    except StateMountError as error:
        return _fail(str(error), 1)
    except (click.Abort, KeyboardInterrupt):
        return _INTERRUPTED
    return code if isinstance(code, int) else 0


def _fail(message: str, code: int) -> int:
    click.echo(f"statemount: {' '.join(message.split())}", err=True)
    return code
