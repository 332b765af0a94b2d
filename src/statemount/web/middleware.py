"""The app as a middleware: what is under the prefix is ours, everything else is the host app's."""

from __future__ import annotations

from statemount.interfaces import AsgiScope
from statemount.web.below import AsgiApp, check_prefix
from statemount.web.lifespan import Startable, serve_lifespan
from statemount.web.requests import Receive, Send


class StateMiddleware:
    """Serves ``state`` under a prefix of any ASGI app, and starts and stops it with that app.

    Args:
        app: The host app. It may refuse the lifespan scope; ``state`` is started and stopped all the same.
        state: A :class:`~statemount.mount.StateMount`.
        prefix: ``/state`` serves ``/state`` itself and everything below ``/state/``, as seen behind the ``root_path``
            that the host app is called with. None serves nothing: ``state`` is only started and stopped with a host
            app that has it elsewhere.

    Raises:
        ConfigurationError: The prefix does not begin with a slash, or ends with one.
    """

    def __init__(self, app: AsgiApp, *, state: Startable, prefix: str | None = "/state") -> None:
        if prefix is not None:
            check_prefix(prefix)
        self.app = app
        self.state = state
        self.prefix = prefix

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Pass the call on to ``state`` or to the host app."""
        if scope["type"] == "lifespan":
            await serve_lifespan(self.state, receive, send, lambda *channel: self.app(scope, *channel))
        elif scope["type"] == "http" and self.prefix is not None and _is_below(route_path(scope), self.prefix):
            await self.state(_mounted(scope, self.prefix), receive, send)
        else:
            await self.app(scope, receive, send)


def _is_below(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}/")


def _mounted(scope: AsgiScope, prefix: str) -> AsgiScope:
    """Return the scope as Starlette's ``Mount`` would pass it on: the path stays, the root path grows."""
    root_path: str = scope.get("root_path", "")
    return {
        **scope,
        "app_root_path": scope.get("app_root_path", root_path),
        "root_path": root_path + prefix,
    }


def route_path(scope: AsgiScope) -> str:
    """Return the path behind the root path. Some servers leave the root path out of the path."""
    path: str = scope["path"]
    root_path: str = scope.get("root_path", "")
    if root_path and (path == root_path or path.startswith(f"{root_path}/")):
        return path[len(root_path) :]
    return path
