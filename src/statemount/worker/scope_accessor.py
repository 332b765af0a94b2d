"""The state of one scope through the client and a worker-side backend: what tasks and assets have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from copy import deepcopy
from datetime import datetime
from typing import NamedTuple, TypeVar

from typing_extensions import override

from statemount.client import StateValue, UnexpectedAnswerError
from statemount.client.contention import ATTEMPTS
from statemount.errors import (
    KeyNotFoundError,
    PreconditionFailedError,
    StateMountError,
    WriteOutcomeUnknownError,
)
from statemount.model import JsonValue
from statemount.worker.accessor import StateAccessor, check_value
from statemount.worker.errors import MissingObjectError
from statemount.worker.scoped import ScopedBackend

T = TypeVar("T")

_MAY_BE_DONE = (WriteOutcomeUnknownError, UnexpectedAnswerError)


class Seen(NamedTuple):
    """An entry as it was read.

    Args:
        stored: What the server has: the value or a reference; None = there is no live entry.
        revision: 0 = there is none.
        value: The value, or the default.
    """

    stored: JsonValue
    revision: int
    value: JsonValue = None


class ScopeAccessor(StateAccessor):
    """The state of one scope.

    Args:
        kept: The worker-side backend for it.
    """

    def __init__(self, kept: ScopedBackend) -> None:
        self._kept = kept

    @abstractmethod
    def _put(self, key: str, stored: JsonValue, expires_at: datetime | None, if_revision: int | None) -> int | None:
        """Have the server set a key."""

    @abstractmethod
    async def _aput(
        self, key: str, stored: JsonValue, expires_at: datetime | None, if_revision: int | None
    ) -> int | None:
        """Do what ``_put`` does."""

    @override
    def get(self, key: str, default: JsonValue = None) -> JsonValue:
        before: JsonValue = None
        while True:
            try:
                stored = self.server.get(key)
            except KeyNotFoundError:
                return default
            try:
                return self._kept.from_stored(key, stored)
            except MissingObjectError:  # or the version was replaced after its reference was read
                if stored == before:
                    raise
                before = stored

    @override
    def get_entry(self, key: str, default: JsonValue = None) -> StateValue:
        seen = self._see(key, default)
        return StateValue(seen.value, seen.revision)

    @override
    def update(
        self,
        key: str,
        change: Callable[[JsonValue], JsonValue],
        *,
        default: JsonValue = None,
        attempts: int = ATTEMPTS,
    ) -> JsonValue:
        return self._update(key, change, default, lambda: None, attempts)

    @override
    def delete(self, key: str, *, if_revision: int | None = None) -> None:
        stored = self._stored_version(key)
        self.server.delete(key, if_revision=if_revision)
        self._kept.delete(key)
        self._kept.replaced(key, stored)

    @override
    def contend(self, attempt: Callable[[], T], *, attempts: int = ATTEMPTS) -> T:
        return self.server.contend(attempt, attempts=attempts)

    @override
    async def aget(self, key: str, default: JsonValue = None) -> JsonValue:
        before: JsonValue = None
        while True:
            try:
                stored = await self.aserver.get(key)
            except KeyNotFoundError:
                return default
            try:
                return await self._kept.afrom_stored(key, stored)
            except MissingObjectError:
                if stored == before:
                    raise
                before = stored

    @override
    async def aget_entry(self, key: str, default: JsonValue = None) -> StateValue:
        seen = await self._asee(key, default)
        return StateValue(seen.value, seen.revision)

    @override
    async def aupdate(
        self,
        key: str,
        change: Callable[[JsonValue], JsonValue],
        *,
        default: JsonValue = None,
        attempts: int = ATTEMPTS,
    ) -> JsonValue:
        return await self._aupdate(key, change, default, lambda: None, attempts)

    @override
    async def adelete(self, key: str, *, if_revision: int | None = None) -> None:
        stored = await self._astored_version(key)
        await self.aserver.delete(key, if_revision=if_revision)
        await self._kept.adelete(key)
        await self._kept.areplaced(key, stored)

    @override
    async def acontend(self, attempt: Callable[[], Awaitable[T]], *, attempts: int = ATTEMPTS) -> T:
        return await self.aserver.contend(attempt, attempts=attempts)

    def _write(self, key: str, value: JsonValue, expires_at: datetime | None, if_revision: int | None) -> int | None:
        if if_revision is not None and self._kept.backend is not None:
            seen = self._see_stored(key)
            if seen.revision != if_revision:  # what the server would say, too, once the value was kept
                raise PreconditionFailedError(seen.revision or None)
            return self._replace(key, value, expires_at, seen)
        before = self._stored_version(key)
        stored = self._kept.to_stored(key, value)
        revision = self._put(key, stored, expires_at, if_revision)
        self._kept.stored_on_server(key, stored)
        self._kept.replaced(key, before)
        return revision

    def _update(
        self,
        key: str,
        change: Callable[[JsonValue], JsonValue],
        default: JsonValue,
        expiry: Callable[[], datetime | None],
        attempts: int,
    ) -> JsonValue:
        def attempt() -> JsonValue:
            seen = self._see(key, default)
            value = change(seen.value if seen.revision else deepcopy(default))
            check_value(value)
            self._replace(key, value, expiry(), seen)
            return value

        return self.contend(attempt, attempts=attempts)

    def _replace(self, key: str, value: JsonValue, expires_at: datetime | None, seen: Seen) -> int | None:
        """Set a key if it is as it was seen."""
        version = self._kept.keep_version(key, value)
        try:
            revision = self._put(key, version.stored, expires_at, seen.revision)
        except _MAY_BE_DONE:
            raise
        except StateMountError:
            self._kept.discard(version)
            raise
        self._kept.replaced(key, seen.stored)
        return revision

    def _see(self, key: str, default: JsonValue) -> Seen:
        """Return an entry with its value, or the default."""
        before: JsonValue = None
        while (seen := self._see_stored(key)).revision:
            try:
                return seen._replace(value=self._kept.from_stored(key, seen.stored))
            except MissingObjectError:
                if seen.stored == before:
                    raise
                before = seen.stored
        return seen._replace(value=default)

    def _see_stored(self, key: str) -> Seen:
        try:
            entry = self.server.get_entry(key)
        except KeyNotFoundError:
            return Seen(None, 0)
        return Seen(entry.value, entry.revision)

    def _stored_version(self, key: str) -> JsonValue:
        """Return what the server has for a key that may be a version; None if there is nothing, or no versions."""
        if not self._kept.has_versions:
            return None
        try:
            return self.server.get(key)
        except KeyNotFoundError:
            return None

    async def _awrite(
        self, key: str, value: JsonValue, expires_at: datetime | None, if_revision: int | None
    ) -> int | None:
        if if_revision is not None and self._kept.backend is not None:
            seen = await self._asee_stored(key)
            if seen.revision != if_revision:
                raise PreconditionFailedError(seen.revision or None)
            return await self._areplace(key, value, expires_at, seen)
        before = await self._astored_version(key)
        stored = await self._kept.ato_stored(key, value)
        revision = await self._aput(key, stored, expires_at, if_revision)
        await self._kept.astored_on_server(key, stored)
        await self._kept.areplaced(key, before)
        return revision

    async def _aupdate(
        self,
        key: str,
        change: Callable[[JsonValue], JsonValue],
        default: JsonValue,
        expiry: Callable[[], datetime | None],
        attempts: int,
    ) -> JsonValue:
        async def attempt() -> JsonValue:
            seen = await self._asee(key, default)
            value = change(seen.value if seen.revision else deepcopy(default))
            check_value(value)
            await self._areplace(key, value, expiry(), seen)
            return value

        return await self.acontend(attempt, attempts=attempts)

    async def _areplace(self, key: str, value: JsonValue, expires_at: datetime | None, seen: Seen) -> int | None:
        version = await self._kept.akeep_version(key, value)
        try:
            revision = await self._aput(key, version.stored, expires_at, seen.revision)
        except _MAY_BE_DONE:
            raise
        except StateMountError:
            await self._kept.adiscard(version)
            raise
        await self._kept.areplaced(key, seen.stored)
        return revision

    async def _asee(self, key: str, default: JsonValue) -> Seen:
        before: JsonValue = None
        while (seen := await self._asee_stored(key)).revision:
            try:
                return seen._replace(value=await self._kept.afrom_stored(key, seen.stored))
            except MissingObjectError:
                if seen.stored == before:
                    raise
                before = seen.stored
        return seen._replace(value=default)

    async def _asee_stored(self, key: str) -> Seen:
        try:
            entry = await self.aserver.get_entry(key)
        except KeyNotFoundError:
            return Seen(None, 0)
        return Seen(entry.value, entry.revision)

    async def _astored_version(self, key: str) -> JsonValue:
        if not self._kept.has_versions:
            return None
        try:
            return await self.aserver.get(key)
        except KeyNotFoundError:
            return None
