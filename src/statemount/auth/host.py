"""The host app's own users as identities."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TypeAlias, Union

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from statemount.errors import AuthenticationError, ForbiddenError
from statemount.interfaces import AsgiScope, Authenticator, Identity, RouteSet

Identify: TypeAlias = Callable[[HTTPConnection], Union[Identity, None, Awaitable[Union[Identity, None]]]]
"""Returns who is behind a connection, at once or awaited; None = nobody known."""


class HostAuth(Authenticator):
    """Asks the host app who is calling: from its session, its user middleware, a header that its proxy sets.

    Args:
        identify: It may raise statemount's errors, or Starlette's ``HTTPException`` (FastAPI's is one): 401 is read as
            "not known", 403 as "known, and may not", with its detail as the client's message. It must not block.
        workers: Who verifies workers instead, such as a :class:`~statemount.auth.jwt.JWTAuth`: the host app's own users
            are those of the public routes then. None = the host app knows its workers, too.
    """

    def __init__(self, identify: Identify, *, workers: Authenticator | None = None) -> None:
        self._identify = identify
        self._workers = workers

    def __repr__(self) -> str:
        workers = "" if self._workers is None else f", workers={self._workers!r}"
        return f"HostAuth({getattr(self._identify, '__qualname__', type(self._identify).__name__)}{workers})"

    async def open(self) -> None:
        """Open what verifies workers."""
        if self._workers is not None:
            await self._workers.open()

    async def close(self) -> None:
        """Close what verifies workers."""
        if self._workers is not None:
            await self._workers.close()

    def renew(self, identity: Identity) -> str | None:
        """Return a fresh token for a worker, if what verifies workers makes one."""
        return None if self._workers is None else self._workers.renew(identity)

    async def authenticate(self, asgi_scope: AsgiScope, route_set: RouteSet) -> Identity:
        """Return the host's identity; see :class:`~statemount.interfaces.Authenticator`.

        Raises:
            TypeError: The host's callable returned something else.
        """
        if self._workers is not None and route_set == "execution":
            return await self._workers.authenticate(asgi_scope, route_set)
        try:
            answer = self._identify(HTTPConnection(asgi_scope))
            identity = await answer if inspect.isawaitable(answer) else answer
        except HTTPException as error:
            if error.status_code == 401:
                raise AuthenticationError("the host app does not know the caller (401)") from error
            if error.status_code == 403:
                raise ForbiddenError(str(error.detail), reason="the host app refuses the caller (403)") from error
            raise
        if identity is None:
            raise AuthenticationError("the host app does not know the caller")
        if not isinstance(identity, Identity):
            raise TypeError(f"HostAuth's callable must return an Identity or None, not {type(identity).__name__}")
        return identity
