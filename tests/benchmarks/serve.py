"""The server process: pinned to its core before anything else starts, with the same flags for every app."""

from __future__ import annotations

import os
import sys


def serve(server: str, loop: str, port: int, app: str) -> None:
    """Run an app on one worker, with keep-alive and without an access log, until the process is told to stop."""
    if server == "granian":
        from granian import Granian
        from granian.constants import Interfaces, Loops

        Granian(
            app,
            address="127.0.0.1",
            port=port,
            interface=Interfaces.ASGI,
            loop=Loops(loop),
            workers=1,
            backpressure=20_000,  # watches are requests that go on
            websockets=False,
            log_access=False,
        ).serve()
    else:
        import uvicorn

        http = "httptools" if loop == "uvloop" else "auto"
        uvicorn.run(
            app,
            host="127.0.0.1",
            port=port,
            loop=loop,
            http=http,
            ws="none",
            lifespan="on",
            access_log=False,
            log_level="warning",
        )


if __name__ == "__main__":
    chosen_core, chosen_server, chosen_loop, chosen_port, chosen_app = sys.argv[1:]
    if chosen_core != "any":
        os.sched_setaffinity(0, {int(chosen_core)})
    serve(chosen_server, chosen_loop, int(chosen_port), chosen_app)
