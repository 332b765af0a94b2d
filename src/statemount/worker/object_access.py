"""The one module that imports obstore: objects by path, in S3, GCS, Azure, a local directory or memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from statemount.errors import ConfigurationError
from statemount.worker.errors import BackendError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_ROUND_SIZE = 1000  # S3 deletes at most this many objects in a request


class Objects:
    """The objects below one place.

    Args:
        place: A URL (``s3://bucket/prefix``, ``gs://``, ``az://``, ``file:///directory``, ``memory://``), or a store of
            obstore's.

    Raises:
        ConfigurationError: obstore is not installed, or the URL is none that it knows.
    """

    _first_process: ClassVar[int | None] = None  # obstore's threads do not survive a fork: it would wait for ever

    def __init__(self, place: str | ObjectStore) -> None:
        try:
            import obstore
            from obstore.exceptions import BaseError
            from obstore.store import from_url
        except ImportError as error:
            raise ConfigurationError(
                "the object storage backend needs the extra: statemount[object-storage]"
            ) from error
        self._obstore = obstore
        self._errors = (BaseError, OSError, ValueError)
        if isinstance(place, str):
            try:
                place = from_url(place, mkdir=True) if place.startswith("file:") else from_url(place)
            except self._errors as error:
                raise ConfigurationError(f"{place!r} is no object storage: {_first_line(error)}") from error
        self._store = place

    def read(self, path: str) -> memoryview | None:
        """Return what an object holds; None if there is no such object.

        Raises:
            BackendError: The storage does not answer, or refuses.
        """
        with self._reported("read", path):
            try:
                return memoryview(self._obstore.get(self._store, path).bytes())
            except FileNotFoundError:
                return None

    def write(self, path: str, content: bytes) -> None:
        """Write an object whole: a reader sees what was there before, or this.

        Raises:
            BackendError: The storage does not answer, or refuses.
        """
        with self._reported("written", path):
            self._obstore.put(self._store, path, content)

    def remove(self, path: str) -> None:
        """Remove an object, if it is there.

        Raises:
            BackendError: The storage does not answer, or refuses.
        """
        with self._reported("removed", path), suppress(FileNotFoundError):
            self._obstore.delete(self._store, path)

    def remove_below(self, folder: str, *, before: datetime | None = None) -> None:
        """Remove all objects below a path.

        Args:
            before: Only those that were written before this time.

        Raises:
            BackendError: The storage does not answer, or refuses.
        """
        with self._reported("removed", folder):
            paths = [
                found["path"]
                for part in self._obstore.list(self._store, folder, chunk_size=_ROUND_SIZE)
                for found in part
                if before is None or found["last_modified"] < before
            ]
            for start in range(0, len(paths), _ROUND_SIZE):
                self._remove_all(paths[start : start + _ROUND_SIZE])

    def _remove_all(self, paths: list[str]) -> None:
        try:
            self._obstore.delete(self._store, paths)
        except FileNotFoundError:  # somebody else removed one meanwhile; what became of the others is not told
            for path in paths:
                with suppress(FileNotFoundError):
                    self._obstore.delete(self._store, path)

    @contextmanager
    def _reported(self, done: str, path: str) -> Iterator[None]:
        """Turn errors into ours, and a use that would never end into one."""
        if Objects._first_process is None:
            Objects._first_process = os.getpid()
        elif Objects._first_process != os.getpid():
            raise BackendError(
                f"object {path!r} cannot be {done}: this process was forked from one that had used object storage;"
                " use it after the fork only, or start processes by spawning them"
            )
        try:
            yield
        except self._errors as error:
            raise BackendError(f"object {path!r} cannot be {done}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    """Return the first line of an error of obstore's, which go on with their sources."""
    return str(error).partition("\n")[0] or type(error).__name__
