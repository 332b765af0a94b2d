"""Keys that verify and sign tokens. The one importer of PyJWT and cryptography, for asymmetric keys.

Both take long to import, and a shared secret needs neither.

A key is pinned to one algorithm of JSON Web Algorithms (RFC 7518): a token that names another one never reaches it.
Keys that a token brings along in its header (``jwk``, ``jku``, ``x5c``, ``x5u``) are never looked at.
"""

from __future__ import annotations

import hmac
import json
import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, Union

from statemount.errors import ConfigurationError

if TYPE_CHECKING:
    import jwt
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

_logger = logging.getLogger("statemount.auth")

SHARED_SECRET_ALGORITHMS = ("HS512", "HS384", "HS256")
"""HMAC with one secret that both sides know."""

MIN_SECRET_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}
"""Shortest shared secret for each algorithm (RFC 7518, section 3.2)."""

LEAST_SECRET_BYTES = 16
"""Shortest shared secret that is accepted from who asks for short ones."""

MIN_RSA_BITS = 2048
"""Shortest RSA key that is accepted (RFC 7518, section 3.3)."""

_RSA_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVE_ALGORITHMS = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512", "secp256k1": "ES256K"}
ALGORITHMS = frozenset((*SHARED_SECRET_ALGORITHMS, *_RSA_ALGORITHMS, *_CURVE_ALGORITHMS.values(), "EdDSA"))
"""Every algorithm that a key may have. ``none`` is not among them."""

_PrivateKey: TypeAlias = (
    "rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey"
)
_PublicKey: TypeAlias = "rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey"

# Whatever is an asymmetric key (PEM, OpenSSH, DER) or a JSON Web Key has one of these: PyJWT is asked about it.
_LIKE_A_KEY = re.compile(rb"[^ -~]|\{|----|ssh-|ecdsa-|-cert-")


class _Algorithm(Protocol):
    """How messages are signed; the names are those of PyJWT's algorithms."""

    def sign(self, msg: bytes, key: Any) -> bytes:
        """Return the signature of a message."""

    def verify(self, msg: bytes, key: Any, sig: bytes) -> bool:
        """Tell whether a signature is the key's, of this message."""


class _Hmac:
    """HMAC with SHA-2 (RFC 7518, section 3.2)."""

    def __init__(self, digest: str) -> None:
        self._digest = digest

    def sign(self, msg: bytes, key: bytes) -> bytes:
        return hmac.digest(key, msg, self._digest)

    def verify(self, msg: bytes, key: bytes, sig: bytes) -> bool:
        return hmac.compare_digest(hmac.digest(key, msg, self._digest), sig)


_HMACS = {"HS256": _Hmac("sha256"), "HS384": _Hmac("sha384"), "HS512": _Hmac("sha512")}


def _algorithm(name: str) -> _Algorithm:
    found = _HMACS.get(name)
    if found is not None:
        return found
    import jwt

    return jwt.get_algorithm_by_name(name)


