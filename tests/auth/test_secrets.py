"""Shared secrets that are refused because they are keys, whichever text they are in."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from statemount.auth import JWTAuth
from statemount.errors import ConfigurationError
from tests.auth.support import private_key


@pytest.mark.parametrize("kind", ["RSA-2048", "P-256", "Ed25519"])
def test_openssh_key_as_secret(kind: str) -> None:
    """An OpenSSH public key or private key is refused as a shared secret, with and without its line breaks."""
    key = private_key(kind)
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    for secret in (public, public + b" somebody@host\n", private, private.decode().replace("\n", "\r\n")):
        with pytest.raises(ConfigurationError, match="asymmetric key or a JSON Web Key"):
            JWTAuth(secret=secret)


@pytest.mark.parametrize(
    "secret", ["x" * 61 + "---", "a passphrase, with spaces and {braces} that are no JSON" * 2, "ä" * 40]
)
def test_secret_that_is_no_key(secret: str) -> None:
    """A secret that only has something of a key's look is accepted."""
    assert JWTAuth(secret=secret).tokens is not None
