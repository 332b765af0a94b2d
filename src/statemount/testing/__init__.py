"""What tests of other projects use. Each name is imported when it is first used: it needs pytest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from statemount.testing.backends import BackendConformance
    from statemount.testing.clock import FakeClock
    from statemount.testing.transports import PortalTransport
    from statemount.testing.workers import SyncWorker, SyncWorkerFactory, Worker, WorkerFactory

__all__ = [
    "BackendConformance",
    "FakeClock",
    "PortalTransport",
    "SyncWorker",
    "SyncWorkerFactory",
    "Worker",
    "WorkerFactory",
]

_HOMES = {
    "BackendConformance": "backends",
    "FakeClock": "clock",
    "PortalTransport": "transports",
    "SyncWorker": "workers",
    "SyncWorkerFactory": "workers",
    "Worker": "workers",
    "WorkerFactory": "workers",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import sys
    from importlib import import_module

    import pytest

    module = f"{__name__}.{home}"
    if module not in sys.modules:
        pytest.register_assert_rewrite(module)
    found = globals()[name] = getattr(import_module(module), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
