"""Who is asking, and what they may do. A name is imported when it is asked for first: some need other packages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from statemount.auth.host import HostAuth
    from statemount.auth.jwks import JWKS
    from statemount.auth.jwt import JWTAuth
    from statemount.auth.keys import Key
    from statemount.auth.policy import DefaultAuthorizer
    from statemount.auth.tokens import TokenIssuer

__all__ = ["JWKS", "DefaultAuthorizer", "HostAuth", "JWTAuth", "Key", "TokenIssuer"]

_HOMES = {
    "HostAuth": "host",
    "JWKS": "jwks",
    "JWTAuth": "jwt",
    "Key": "keys",
    "DefaultAuthorizer": "policy",
    "TokenIssuer": "tokens",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
