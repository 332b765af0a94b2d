"""The pieces that a host may replace. The docstring of an abstract method is its contract.

Nothing here knows an implementation, HTTP bodies or SQL. Every method that waits is called on the event loop of
one runtime; an object that keeps connections opens them in :meth:`Resource.open` and gives them back in
:meth:`Resource.close`.
"""

from __future__ import annotations

from statemount.interfaces.authentication import AsgiScope, Authenticator, Revocations, RouteSet
from statemount.interfaces.authorization import Action, Authorizer
from statemount.interfaces.clock import Clock
from statemount.interfaces.directory import Directory, Registry
from statemount.interfaces.identity import MAX_JTI_LENGTH, Credential, Identity
from statemount.interfaces.resource import Resource
from statemount.interfaces.store import Store

__all__ = [
    "MAX_JTI_LENGTH",
    "Action",
    "AsgiScope",
    "Authenticator",
    "Authorizer",
    "Clock",
    "Credential",
    "Directory",
    "Identity",
    "Registry",
    "Resource",
    "Revocations",
    "RouteSet",
    "Store",
]
