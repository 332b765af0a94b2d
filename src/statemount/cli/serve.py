"""`statemount serve`: the app on its own."""

from __future__ import annotations

import logging
import os
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from statemount.cli.options import environment_with, setting_option
from statemount.cli.running import run
from statemount.cli.servers import run_server
from statemount.collector import start_up

if TYPE_CHECKING:
    from statemount.mount import StateMount


@click.command(short_help="Run the app on its own.")
@setting_option("host")
@setting_option("port", click.IntRange(0, 65_535))
@setting_option("workers", click.IntRange(min=1))
@setting_option("server", click.Choice(["granian", "uvicorn"]))
@setting_option("database_url")
@setting_option("directory")
@click.option(
    "--dev",
    is_flag=True,
    help="For trying it out: unless they are set, take an open directory, a secret that is thrown away and a SQLite "
    "file that is removed at the end, and print a worker's token with commands to copy.",
)
def serve(dev: bool, **given: object) -> None:
    """Run the app on its own.

    Every other setting comes from its environment variable: see the reference of settings. Secrets are never options.
    """
    environ = environment_with(given)
    with ExitStack() as stack:
        with start_up():
            from statemount.cli.development import develop, invitation
            from statemount.mount import StateMount

            if dev:
                develop(environ, Path(stack.enter_context(TemporaryDirectory(prefix="statemount-"))))
            os.environ.clear()
            os.environ.update(environ)  # the server's processes read it
            state = StateMount.from_environment()
            run(_try_out(state))
        if dev:
            click.echo(invitation(state.settings))
        run_server(state.settings)


async def _try_out(state: StateMount) -> None:
    """Start and stop once, so that what can never work is told before there are processes.

    Raises:
        ConfigurationError: It can never work like this.
    """
    logging.disable(logging.WARNING)  # the server's processes say it again
    try:
        async with state.lifespan():
            return
    finally:
        logging.disable(logging.NOTSET)
