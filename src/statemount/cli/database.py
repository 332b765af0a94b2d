"""`statemount db`: the schema of the database."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import click

from statemount.cli.options import environment_with, setting_option
from statemount.cli.running import run
from statemount.settings import Settings


def _on_database(function: Callable[[str, str], None]) -> Callable[..., None]:
    """Give a command the options that say where the schema is; the function takes the URL and the prefix."""

    @setting_option("database_url")
    @setting_option("table_prefix")
    @wraps(function)
    def command(**given: object) -> None:
        settings = Settings.from_environment(environment_with(given))
        function(settings.database_url.get_secret_value(), settings.table_prefix)

    return command


@click.group(short_help="Look after the database's schema.", invoke_without_command=True)
@click.pass_context
def db(context: click.Context) -> None:
    """Look after the database's schema."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@db.command()
@_on_database
def upgrade(url: str, prefix: str) -> None:
    """Create the schema, or bring it up to date."""
    from statemount.database import migrations

    run(migrations.upgrade(url, prefix))
    click.echo("the schema is up to date")


@db.command()
@_on_database
def current(url: str, prefix: str) -> None:
    """Print the version of the schema, or "none"."""
    from statemount.database import migrations

    click.echo(run(migrations.current(url, prefix)) or "none")


@db.command()
@_on_database
def check(url: str, prefix: str) -> None:
    """Fail if the schema is missing, too old or too new."""
    from statemount.database import migrations

    run(migrations.check(url, prefix))
    click.echo("the schema fits this version")
