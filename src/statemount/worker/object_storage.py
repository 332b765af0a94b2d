"""A worker-side backend that keeps large values as objects in S3, GCS, Azure or a local directory."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, get_args

from statemount.errors import ConfigurationError
from statemount.model import AssetScope, JsonValue, Scope, TaskScope
from statemount.worker.backends import ThreadedStateBackend
from statemount.worker.errors import BackendError, MissingObjectError
from statemount.worker.object_access import Objects
from statemount.worker.object_paths import folder_of, is_path, path_of
from statemount.worker.object_texts import Compression, from_bytes, json_text, to_bytes
from statemount.worker.references import marked

if TYPE_CHECKING:
    from obstore.store import ObjectStore

DEFAULT_INLINE_BYTES = 65_535
"""What Airflow 3.3 takes for the largest value of coordination state (``[state_store] max_value_storage_bytes``)."""

_VARIABLE = "STATEMOUNT_OBJECT_STORAGE_"
_OBJECT = "object:"  # no JSON text begins like this


class ObjectStorageBackend(ThreadedStateBackend):
    """Keeps small values in the reference itself, as their JSON text, and larger ones as objects.

    A reference names its object by the path below the place, so that a place can be moved. What is not given comes from
    the environment: ``STATEMOUNT_OBJECT_STORAGE_URL``, ``_INLINE_BYTES``, ``_COMPRESSION`` and ``_RETENTION_DAYS``.

    Args:
        place: Where the objects are: ``s3://bucket/prefix``, ``gs://bucket/prefix``, ``az://container/prefix``,
            ``file:///directory``, ``memory://`` (this object's own), or a store of obstore's. Credentials and endpoint
            of a URL come from the environment, under the provider's usual names.
        inline_bytes: Longest text that the server is to store, marker included, in bytes. A value with a longer one
            becomes an object; 0 = every value does. Default :data:`DEFAULT_INLINE_BYTES`.
        compression: How objects are written, ``gzip`` or ``none``; each is read. Default ``none``.
        retention: How old a task's object may become before ``cleanup`` removes it; longer than the longest retention
            of an entry. None = ``cleanup`` removes nothing.
        clock: Gives the current time, aware.

    Raises:
        ConfigurationError: There is no place, an argument or a variable is not acceptable, or obstore is missing.
    """

    def __init__(
        self,
        place: str | ObjectStore | None = None,
        *,
        inline_bytes: int | None = None,
        compression: Compression | None = None,
        retention: timedelta | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        place = place if place is not None else _text("URL")
        if not place:
            raise ConfigurationError(f"set {_VARIABLE}URL, such as s3://bucket/prefix, or give a place")
        self._objects = Objects(place)
        self._inline_bytes = inline_bytes if inline_bytes is not None else _number("INLINE_BYTES", DEFAULT_INLINE_BYTES)
        self._compression = compression if compression is not None else _compression()
        days = _number("RETENTION_DAYS", 0)
        self._retention = retention if retention is not None else timedelta(days=days) if days else None
        self._clock = clock

    def get(self, scope: Scope, key: str) -> str | None:
        """Return the JSON text in a key's object; None if it has none. A value that is inline is on the server only."""
        path = path_of(scope, key)
        content = self._objects.read(path)
        return None if content is None else _text_in(path, content)

    def set(self, scope: Scope, key: str, value: str, *, expires_at: datetime | None = None) -> None:
        """Write a JSON text into a key's object, however short it is. It does not expire."""
        self._objects.write(path_of(scope, key), to_bytes(value, self._compression))

    def delete(self, scope: Scope, key: str) -> None:
        self._objects.remove(path_of(scope, key))

    def clear(self, scope: Scope, *, all_map_indices: bool = False) -> None:
        self._objects.remove_below(folder_of(scope, all_map_indices=all_map_indices))

    def cleanup(self) -> None:
        """Remove tasks' objects that were last written longer ago than the retention; assets' are never removed.

        Raises:
            BackendError: Some of them may still be there.
        """
        if self._retention is not None:
            self._objects.remove_below("task", before=self._clock() - self._retention)

    def reference_written(self, scope: Scope, key: str, reference: str) -> None:
        """Remove the object of a key whose value is inline now.

        Raises:
            BackendError: It may still be there.
        """
        if not reference.startswith(_OBJECT):
            self._objects.remove(path_of(scope, key))

    def reference_replaced(self, scope: Scope, key: str, reference: str) -> None:
        """Remove the object of a set on a condition.

        Raises:
            BackendError: It may still be there.
        """
        path = reference.removeprefix(_OBJECT)
        is_own = path != reference and is_path(path) and path.startswith(f"{folder_of(scope)}/")
        if is_own and path != path_of(scope, key):
            self._objects.remove(path)

    def serialize_task_state_store_to_ref(self, *, value: JsonValue, key: str, scope: TaskScope) -> str:
        return self._keep(scope, key, value)

    def deserialize_task_state_store_from_ref(self, stored: str) -> JsonValue:
        return self._load(stored)

    def serialize_asset_state_store_to_ref(self, *, value: JsonValue, key: str, scope: AssetScope) -> str:
        return self._keep(scope, key, value)

    def deserialize_asset_state_store_from_ref(self, stored: str) -> JsonValue:
        return self._load(stored)

    def _keep(self, scope: Scope, key: str, value: JsonValue) -> str:
        text = json_text(value)
        # Quotes and backslashes are escaped once more in the reference, so its own length has to be seen.
        if len(text) <= self._inline_bytes and len(json.dumps(marked(text))) <= self._inline_bytes:
            return text
        path = path_of(scope, key)
        self._objects.write(path, to_bytes(text, self._compression))
        return f"{_OBJECT}{path}"

    def _load(self, reference: str) -> JsonValue:
        if not reference.startswith(_OBJECT):
            return _value_of("reference", reference, reference)
        path = reference.removeprefix(_OBJECT)
        if not is_path(path):
            raise BackendError(f"the reference {reference!r} names no object of this backend")
        content = self._objects.read(path)
        if content is None:
            raise MissingObjectError(reference)
        text = _text_in(path, content)
        del content  # it may be large, and so will be the value
        return _value_of("object", path, text)


def _text_in(path: str, content: memoryview) -> str:
    try:
        return from_bytes(content)
    except ValueError as error:
        raise BackendError(f"object {path!r} holds no value: {error}") from error


def _value_of(what: str, name: str, text: str) -> JsonValue:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BackendError(f"{what} {name!r} holds no JSON value: {error}") from error


def _text(name: str) -> str:
    return os.environ.get(_VARIABLE + name, "").strip()


def _number(name: str, default: int) -> int:
    text = _text(name)
    if not text:
        return default
    if not (text.isascii() and text.isdecimal()):
        raise ConfigurationError(f"{_VARIABLE}{name} must be a whole number, not {text!r}")
    return int(text)


def _compression() -> Compression:
    text = _text("COMPRESSION") or "none"
    for known in get_args(Compression):
        if text == known:
            return known  # type: ignore[no-any-return]
    raise ConfigurationError(f"{_VARIABLE}COMPRESSION must be one of {', '.join(get_args(Compression))}, not {text!r}")
