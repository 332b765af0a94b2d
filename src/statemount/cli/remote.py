"""The server that a command asks: its address, the token, and the client."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from statemount.client import StateClient
from statemount.client.environment import TOKEN, TOKEN_FILE, URL
from statemount.errors import ConfigurationError, StateMountError

_HIDDEN = "***"


def on_server(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say which server; the function takes the client, and its own arguments."""

    @click.option(
        "--url", metavar="URL", envvar=URL, show_envvar=True, help="Where the app is mounted: https://host/state."
    )
    @click.option(
        "--token-file",
        metavar="FILE",
        type=click.Path(path_type=Path),
        envvar=TOKEN_FILE,
        show_envvar=True,
        help=f"Holds a token for the public API. Or set {TOKEN} to the token itself.",
    )
    @wraps(function)
    def command(*, url: str | None, token_file: Path | None, **arguments: Any) -> None:
        if not url:
            raise click.UsageError(f"give --url, or set {URL}")
        token = _token(token_file)
        try:
            with StateClient(url, token=token) as client:
                function(client, **arguments)
        except StateMountError as error:
            if token and token in str(error):  # a server that is not ours may send back what it was sent
                error.args = (str(error).replace(token, _HIDDEN),)
            raise

    return command


def _token(file: Path | None) -> str | None:
    """Return the token, which is never an option: everybody on a machine can read those in the list of processes."""
    token = os.environ.get(TOKEN)
    if file is None:
        return token or None
    if token and click.get_current_context().get_parameter_source("token_file") is ParameterSource.ENVIRONMENT:
        raise click.UsageError(f"{TOKEN} and {TOKEN_FILE} are not used together")
    try:
        return file.read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigurationError(f"the token's file {file} cannot be read: {reason}") from None
