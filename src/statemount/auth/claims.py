"""What the claims of a token with a good signature must say (RFC 7519), and the identity that they make."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

from statemount.errors import ForbiddenError, InvalidTokenError
from statemount.interfaces import Identity, RouteSet

NIL = UUID(int=0)
"""The subject of a watcher: a trigger without a task instance."""

MAX_SUBJECT_LENGTH = 255
"""Longest subject on the public route set, in characters (OpenID Connect Core, section 2)."""

_LATEST = 2**53  # seconds; what a float still counts exactly
_UUID = re.compile(
    r"(?:urn:uuid:)?(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    r"|\{[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\}",
    re.IGNORECASE | re.ASCII,
)


class Verdict(NamedTuple):
    """An identity, and when the claims that made it hold.

    Args:
        since: From when on, in seconds since the epoch, the leeway included.
        until: From when on no longer, likewise.
    """

    identity: Identity
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """What is asked of claims.

    Args:
        audiences: For each route set, the audiences of which a token must name one.
        issuers: The issuers of which a token must name one; None = any, also none.
        leeway: Seconds by which clocks may differ.
        watchers: Whether workers without a task instance are let in.
    """

    audiences: Mapping[RouteSet, frozenset[str]]
    issuers: frozenset[str] | None
    leeway: float
    watchers: bool

    def judge(self, claims: dict[str, Any], route_set: RouteSet, now: float) -> Verdict:
        """Return the identity that claims make on a route set.

        Args:
            now: Seconds since the epoch.

        Raises:
            InvalidTokenError: They are not accepted.
            ForbiddenError: They are good, but not for this route set.
        """
        issued_at, not_before, expires_at = _time(claims, "iat"), _time(claims, "nbf"), _time(claims, "exp")
        if expires_at is None or (issued_at is None and route_set == "execution"):
            raise InvalidTokenError(f"the token has no {'exp' if expires_at is None else 'iat'}")
        self._check_parties(claims, route_set)
        if route_set == "execution":
            identity = self._worker(claims, expires_at, issued_at)
        else:
            identity = _caller(claims, expires_at, issued_at)
        since = max(issued_at or 0, not_before or 0) - self.leeway
        until = expires_at + self.leeway
        if now < since:
            raise InvalidTokenError("the token is not valid yet")
        if now >= until:
            raise InvalidTokenError("the token is expired", expired=True)
        if claims.get("scope") == "workload" and route_set == "execution":
            raise ForbiddenError("Token type 'workload' not allowed for this endpoint. Allowed types: execution")
        return Verdict(identity, since, until)

    def _check_parties(self, claims: dict[str, Any], route_set: RouteSet) -> None:
        audience = claims.get("aud")
        named = audience if isinstance(audience, list) else [audience]
        for name in named:
            if not isinstance(name, str):
                raise InvalidTokenError("the token has no aud, or one that is not made of strings")
        if self.audiences[route_set].isdisjoint(named):
            raise InvalidTokenError(f"the token is not for the audience of the {route_set} routes")
        if self.issuers is not None:
            issuer = claims.get("iss")
            if not isinstance(issuer, str) or issuer not in self.issuers:
                raise InvalidTokenError("the token is not from an accepted issuer")

    def _worker(self, claims: dict[str, Any], expires_at: float, issued_at: float | None) -> Identity:
        subject = claims.get("sub")
        if not isinstance(subject, str) or _UUID.fullmatch(subject) is None:
            raise InvalidTokenError("the token's sub is no UUID")
        if claims.get("scope", "execution") not in ("execution", "workload"):
            raise InvalidTokenError("the token's scope is unknown")
        task_instance_id = UUID(subject.lower())
        is_watcher = task_instance_id == NIL
        if is_watcher and not self.watchers:
            raise InvalidTokenError("the token is a watcher's, and watchers are not enabled")
        return Identity(
            subject=str(task_instance_id),
            task_instance_id=None if is_watcher else task_instance_id,
            is_watcher=is_watcher,
            claims=MappingProxyType(claims),
            expires_at=expires_at,
            issued_at=issued_at,
        )


def _caller(claims: dict[str, Any], expires_at: float, issued_at: float | None) -> Identity:
    subject, permissions = claims.get("sub"), claims.get("scope", "")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT_LENGTH or not subject.isprintable():
        raise InvalidTokenError(f"the token's sub is not 1 to {MAX_SUBJECT_LENGTH} printable characters")
    if not isinstance(permissions, str):
        raise InvalidTokenError("the token's scope is not a string")
    return Identity(
        subject=subject,
        permissions=frozenset(permissions.split()),
        claims=MappingProxyType(claims),
        expires_at=expires_at,
        issued_at=issued_at,
    )


def _time(claims: dict[str, Any], name: str) -> float | None:
    if name not in claims:
        return None
    value = claims[name]
    if type(value) not in (int, float) or not 0 <= value <= _LATEST:
        raise InvalidTokenError(f"the token's {name} is not a time")
    return float(value)
