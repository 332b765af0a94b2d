"""JSON Web Tokens as credentials."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from statemount.auth.bearer import authorization_header, bearer_token
from statemount.auth.claims import ClaimRules
from statemount.auth.compact import SignedToken, parse, read_object
from statemount.auth.jwks import JWKS
from statemount.auth.keys import (
    ALGORITHMS,
    SHARED_SECRET_ALGORITHMS,
    Key,
    KeySet,
    KeySource,
    check_algorithms,
    keys_of,
    shared_keys,
)
from statemount.auth.tokens import TokenIssuer
from statemount.auth.verified import VerifiedTokens, fingerprint
from statemount.clock import system_clock
from statemount.errors import ConfigurationError, InvalidTokenError
from statemount.interfaces import AsgiScope, Authenticator, Clock, Identity, RouteSet

_logger = logging.getLogger("statemount.auth")

EXECUTION_AUDIENCE = "urn:airflow.apache.org:task"
PUBLIC_AUDIENCE = "apache-airflow"

_Memory: TypeAlias = dict[RouteSet, VerifiedTokens]

_MICROSECONDS = 1_000_000
_LONGEST_MEMORY = 300 * _MICROSECONDS  # with keys that somebody else may withdraw


class JWTAuth(Authenticator):
    """Verifies the bearer tokens of workers and of the public API, and renews workers'.

    Args:
        secret: A shared secret; it verifies, and signs unless there is a ``signing_key``. It must be as long as the
            hash of each of its algorithms: 64 bytes with HS512. A ``kid`` in a token is ignored for it.
        keys: Keys that verify; of several for one algorithm each needs a ``kid``.
        jwks: A key set in a file or behind a URL, or its path or URL.
        algorithms: The accepted ones; the first one is what the secret signs with. None = HS512 for the secret, and
            for every other key what it names or what fits it.
        execution_audience: The ``aud`` of workers' tokens. Of several, the first one is what new tokens get.
        public_audience: The ``aud`` of tokens for the public API; likewise.
        issuer: The ``iss`` that tokens must have; likewise. None = any, also none.
        leeway: Seconds by which the clock of whoever signs may differ.
        signing_key: Signs new and renewed tokens; it verifies, too.
        renewal_lifetime: Of a renewed token, in seconds.
        watchers: Whether tokens of triggers without a task instance (subject: the nil UUID) are accepted.
        cache_size: How many verified tokens are remembered.
        allow_short_secret: Let a secret of 16 bytes be enough, whatever its algorithms.

    Raises:
        ConfigurationError: Nothing verifies, or a key, a secret or an algorithm is not acceptable.
    """

    def __init__(
        self,
        *,
        secret: str | bytes | None = None,
        keys: Iterable[KeySource] = (),
        jwks: JWKS | str | os.PathLike[str] | None = None,
        algorithms: Sequence[str] | None = None,
        execution_audience: str | Sequence[str] = EXECUTION_AUDIENCE,
        public_audience: str | Sequence[str] = PUBLIC_AUDIENCE,
        issuer: str | Sequence[str] | None = None,
        leeway: float = 10.0,
        signing_key: KeySource | None = None,
        renewal_lifetime: int = 600,
        watchers: bool = False,
        cache_size: int = 32_768,
        allow_short_secret: bool = False,
        clock: Clock = system_clock,
    ) -> None:
        if leeway < 0 or renewal_lifetime <= 0:
            raise ConfigurationError("the leeway must not be negative, and the renewal lifetime must be positive")
        accepted = None if algorithms is None else check_algorithms(algorithms)
        own, signing = _own_keys(secret, keys, accepted, signing_key, allow_short=allow_short_secret)
        if jwks is not None and not isinstance(jwks, JWKS):
            jwks = JWKS(jwks, algorithms=accepted, clock=clock)
        if not own and jwks is None:
            raise ConfigurationError("nothing verifies tokens: give a secret, keys or a key set")
        self._own = KeySet(own)
        self._accepted = accepted
        self._jwks = jwks
        self._published = KeySet()
        execution, public = _names(execution_audience), _names(public_audience)
        issuers = None if issuer is None else _names(issuer)
        self._rules = ClaimRules(
            audiences={"execution": frozenset(execution), "public": frozenset(public)},
            issuers=None if issuers is None else frozenset(issuers),
            leeway=leeway,
            watchers=watchers,
        )
        self._tokens: TokenIssuer | None = None
        if signing is not None:
            self._tokens = TokenIssuer(
                signing,
                clock=clock,
                execution_audience=execution[0],
                public_audience=public[0],
                issuer=None if issuers is None else issuers[0],
            )
        self._renewal_lifetime = renewal_lifetime
        self._cache_size = cache_size
        self._clock = clock
        self._memory = self._new_memory()

    def __repr__(self) -> str:
        return f"JWTAuth(keys={list(self._own)!r}, jwks={self._jwks!r}, issues={self._tokens is not None})"

    @property
    def tokens(self) -> TokenIssuer:
        """What signs new tokens.

        Raises:
            ConfigurationError: There is no key that signs.
        """
        if self._tokens is None:
            raise ConfigurationError("there is no key that signs tokens: give a secret or a signing key")
        return self._tokens

    async def open(self) -> None:
        """Get the key set ready."""
        if self._jwks is not None:
            await self._jwks.open()

    async def close(self) -> None:
        """End what the key set is doing."""
        if self._jwks is not None:
            await self._jwks.close()

    async def authenticate(self, asgi_scope: AsgiScope, route_set: RouteSet) -> Identity:
        """Return who holds the bearer token; see :class:`~statemount.interfaces.Authenticator`."""
        header = authorization_header(asgi_scope)
        key = fingerprint(header)
        memory = self._memory if self._jwks is None else self._adopt(self._jwks.known)
        identity = memory[route_set].get(key, self._clock())
        if identity is None:
            identity = await self._verify(header, key, route_set)
        return identity

    def renew(self, identity: Identity) -> str | None:
        """Return a fresh token for a worker whose own has less than max(20 % of its life, 30 s) left, or None."""
        expires_at, issued_at = identity.expires_at, identity.issued_at
        if expires_at is None or issued_at is None or self._tokens is None:
            return None
        left = expires_at - self._clock() / _MICROSECONDS
        if left >= 30 and left >= 0.2 * (expires_at - issued_at):
            return None
        is_worker = identity.is_watcher or identity.task_instance_id is not None
        if not is_worker or not identity.claims or left <= -self._rules.leeway:
            return None
        try:
            return self._tokens.renewed(identity.claims, lifetime=self._renewal_lifetime)
        except ConfigurationError as error:
            _logger.warning("a token is not renewed: %s", error)
            return None

    async def _verify(self, header: bytes, key: bytes, route_set: RouteSet) -> Identity:
        token = parse(bearer_token(header))
        if self._accepted is not None and token.algorithm not in self._accepted:
            raise InvalidTokenError(f"the algorithm {token.algorithm[:20]!r} is not accepted")
        memory = self._memory
        if not _is_signed(token, self._own.find(token.algorithm, token.kid)):
            memory = await self._check_published(token)
        now = self._clock()
        verdict = self._rules.judge(read_object(token.payload, "payload"), route_set, now / _MICROSECONDS)
        until = int(verdict.until * _MICROSECONDS)
        if self._jwks is not None:
            until = min(until, now + _LONGEST_MEMORY)
        memory[route_set].add(key, verdict.identity, since=int(verdict.since * _MICROSECONDS), until=until)
        return verdict.identity

    async def _check_published(self, token: SignedToken) -> _Memory:
        """Return the memory that goes with the published keys of which one has signed the token."""
        unsigned = InvalidTokenError(
            f"no key verifies the token (algorithm {token.algorithm[:20]!r}, kid {(token.kid or '')[:100]!r})"
        )
        if self._jwks is None or token.algorithm not in ALGORITHMS:
            raise unsigned
        memory = self._adopt(await self._jwks.keys())
        key = self._published.find(token.algorithm, token.kid)
        if _is_signed(token, key):
            return memory
        if key is not None and key.kid is not None and key.kid == token.kid:
            raise unsigned
        memory = self._adopt(await self._jwks.refreshed())
        if not _is_signed(token, self._published.find(token.algorithm, token.kid)):
            raise unsigned
        return memory

    def _adopt(self, published: KeySet) -> _Memory:
        """Return the memory for these published keys: a new one when they have changed."""
        if published is not self._published:
            self._published = published
            self._memory = self._new_memory()
        return self._memory

    def _new_memory(self) -> _Memory:
        return {"execution": VerifiedTokens(self._cache_size), "public": VerifiedTokens(self._cache_size)}


def _is_signed(token: SignedToken, key: Key | None) -> bool:
    return key is not None and key.verify(token.message, token.signature)


def _names(value: str | Sequence[str]) -> list[str]:
    names = [value] if isinstance(value, str) else list(value)
    if not names or not all(names):
        raise ConfigurationError("an audience or issuer must be a name, or a list of at least one")
    return names


def _own_keys(
    secret: str | bytes | None,
    sources: Iterable[KeySource],
    accepted: Sequence[str] | None,
    signing_source: KeySource | None,
    *,
    allow_short: bool,
) -> tuple[list[Key], Key | None]:
    """Return the keys that verify, and the one that signs."""
    if isinstance(sources, (str, bytes)):
        raise ConfigurationError("keys must be a list of keys")
    own: list[Key] = []
    signing: Key | None = None
    if secret is not None:
        own += shared_keys(secret, _shared_secret_algorithms(accepted), allow_short=allow_short)
        signing = own[0]
    for source in sources:
        own += keys_of(source, accepted)
    names = [(key.algorithm, key.kid) for key in own]
    if len(set(names)) < len(names):
        raise ConfigurationError("of several keys for one algorithm each needs a kid of its own")
    if signing_source is not None:
        signing = keys_of(signing_source, accepted)[0]
        if (signing.algorithm, signing.kid) not in names:
            own.append(signing)
    if signing is not None:
        _check_signing(signing, KeySet(own))
    return own, signing


def _shared_secret_algorithms(accepted: Sequence[str] | None) -> Sequence[str]:
    if accepted is None:
        return ["HS512"]
    algorithms = [algorithm for algorithm in accepted if algorithm in SHARED_SECRET_ALGORITHMS]
    if not algorithms:
        raise ConfigurationError("a shared secret needs HS256, HS384 or HS512 among the accepted algorithms")
    return algorithms


def _check_signing(signing: Key, keys: KeySet) -> None:
    verifying = keys.find(signing.algorithm, signing.kid)
    if verifying is None:
        raise ConfigurationError("the signing key needs a kid, for there are several keys for its algorithm")
    if not verifying.verify(b"statemount", signing.sign(b"statemount")):
        raise ConfigurationError("the signing key is not the one that verifies under its name")
