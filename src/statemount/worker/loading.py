"""Finding the worker-side backend of this process, which an environment variable names."""

from __future__ import annotations

import os
import pkgutil
from functools import cache
from threading import RLock

from statemount.errors import ConfigurationError
from statemount.worker.backends import BaseStateBackend

VARIABLE = "STATEMOUNT_WORKER_STATE_BACKEND"
"""The environment variable with the dotted path of a class, or of a function that returns a backend."""

_lock = RLock()


def load_backend(path: str) -> BaseStateBackend:
    """Make a backend.

    Args:
        path: The dotted path of a class, or of a function that returns a backend; it is called without arguments.

    Raises:
        ConfigurationError: There is no such thing, it fails, or it gives no backend.
    """
    try:
        factory = pkgutil.resolve_name(path)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"the worker-side backend {path!r} cannot be loaded: {error}") from error
    if not callable(factory):
        raise ConfigurationError(f"the worker-side backend {path!r} is neither a class nor a function")
    try:
        backend = factory()
    except ConfigurationError:
        raise
    except Exception as error:
        raise ConfigurationError(f"the worker-side backend {path!r} cannot be made: {error!r}") from error
    if not isinstance(backend, BaseStateBackend):
        raise ConfigurationError(
            f"the worker-side backend {path!r} is a {type(backend).__name__}, which lacks methods of BaseStateBackend"
        )
    return backend


def worker_backend() -> BaseStateBackend | None:
    """Return the backend that ``STATEMOUNT_WORKER_STATE_BACKEND`` names; None if it is unset or empty.

    It is made once per process and path, whatever number of threads asks.

    Raises:
        ConfigurationError: It cannot be loaded. The next call tries again.
    """
    path = os.environ.get(VARIABLE, "").strip()
    if not path:
        return None
    with _lock:
        return _loaded_once(path, os.getpid())


@cache
def _loaded_once(path: str, process_id: int) -> BaseStateBackend:
    """Make the backend of a process: what a parent made, with its connections, is not used after a fork."""
    return load_backend(path)


if hasattr(os, "register_at_fork"):
    # Another thread of the parent may hold the lock when it forks.
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
