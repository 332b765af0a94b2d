"""The app as a middleware: what is under the prefix is ours, everything else is the host app's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from statemount.errors import ConfigurationError
from statemount.interfaces import AsgiScope
from statemount.web.lifespan import Startable, serve_lifespan
from statemount.web.requests import Receive, Send

AsgiApp: TypeAlias = Callable[[AsgiScope, Receive, Send], Awaitable[None]]
"""Any ASGI application."""


class StateMiddleware:
    """Serves ``state`` under a prefix of any ASGI app, and starts and stops it with that app.

    Args:
        app: The host app. It may refuse the lifespan scope; ``state`` is started and stopped all the same.
        state: A :class:`~statemount.mount.StateMount`.
        prefix: ``/state`` serves ``/state`` itself and everything below ``/state/``, as seen behind the ``root_path``
            that the host app is called with.

    Raises:
        ConfigurationError: The prefix does not begin with a slash, or ends with one.
    """

    def __init__(self, app: AsgiApp, *, state: Startable, prefix: str = "/state") -> None:
        if not prefix.startswith("/") or prefix.endswith("/"):
            raise ConfigurationError(f"a prefix begins with a slash and does not end with one, unlike {prefix!r}")
        self.app = app
        self.state = state
        self.prefix = prefix

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Pass the call on to ``state`` or to the host app."""
        if scope["type"] == "lifespan":
            await serve_lifespan(self.state, receive, send, lambda *channel: self.app(scope, *channel))
        elif scope["type"] == "http" and self._is_ours(scope):
            await self.state(self._mounted(scope), receive, send)
        else:
            await self.app(scope, receive, send)

    def _is_ours(self, scope: AsgiScope) -> bool:
        path = route_path(scope)
        return path == self.prefix or path.startswith(f"{self.prefix}/")

    def _mounted(self, scope: AsgiScope) -> AsgiScope:
        """Return the scope as Starlette's ``Mount`` would pass it on: the path stays, the root path grows."""
        root_path: str = scope.get("root_path", "")
        return {
            **scope,
            "app_root_path": scope.get("app_root_path", root_path),
            "root_path": root_path + self.prefix,
        }


def route_path(scope: AsgiScope) -> str:
    """Return the path behind the root path. Some servers leave the root path out of the path."""
    path: str = scope["path"]
    root_path: str = scope.get("root_path", "")
    if root_path and (path == root_path or path.startswith(f"{root_path}/")):
        return path[len(root_path) :]
    return path
