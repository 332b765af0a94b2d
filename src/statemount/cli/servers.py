"""The ASGI servers that can run the app. The one importer of them."""

from __future__ import annotations

import os
import signal
import socket
import sys

from statemount.cli.logs import logging_config
from statemount.errors import ConfigurationError
from statemount.settings import Settings
from statemount.watching.files import raise_file_limit

_APP = "statemount.asgi:app"
_STOP_SECONDS = 25  # in which requests are finished; a client that does not take its answer is not waited for longer
_OTHER_REQUESTS = 1024  # at once, besides the watches: what granian takes in all unless it is told otherwise


def run_server(settings: Settings) -> None:
    """Run the chosen server until it is told to stop. Its processes read their settings from the environment.

    Raises:
        ConfigurationError: The server is not installed, or cannot listen.
        SystemExit: A process of it failed.
    """
    raise_file_limit()
    run = _run_granian if settings.server == "granian" else _run_uvicorn
    address = _listening_address(settings.host, settings.port)
    for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn passes them on when it has stopped
        signal.signal(number, lambda *_: sys.exit())
    try:
        run(settings, address)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{settings.server} is not installed: pip install 'statemount[server]', or choose another with --server"
        ) from error


def _listening_address(host: str, port: int) -> str:
    """Return the numeric address of a host, on which the port is free.

    Raises:
        ConfigurationError: There is no such address here, or the port is taken.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        socket.create_server(address[:2], family=family).close()
    except OSError as error:
        reason = error.strerror if error.errno is None or error.errno < 0 else os.strerror(error.errno)
        raise ConfigurationError(f"cannot listen on {host}, port {port}: {reason}") from error
    return str(address[0])


def _run_granian(settings: Settings, address: str) -> None:
    from granian import Granian
    from granian.constants import Interfaces

    Granian(
        _APP,
        address=address,
        port=settings.port,
        interface=Interfaces.ASGI,
        workers=settings.workers,
        backpressure=settings.max_watches + _OTHER_REQUESTS,
        workers_kill_timeout=_STOP_SECONDS,
        websockets=False,
        log_dictconfig=logging_config(),
    ).serve()


def _run_uvicorn(settings: Settings, address: str) -> None:
    import uvicorn

    uvicorn.run(
        _APP,
        host=address,
        port=settings.port,
        workers=settings.workers,
        timeout_graceful_shutdown=_STOP_SECONDS,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=logging_config(),
    )
