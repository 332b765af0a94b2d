"""Who is asking, found out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import MutableMapping, Sequence
from typing import Any, Literal, TypeAlias

from statemount.interfaces.identity import Credential, Identity
from statemount.interfaces.resource import Resource
from statemount.model import Timestamp

AsgiScope: TypeAlias = MutableMapping[str, Any]
"""The first argument of an ASGI application."""

RouteSet = Literal["execution", "public"]


class Authenticator(Resource):
    """Turns a request into a verified identity."""

    @abstractmethod
    async def authenticate(self, asgi_scope: AsgiScope, route_set: RouteSet) -> Identity:
        """Return who is asking. The body is never read.

        Raises:
            AuthenticationError: No credentials (the client may try with some).
            InvalidTokenError: Credentials that are not accepted.
            ForbiddenError: Accepted, but not for this route set; the message is for the client.
            UnavailableError: The keys cannot be fetched now.
        """

    def renew(self, identity: Identity) -> str | None:
        """Return a fresh token for an identity whose own is about to expire, or None."""
        return None


class Revocations(Resource):
    """Knows which credentials were withdrawn before their time.

    Every method may raise ``UnavailableError``. Answers may be up to the documented time old (5 s by default).
    """

    @abstractmethod
    async def revoke(self, credential: Credential, *, until: Timestamp) -> None:
        """Refuse a credential until a time, after which it is of no use anyway. Of several times the latest counts."""

    @abstractmethod
    async def are_any_revoked(self, credentials: Sequence[Credential]) -> bool:
        """Tell whether one of these, at most four, is revoked now."""

    async def is_empty(self) -> bool:
        """Tell whether nothing at all is revoked, so that nobody need be asked about; False = it is not known."""
        return False

    def is_known_to_be_empty(self) -> bool:
        """Tell whether :meth:`is_empty` would say so without a look-up: it is not asked then."""
        return False
