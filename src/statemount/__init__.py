"""Task state and asset state (Airflow's AIP-103) for any web application or orchestrator, as one ASGI app.

Each name is imported when it is first used, so that a part of the package costs what it needs, no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from statemount.auth import JWKS, DefaultAuthorizer, HostAuth, JWTAuth
    from statemount.directory.airflow import AirflowDirectory
    from statemount.directory.claims import ClaimsDirectory
    from statemount.directory.memory import MemoryDirectory
    from statemount.directory.open import OpenDirectory
    from statemount.errors import (
        AssetNotFoundError,
        AuthenticationError,
        ConfigurationError,
        ConflictError,
        FailedOperation,
        ForbiddenError,
        HistoryGoneError,
        InvalidInputError,
        InvalidTokenError,
        KeyNotFoundError,
        LockedError,
        NotFoundError,
        OverloadedError,
        PreconditionFailedError,
        Problem,
        SchemaError,
        ScopeFullError,
        StateMountError,
        TaskInstanceNotFoundError,
        TooLargeError,
        TooManyWatchesError,
        UnavailableError,
        UpdateFailedError,
        WriteOutcomeUnknownError,
    )
    from statemount.interfaces import (
        Authenticator,
        Authorizer,
        Credential,
        Directory,
        Identity,
        Registry,
        Resource,
        Revocations,
        Store,
    )
    from statemount.model import (
        Asset,
        AssetScope,
        Change,
        Columns,
        Entry,
        History,
        LogTail,
        MappedTask,
        Page,
        Past,
        Run,
        TaskInstance,
        TaskScope,
        Writer,
    )
    from statemount.mount import StateMount
    from statemount.operations import (
        Check,
        CheckScope,
        Clear,
        Condition,
        Delete,
        Get,
        Increment,
        Maximum,
        Merge,
        Minimum,
        Operation,
        Outcome,
        Result,
        Set,
        Update,
    )
    from statemount.service import StateService
    from statemount.settings import Settings
    from statemount.store.memory import MemoryStore
    from statemount.watching.events import WatchEvent
    from statemount.watching.watch import Watch
    from statemount.web.middleware import StateMiddleware

    __version__: str

__all__ = [
    "JWKS",
    "AirflowDirectory",
    "Asset",
    "AssetNotFoundError",
    "AssetScope",
    "AuthenticationError",
    "Authenticator",
    "Authorizer",
    "Change",
    "Check",
    "CheckScope",
    "ClaimsDirectory",
    "Clear",
    "Columns",
    "Condition",
    "ConfigurationError",
    "ConflictError",
    "Credential",
    "DefaultAuthorizer",
    "Delete",
    "Directory",
    "Entry",
    "FailedOperation",
    "ForbiddenError",
    "Get",
    "History",
    "HistoryGoneError",
    "HostAuth",
    "Identity",
    "Increment",
    "InvalidInputError",
    "InvalidTokenError",
    "JWTAuth",
    "KeyNotFoundError",
    "LockedError",
    "LogTail",
    "MappedTask",
    "Maximum",
    "MemoryDirectory",
    "MemoryStore",
    "Merge",
    "Minimum",
    "NotFoundError",
    "OpenDirectory",
    "Operation",
    "Outcome",
    "OverloadedError",
    "Page",
    "Past",
    "PreconditionFailedError",
    "Problem",
    "Registry",
    "Resource",
    "Result",
    "Revocations",
    "Run",
    "SchemaError",
    "ScopeFullError",
    "Set",
    "Settings",
    "StateMiddleware",
    "StateMount",
    "StateMountError",
    "StateService",
    "Store",
    "TaskInstance",
    "TaskInstanceNotFoundError",
    "TaskScope",
    "TooLargeError",
    "TooManyWatchesError",
    "UnavailableError",
    "Update",
    "UpdateFailedError",
    "Watch",
    "WatchEvent",
    "WriteOutcomeUnknownError",
    "Writer",
    "__version__",
]

_HOMES = {
    "JWKS": "auth",
    "DefaultAuthorizer": "auth",
    "HostAuth": "auth",
    "JWTAuth": "auth",
    "AirflowDirectory": "directory.airflow",
    "ClaimsDirectory": "directory.claims",
    "MemoryDirectory": "directory.memory",
    "OpenDirectory": "directory.open",
    "AssetNotFoundError": "errors",
    "AuthenticationError": "errors",
    "ConfigurationError": "errors",
    "ConflictError": "errors",
    "FailedOperation": "errors",
    "ForbiddenError": "errors",
    "HistoryGoneError": "errors",
    "InvalidInputError": "errors",
    "InvalidTokenError": "errors",
    "KeyNotFoundError": "errors",
    "LockedError": "errors",
    "NotFoundError": "errors",
    "OverloadedError": "errors",
    "PreconditionFailedError": "errors",
    "Problem": "errors",
    "SchemaError": "errors",
    "ScopeFullError": "errors",
    "StateMountError": "errors",
    "TaskInstanceNotFoundError": "errors",
    "TooLargeError": "errors",
    "TooManyWatchesError": "errors",
    "UnavailableError": "errors",
    "UpdateFailedError": "errors",
    "WriteOutcomeUnknownError": "errors",
    "Authenticator": "interfaces",
    "Authorizer": "interfaces",
    "Credential": "interfaces",
    "Directory": "interfaces",
    "Identity": "interfaces",
    "Registry": "interfaces",
    "Resource": "interfaces",
    "Revocations": "interfaces",
    "Store": "interfaces",
    "Asset": "model",
    "AssetScope": "model",
    "Change": "model",
    "Columns": "model",
    "Entry": "model",
    "History": "model",
    "LogTail": "model",
    "MappedTask": "model",
    "Page": "model",
    "Past": "model",
    "Run": "model",
    "TaskInstance": "model",
    "TaskScope": "model",
    "Writer": "model",
    "StateMount": "mount",
    "Check": "operations",
    "CheckScope": "operations",
    "Clear": "operations",
    "Condition": "operations",
    "Delete": "operations",
    "Get": "operations",
    "Increment": "operations",
    "Maximum": "operations",
    "Merge": "operations",
    "Minimum": "operations",
    "Operation": "operations",
    "Outcome": "operations",
    "Result": "operations",
    "Set": "operations",
    "Update": "operations",
    "StateService": "service",
    "Settings": "settings",
    "MemoryStore": "store.memory",
    "WatchEvent": "watching.events",
    "Watch": "watching.watch",
    "StateMiddleware": "web.middleware",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("statemount")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
