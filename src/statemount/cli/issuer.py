"""What signs the tokens that the command line prints."""

from __future__ import annotations

from statemount.auth.jwt import JWTAuth
from statemount.auth.tokens import TokenIssuer
from statemount.clock import system_clock
from statemount.errors import ConfigurationError
from statemount.parts import authenticator_of
from statemount.settings import Settings


def issuer_of(settings: Settings) -> TokenIssuer:
    """Return what signs tokens that the app with these settings accepts.

    Raises:
        ConfigurationError: The settings name no key that signs.
    """
    authenticator = authenticator_of(settings, system_clock)
    if not isinstance(authenticator, JWTAuth):
        raise ConfigurationError("no key signs tokens: set STATEMOUNT_JWT_SECRET or STATEMOUNT_JWT_SIGNING_KEY")
    return authenticator.tokens
