"""The command `statemount`, and how its errors are shown: one line, and an exit code that is not 0."""

from __future__ import annotations

import sys
from collections import UserDict
from collections.abc import Iterator, Sequence
from importlib import import_module

import click
from typing_extensions import override

from statemount.cli.exit_codes import exit_code_of
from statemount.errors import StateMountError

_INTERRUPTED = 130  # 128 + SIGINT, as shells have it
_MODULES = {
    "asset": "statemount.cli.asset",
    "clean": "statemount.cli.clean",
    "db": "statemount.cli.database",
    "directory": "statemount.cli.directory",
    "serve": "statemount.cli.serve",
    "task": "statemount.cli.task",
    "token": "statemount.cli.token",
}


class _Commands(UserDict[str, click.Command]):
    """The commands by name. The module of one is imported when that one is asked for."""

    @override
    def __getitem__(self, name: str) -> click.Command:
        if name not in self.data:
            self.data[name] = getattr(import_module(_MODULES[name]), name)
        return self.data[name]

    @override
    def __contains__(self, name: object) -> bool:
        return name in self.data or name in _MODULES

    @override
    def __iter__(self) -> Iterator[str]:
        return iter({**_MODULES, **self.data})

    @override
    def __len__(self) -> int:
        return len(list(iter(self)))


@click.group(
    commands=_Commands(), context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True
)
@click.pass_context
def program(context: click.Context) -> None:
    """Task state and asset state endpoints, for any web application or orchestrator."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@program.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import version as version_of

    click.echo(f"statemount {version_of('statemount')}")


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
        return _fail(str(error), exit_code_of(error))
    except (click.Abort, KeyboardInterrupt):
        return _INTERRUPTED
    return code if isinstance(code, int) else 0


def _fail(message: str, code: int) -> int:
    click.echo(f"statemount: {' '.join(message.split())}", err=True)
    return code
