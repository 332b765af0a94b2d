"""The app in process, for commands that work on its database without a server."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

from statemount.cli.options import environment_with, setting_option
from statemount.cli.running import run
from statemount.mount import StateMount
from statemount.settings import Settings

_T = TypeVar("_T")

_UNUSED: dict[str, object] = {
    "jwt_secret": None,
    "jwt_public_key": None,
    "jwt_signing_key": None,
    "jwt_jwks": None,
    "sweep_interval_seconds": 0,
}
"""Settings of a server: nobody calls, and nothing happens in the background."""


def on_state(function: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Give a command the options that say where the state is; the function takes the app, and its own arguments."""

    @setting_option("database_url")
    @setting_option("table_prefix")
    @wraps(function)
    def command(database_url: str | None, table_prefix: str | None, **arguments: Any) -> None:
        given = {"database_url": database_url, "table_prefix": table_prefix}
        run_with_state(given, lambda state: function(state, **arguments))

    return command


def run_with_state(given: Mapping[str, object], work: Callable[[StateMount], Awaitable[_T]]) -> _T:
    """Run work on an app with the settings of the environment and these options; return what it returns.

    The schema is not made, unless ``auto_migrate`` is set: a misspelt file name is no new database.
    """
    environ = environment_with(given)
    environ.setdefault("STATEMOUNT_AUTO_MIGRATE", "false")
    settings = Settings.from_environment(environ).replace(_UNUSED)

    async def work_on_state() -> _T:
        state = StateMount(settings=settings)
        try:
            return await work(state)
        finally:
            await state.stop()

    logging.disable(logging.WARNING)  # what is worth a warning to a server's operator says nothing here
    try:
        return run(work_on_state())
    finally:
        logging.disable(logging.NOTSET)
