"""What an accessor needs of a backend: values and references of one scope, and in which order things are done."""

from __future__ import annotations

import logging
import sys
from typing import Any, NamedTuple
from uuid import uuid4

from anyio import to_thread

from statemount.errors import ConfigurationError, InvalidInputError, Problem
from statemount.model import JsonValue, Scope, TaskScope
from statemount.worker.backends import BaseStateBackend
from statemount.worker.errors import BackendError
from statemount.worker.references import MARKER, marked, reference_in

_logger = logging.getLogger(__name__)


class Version(NamedTuple):
    """A value that is kept beside that of its key, until it is known whether the server takes its reference.

    Args:
        key: Under which the backend keeps it.
        stored: What the server is to store for it.
    """

    key: str
    stored: JsonValue


class ScopedBackend:
    """A backend for the entries of one scope; without a backend, values are stored on the server as they are.

    Args:
        scope: None = it is not known, which is enough without a backend.

    Raises:
        ConfigurationError: There is a backend and no scope.

    The order of things, which is the accessor's part:

    - set: ``to_stored``, the server's set, ``stored_on_server``;
    - get: the server's get, ``from_stored``;
    - a set on a condition: ``keep_version``, the server's set; then ``replaced`` for what was stored before, or
      ``discard`` if the server refuses. Under the key itself the value would take the place of the winner's;
    - delete and clear: the server's, then ours. A reference never names a value that was removed; if we fail, a value
      is left that nobody sees, and that the next set of its key replaces;
    - when the server clears by itself as the task succeeds (``clear_on_success``): ``clear`` alone.
    """

    def __init__(self, scope: Scope | None, backend: BaseStateBackend | None) -> None:
        if scope is None and backend is not None:
            raise ConfigurationError(
                "a worker-side backend needs the ids of the task: dag_id, run_id, task_id and, if mapped, map_index"
            )
        self.scope = scope
        self.backend = backend
        self._is_task = isinstance(scope, TaskScope)
        self._passed_scope: Any = scope if scope is None or backend is None else _scope_for(backend, scope)

    def to_stored(self, key: str, value: JsonValue) -> JsonValue:
        """Keep a value; return what the server is to store for it.

        Raises:
            InvalidInputError: It is no JSON value, or could not be told from a reference.
            BackendError: It is not kept.
        """
        if self.backend is None:
            if reference_in(value) is not None:
                message = f"an object whose only key is {MARKER!r} stands for a value that a worker-side backend keeps"
                raise InvalidInputError([Problem("value_error", ("body", "value"), message)])
            return value
        if self._is_task:
            reference = self.backend.serialize_task_state_store_to_ref(value=value, key=key, scope=self._passed_scope)
        else:
            reference = self.backend.serialize_asset_state_store_to_ref(value=value, key=key, scope=self._passed_scope)
        return marked(reference)

    def stored_on_server(self, key: str, stored: JsonValue) -> None:
        """Let the backend remove what ``stored``, which the server has accepted, no longer names.

        A failure is logged: the value is written, and what is left of the last one does no harm.
        """
        written = getattr(self.backend, "reference_written", None)
        reference = reference_in(stored)
        if written is None or reference is None:
            return
        try:
            written(self._passed_scope, key, reference)
        except BackendError as error:
            self._warn_of_left(key, error)

    @property
    def has_versions(self) -> bool:
        """Whether the backend wants to hear of references that were replaced."""
        replaced = getattr(type(self.backend), "reference_replaced", None)
        return replaced is not None and replaced is not BaseStateBackend.reference_replaced

    def keep_version(self, key: str, value: JsonValue) -> Version:
        """Keep a value under a key of its own; return what the server is to store for it.

        Raises:
            InvalidInputError: It is no JSON value, or could not be told from a reference.
            BackendError: It is not kept.
        """
        version = f"{key}~{uuid4().hex}"
        return Version(version, self.to_stored(version, value))

    def discard(self, version: Version) -> None:
        """Remove a version that the server has not taken. A failure is logged: nothing names what is left."""
        if self.backend is None:
            return
        try:
            self.backend.delete(self._passed_scope, version.key)
        except BackendError as error:
            _logger.warning("a value that key %r of %s did not get is left behind: %s", version.key, self.scope, error)

    def replaced(self, key: str, stored: JsonValue) -> None:
        """Let the backend remove the version that ``stored`` named, which the server no longer has.

        A failure is logged: nothing names what is left.

        Args:
            stored: What the server had at the revision that was replaced; None = nothing.
        """
        reference = reference_in(stored)
        if reference is None or not self.has_versions:
            return
        backend: Any = self.backend
        try:
            backend.reference_replaced(self._passed_scope, key, reference)
        except BackendError as error:
            self._warn_of_left(key, error)

    def from_stored(self, key: str, stored: JsonValue) -> JsonValue:
        """Return the value for what the server has stored. One that the backend did not keep is returned as it is.

        Raises:
            ConfigurationError: A backend keeps the value, and there is none here.
            MissingObjectError: The backend does not have it (any more).
            BackendError: The backend cannot be asked.
        """
        reference = reference_in(stored)
        if self.backend is None:
            if reference is not None:
                raise ConfigurationError(
                    f"the value of key {key!r} is kept by a worker-side backend ({reference!r}), and none is configured"
                )
            return stored
        if reference is None:
            _logger.warning(
                "the value of key %r of %s was written without the worker-side backend; it is returned as it is",
                key,
                self.scope,
            )
            return stored
        if self._is_task:
            return self.backend.deserialize_task_state_store_from_ref(reference)
        return self.backend.deserialize_asset_state_store_from_ref(reference)

    def delete(self, key: str) -> None:
        """Remove the value of a key, once the server has no reference to it any more.

        Raises:
            BackendError: It may still be there.
        """
        if self.backend is not None:
            self.backend.delete(self._passed_scope, key)

    def clear(self, *, all_map_indices: bool = False) -> None:
        """Remove all values of the scope, once the server has no references to them any more.

        Raises:
            BackendError: Some may still be there.
        """
        if self.backend is not None:
            self.backend.clear(self._passed_scope, all_map_indices=all_map_indices)

    async def akeep_version(self, key: str, value: JsonValue) -> Version:
        """Do what ``keep_version`` does, in a thread if there is a backend."""
        if self.backend is None:
            return self.keep_version(key, value)
        return await to_thread.run_sync(self.keep_version, key, value)

    async def adiscard(self, version: Version) -> None:
        """Do what ``discard`` does, in a thread if there is a backend."""
        if self.backend is not None:
            await to_thread.run_sync(self.discard, version)

    async def areplaced(self, key: str, stored: JsonValue) -> None:
        """Do what ``replaced`` does, in a thread if there is anything to do."""
        if self.has_versions and reference_in(stored) is not None:
            await to_thread.run_sync(self.replaced, key, stored)

    async def ato_stored(self, key: str, value: JsonValue) -> JsonValue:
        """Do what ``to_stored`` does, in a thread if there is a backend."""
        if self.backend is None:
            return self.to_stored(key, value)
        return await to_thread.run_sync(self.to_stored, key, value)

    async def astored_on_server(self, key: str, stored: JsonValue) -> None:
        """Do what ``stored_on_server`` does, in a thread if there is a backend."""
        if self.backend is not None:
            await to_thread.run_sync(self.stored_on_server, key, stored)

    async def afrom_stored(self, key: str, stored: JsonValue) -> JsonValue:
        """Do what ``from_stored`` does, in a thread if there is a backend."""
        if self.backend is None:
            return self.from_stored(key, stored)
        return await to_thread.run_sync(self.from_stored, key, stored)

    async def adelete(self, key: str) -> None:
        """Do what ``delete`` does."""
        if self.backend is not None:
            await self.backend.adelete(self._passed_scope, key)

    async def aclear(self, *, all_map_indices: bool = False) -> None:
        """Do what ``clear`` does."""
        if self.backend is not None:
            await self.backend.aclear(self._passed_scope, all_map_indices=all_map_indices)

    def _warn_of_left(self, key: str, error: BackendError) -> None:
        _logger.warning("the value that key %r of %s had before is left behind: %s", key, self.scope, error)


def _scope_for(backend: BaseStateBackend, scope: Scope) -> Any:
    """Return the scope in the class that the backend matches: Airflow's for a backend that was written for Airflow."""
    name = type(scope).__name__
    for base in type(backend).__mro__:
        if base.__name__ == "BaseStoreBackend":
            airflow_class = getattr(sys.modules.get(base.__module__), name, None)
            if airflow_class is not None:
                return airflow_class(**{field: getattr(scope, field) for field in scope.__dataclass_fields__})
    return scope
