"""Signs tokens: for workers, for the public API, and the fresh one for a token about to expire."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID, uuid4

from statemount.auth.compact import serialise
from statemount.auth.keys import Key
from statemount.errors import ConfigurationError
from statemount.interfaces import Clock


class TokenIssuer:
    """Signs tokens with one key.

    Args:
        key: One that can sign.
        execution_audience: The ``aud`` of workers' tokens.
        public_audience: The ``aud`` of tokens for the public API.
        issuer: The ``iss`` of every token; None = without.

    Raises:
        ConfigurationError: The key cannot sign.
    """

    def __init__(
        self, key: Key, *, clock: Clock, execution_audience: str, public_audience: str, issuer: str | None = None
    ) -> None:
        if not key.signs:
            raise ConfigurationError(f"{key!r} is a public key: it cannot sign")
        self._key = key
        self._clock = clock
        self._execution_audience = execution_audience
        self._public_audience = public_audience
        self._issuer = issuer

    def __repr__(self) -> str:
        return f"TokenIssuer({self._key!r})"

    def worker(self, task_instance_id: UUID, *, lifetime: int = 600, claims: Mapping[str, Any] | None = None) -> str:
        """Return a token for a task instance; for the nil UUID: for a watcher.

        Args:
            lifetime: In seconds.
            claims: Further claims; they do not replace those of this method.

        Raises:
            ConfigurationError: The lifetime is not positive, or a claim is no JSON.
        """
        own = {"sub": str(task_instance_id), "scope": "execution", "aud": self._execution_audience}
        return self._issue({**(claims or {}), **own}, lifetime)

    def public(
        self,
        subject: str,
        permissions: Iterable[str],
        *,
        lifetime: int = 3600,
        claims: Mapping[str, Any] | None = None,
    ) -> str:
        """Return a token for the public API.

        Args:
            permissions: ``state:read``, ``state:write``, ``state:delete``, ``directory:read``, ``directory:write``.
            lifetime: In seconds.
            claims: Further claims; they do not replace those of this method.

        Raises:
            ConfigurationError: The lifetime is not positive, or a claim is no JSON.
        """
        own = {"sub": subject, "scope": " ".join(permissions), "aud": self._public_audience}
        return self._issue({**(claims or {}), **own}, lifetime)

    def renewed(self, claims: Mapping[str, Any], *, lifetime: int) -> str:
        """Return a token with the same claims, but for a new ``jti`` and new times.

        The ``jti`` of the first token of its line stays in ``origin_jti``, by which all of them can be revoked.

        Raises:
            ConfigurationError: A claim cannot be written as JSON.
        """
        first = claims.get("origin_jti", claims.get("jti"))
        return self._sign(claims if first is None else {**claims, "origin_jti": first}, lifetime)

    def _issue(self, claims: dict[str, Any], lifetime: int) -> str:
        if lifetime <= 0:
            raise ConfigurationError(f"a token's lifetime must be positive, but is {lifetime} seconds")
        if self._issuer is not None:
            claims["iss"] = self._issuer
        return self._sign(claims, lifetime)

    def _sign(self, claims: Mapping[str, Any], lifetime: int) -> str:
        now = self._clock() // 1_000_000
        times = {"iat": now, "nbf": now, "exp": now + lifetime, "jti": uuid4().hex}
        try:
            return serialise({**claims, **times}, self._key)
        except (ValueError, TypeError, RecursionError) as error:
            raise ConfigurationError(f"the claims cannot be written as JSON ({type(error).__name__})") from None
