"""The app for a host whose router changes the path of what it mounts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from statemount.errors import ConfigurationError
from statemount.interfaces import AsgiScope
from statemount.web.requests import Receive, Send
from statemount.web.routing import encoded_path

AsgiApp: TypeAlias = Callable[[AsgiScope, Receive, Send], Awaitable[None]]
"""Any ASGI application."""


def check_prefix(prefix: str) -> None:
    """Refuse a prefix that no path could have.

    Raises:
        ConfigurationError: It does not begin with a slash, or ends with one.
    """
    if not prefix.startswith("/") or prefix.endswith("/"):
        raise ConfigurationError(f"a prefix begins with a slash and does not end with one, unlike {prefix!r}")


class BelowApp:
    """Calls an app with the path as it was sent, whatever the host's router has made of it.

    Litestar merges slashes, appends one, and does not say in ``root_path`` what it has cut off. The path is taken from
    ``raw_path``; where a server gives none, or where it does not have the prefix, the call is passed on as it is.

    Args:
        app: The app that is mounted.
        prefix: Where, decoded, behind the ``root_path`` of the server.

    Raises:
        ConfigurationError: The prefix does not begin with a slash, or ends with one.
    """

    def __init__(self, app: AsgiApp, prefix: str) -> None:
        check_prefix(prefix)
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Pass the call on."""
        await self._app(self._as_sent(scope) if scope["type"] == "http" else scope, receive, send)

    def _as_sent(self, scope: AsgiScope) -> AsgiScope:
        path = encoded_path(scope)
        server_root: str = scope.get("app_root_path", scope.get("root_path", ""))
        for root in (server_root + self._prefix, self._prefix):  # some servers leave their root path out of the path
            if path == root or path.startswith(f"{root}/"):
                return {**scope, "path": path, "root_path": root}
        return scope
