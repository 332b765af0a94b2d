"""Who is asking, and what they may do."""

from __future__ import annotations

from statemount.auth.host import HostAuth
from statemount.auth.jwks import JWKS
from statemount.auth.jwt import JWTAuth
from statemount.auth.keys import Key
from statemount.auth.policy import DefaultAuthorizer
from statemount.auth.tokens import TokenIssuer

__all__ = ["JWKS", "DefaultAuthorizer", "HostAuth", "JWTAuth", "Key", "TokenIssuer"]