class Key:
    """One key, for one algorithm. Made by :meth:`shared`, :meth:`pem` and :meth:`jwk`.

    Args:
        algorithm: The only algorithm that it is used with.
        kid: What tokens call it; None = it has no name.
        verifying: The secret, or the public key.
        signing: The secret, or the private key; None = it only verifies.
    """

    __slots__ = ("_implementation", "_signing", "_verifying", "algorithm", "kid")

    def __init__(
        self, algorithm: str, kid: str | None, verifying: bytes | _PublicKey, signing: bytes | _PrivateKey | None
    ) -> None:
        self.algorithm: str = algorithm
        self.kid: str | None = kid
        self._implementation = _algorithm(algorithm)
        self._verifying = verifying
        self._signing = signing

    def __repr__(self) -> str:
        return f"Key(algorithm={self.algorithm!r}, kid={self.kid!r}, signs={self.signs})"

    @classmethod
    def shared(
        cls, secret: str | bytes, *, algorithm: str = "HS512", kid: str | None = None, allow_short: bool = False
    ) -> Key:
        """Return the key for a shared secret; it verifies and signs.

        Args:
            secret: At least as long as the algorithm's hash: 32, 48 or 64 bytes; text is UTF-8.
            algorithm: HS256, HS384 or HS512.
            allow_short: Let 16 bytes be enough; that is logged as a warning.

        Raises:
            ConfigurationError: The secret is too short, or is an asymmetric key.
        """
        return shared_keys(secret, [algorithm], kid=kid, allow_short=allow_short)[0]

    @classmethod
    def pem(
        cls,
        source: str | bytes | os.PathLike[str],
        *,
        algorithm: str | None = None,
        kid: str | None = None,
        password: bytes | None = None,
    ) -> Key:
        """Return an asymmetric key; a private one verifies and signs, a public key or certificate verifies.

        Args:
            source: PEM as text or bytes, or the path of a PEM file.
            algorithm: None = what fits the key: RS256 for RSA, ES256, ES384, ES512 or ES256K by curve, EdDSA.
            password: For an encrypted private key.

        Raises:
            ConfigurationError: It cannot be read, or does not fit the algorithm.
        """
        return _asymmetric(_load_pem(source, password), _one(algorithm), kid)[0]

    @classmethod
    def jwk(cls, data: Mapping[str, Any], *, algorithm: str | None = None) -> Key:
        """Return the key of a JSON Web Key (RFC 7517): its ``kid``, and its ``alg`` unless one is given.

        Raises:
            ConfigurationError: It cannot be read, is not for signatures, or does not fit the algorithm.
        """
        return jwk_keys(data, _one(algorithm))[0]

    @property
    def signs(self) -> bool:
        """Whether it can sign."""
        return self._signing is not None

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Tell whether the signature is this key's, of this message."""
        return self._implementation.verify(message, self._verifying, signature)

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message.

        Raises:
            ConfigurationError: It is a public key.
        """
        if self._signing is None:
            raise ConfigurationError(f"{self!r} is a public key: it cannot sign")
        return self._implementation.sign(message, self._signing)


KeySource: TypeAlias = Union[Key, "jwt.PyJWK", Mapping[str, Any], str, bytes, "os.PathLike[str]"]
"""A key, a JSON Web Key (also PyJWT's), or PEM as text, bytes or the path of a file."""


class KeySet:
    """Keys among which a token's header selects."""

    def __init__(self, keys: Iterable[Key] = ()) -> None:
        self._keys = tuple(keys)
        self._by_algorithm: dict[str, list[Key]] = {}
        for key in self._keys:
            self._by_algorithm.setdefault(key.algorithm, []).append(key)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __repr__(self) -> str:
        return f"KeySet({list(self._keys)!r})"

    def find(self, algorithm: str, kid: str | None) -> Key | None:
        """Return the one key that a token means, or None if there is none or more than one.

        A ``kid`` means the key of that name, or else the key without a name; no ``kid`` means the only key that
        fits the algorithm.
        """
        fitting = self._by_algorithm.get(algorithm, [])
        if kid is not None:
            fitting = [key for key in fitting if key.kid == kid] or [key for key in fitting if key.kid is None]
        return fitting[0] if len(fitting) == 1 else None


def import_asymmetric() -> None:
    """Import what asymmetric keys need: ahead of an event loop, which it would hold up."""
    import jwt  # noqa: F401 - which imports cryptography


def check_algorithms(algorithms: Sequence[str]) -> tuple[str, ...]:
    """Return a list of accepted algorithms.

    Raises:
        ConfigurationError: It is empty, or one of them is ``none`` or unknown.
    """
    if isinstance(algorithms, str) or not algorithms:
        raise ConfigurationError("the accepted algorithms must be a list of at least one")
    for algorithm in algorithms:
        if algorithm not in ALGORITHMS:
            raise ConfigurationError(f"{algorithm!r} is not an accepted algorithm: {', '.join(sorted(ALGORITHMS))}")
    return tuple(algorithms)


def shared_keys(
    secret: str | bytes, algorithms: Sequence[str], *, kid: str | None = None, allow_short: bool = False
) -> list[Key]:
    """Return one key for each algorithm, all of one shared secret.

    Args:
        allow_short: Let :data:`LEAST_SECRET_BYTES` be enough.

    Raises:
        ConfigurationError: The secret is too short, or is an asymmetric key; an algorithm is not HS256, 384 or 512.
    """
    raw = secret.encode() if isinstance(secret, str) else bytes(secret)
    for algorithm in algorithms:
        if algorithm not in SHARED_SECRET_ALGORITHMS:
            raise ConfigurationError(f"a shared secret goes with HS256, HS384 or HS512, not with {algorithm!r}")
    _check_length(len(raw), algorithms, allow_short=allow_short)
    if _LIKE_A_KEY.search(raw) is not None and _is_key(raw):
        raise ConfigurationError("the shared secret is an asymmetric key or a JSON Web Key")
    return [Key(algorithm, kid, raw, raw) for algorithm in algorithms]


def _check_length(length: int, algorithms: Sequence[str], *, allow_short: bool) -> None:
    demanding = max(algorithms, key=MIN_SECRET_BYTES.__getitem__)
    wanted = MIN_SECRET_BYTES[demanding]
    if length >= wanted:
        return
    if not allow_short or length < LEAST_SECRET_BYTES:
        least = f"{LEAST_SECRET_BYTES} bytes, even if short ones are allowed"
        if not allow_short:
            least = f"{wanted} bytes with {demanding} (RFC 7518), unless short ones are allowed"
        raise ConfigurationError(f"the shared secret must have at least {least}; it has {length}")
    _logger.warning("the shared secret has %d bytes; RFC 7518 asks for %d with %s", length, wanted, demanding)


def keys_of(source: KeySource, algorithms: Sequence[str] | None = None) -> list[Key]:
    """Return the keys of one source, one for each accepted algorithm that it may be used with.

    Args:
        algorithms: The accepted ones; None = the one that the source names, or that fits it.

    Raises:
        ConfigurationError: It cannot be read, or fits no accepted algorithm.
    """
    if isinstance(source, Key):
        if algorithms is not None and source.algorithm not in algorithms:
            raise ConfigurationError(f"{source!r} does not fit the accepted algorithms: {', '.join(algorithms)}")
        return [source]
    if isinstance(source, Mapping):
        return jwk_keys(source, algorithms)
    import jwt

    if isinstance(source, jwt.PyJWK):
        named = getattr(source, "algorithm_name", None)  # PyJWT >= 2.9
        if isinstance(source.key, bytes):
            return shared_keys(source.key, _narrowed(named, SHARED_SECRET_ALGORITHMS, algorithms), kid=source.key_id)
        return _asymmetric(source.key, _narrowed(named, _fitting(_public(source.key)), algorithms), source.key_id)
    return _asymmetric(_load_pem(source, None), algorithms, None)


def jwk_keys(data: Mapping[str, Any], algorithms: Sequence[str] | None = None) -> list[Key]:
    """Return the keys of a JSON Web Key: as :func:`keys_of`."""
    kid, named, kty = data.get("kid"), data.get("alg"), data.get("kty")
    if kid is not None and not isinstance(kid, str):
        raise ConfigurationError("the kid of a JSON Web Key must be a string")
    operations = data.get("key_ops")
    if data.get("use", "sig") != "sig" or (
        isinstance(operations, list) and not {"verify", "sign"}.intersection(map(str, operations))
    ):
        raise ConfigurationError(f"the JSON Web Key {kid!r} is not for signatures")
    import jwt
    from cryptography.exceptions import UnsupportedAlgorithm

    reader = {"oct": "HS512", "RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}.get(kty if isinstance(kty, str) else "")
    if reader is None:
        raise ConfigurationError(f"the JSON Web Key {kid!r} is of an unknown type")
    try:
        key = jwt.get_algorithm_by_name(reader).from_jwk(dict(data))
    except (jwt.PyJWTError, UnsupportedAlgorithm, ValueError, TypeError, AttributeError, KeyError) as error:
        # The texts of these errors may quote the key.
        raise ConfigurationError(f"the JSON Web Key {kid!r} cannot be read ({type(error).__name__})") from None
    if isinstance(key, bytes):
        return shared_keys(key, _narrowed(named, SHARED_SECRET_ALGORITHMS, algorithms), kid=kid)
    return _asymmetric(key, _narrowed(named, _fitting(_public(key)), algorithms), kid)


def _is_key(secret: bytes) -> bool:
    """Tell whether a secret is an asymmetric key, or the text of a JSON Web Key (PyJWT < 2.13 knows none)."""
    import jwt

    try:
        jwt.get_algorithm_by_name("HS512").prepare_key(secret)
    except jwt.InvalidKeyError:
        return True
    try:
        document = json.loads(secret)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and not {"kty", "keys"}.isdisjoint(document)


def _one(algorithm: str | None) -> list[str] | None:
    return None if algorithm is None else [algorithm]


def _narrowed(named: Any, fitting: Sequence[str], accepted: Sequence[str] | None) -> list[str]:
    """Return the algorithms for a key: those that fit it and are accepted; the one that it names, if it does."""
    if accepted is None:
        candidates = list(fitting[:1]) if named is None else [named]
    else:
        candidates = [algorithm for algorithm in accepted if named is None or algorithm == named]
    algorithms = [algorithm for algorithm in candidates if algorithm in fitting]
    if not algorithms:
        raise ConfigurationError(f"the key goes with {', '.join(fitting)}: none of these is accepted or named by it")
    return algorithms


def _asymmetric(key: Any, algorithms: Sequence[str] | None, kid: str | None) -> list[Key]:
    public = _public(key)
    signing = None if key is public else key
    return [Key(algorithm, kid, public, signing) for algorithm in _narrowed(None, _fitting(public), algorithms)]


def _public(key: Any) -> _PublicKey:
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

    if isinstance(key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)):
        return key
    if isinstance(
        key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey)
    ):
        return key.public_key()
    raise ConfigurationError(f"a key of the type {type(key).__name__} does not sign tokens")


def _fitting(public: _PublicKey) -> tuple[str, ...]:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if isinstance(public, rsa.RSAPublicKey):
        if public.key_size < MIN_RSA_BITS:
            raise ConfigurationError(f"an RSA key must have at least {MIN_RSA_BITS} bits, but has {public.key_size}")
        return _RSA_ALGORITHMS
    if isinstance(public, ec.EllipticCurvePublicKey):
        algorithm = _CURVE_ALGORITHMS.get(public.curve.name)
        if algorithm is None:
            raise ConfigurationError(f"the curve {public.curve.name} does not sign tokens")
        return (algorithm,)
    return ("EdDSA",)


def _load_pem(source: str | bytes | os.PathLike[str], password: bytes | None) -> Any:
    if isinstance(source, str) and "-----BEGIN" in source:
        source = source.encode()
    if not isinstance(source, bytes):
        try:
            source = Path(source).read_bytes()
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"the key file cannot be read ({type(error).__name__})") from None
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

    try:
        if b"PRIVATE KEY" in source:
            return load_pem_private_key(source, password)
        if b"BEGIN CERTIFICATE" in source:
            return x509.load_pem_x509_certificate(source).public_key()
        return load_pem_public_key(source)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(f"the PEM key cannot be read: {error}") from None
