"""The state of a task instance, as its own task uses it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from typing_extensions import override

from statemount.client import AsyncClaim, AsyncWorkerTaskState, Claim, WorkerTaskState
from statemount.client.contention import ATTEMPTS
from statemount.clock import system_clock
from statemount.model import JsonValue, TaskScope, Timestamp
from statemount.worker.accessor import check_value
from statemount.worker.backends import BaseStateBackend
from statemount.worker.clients import Clients
from statemount.worker.retention import DEFAULT_RETENTION, check_default_retention, expiry
from statemount.worker.scope_accessor import ScopeAccessor
from statemount.worker.scoped import ScopedBackend


class TaskStateAccessor(ScopeAccessor):
    """The state of one task instance. Two accessors of the same task instance are equal.

    Args:
        ti_id: The task instance.
        scope: Its ids; only a worker-side backend needs them.
        default_retention: How long an entry is kept that is set without a retention; positive, or ``NEVER_EXPIRE``.
        clock: Tells when a retention begins.

    Raises:
        ConfigurationError: There is a backend and no scope, or the default retention is not positive.
    """

    def __init__(
        self,
        clients: Clients,
        ti_id: UUID | str,
        scope: TaskScope | None = None,
        *,
        backend: BaseStateBackend | None = None,
        default_retention: timedelta = DEFAULT_RETENTION,
        clock: Callable[[], Timestamp] = system_clock,
    ) -> None:
        super().__init__(ScopedBackend(scope, backend))
        self._clients = clients
        self._ti_id = str(ti_id)
        self._default_retention = check_default_retention(default_retention)
        self._clock = clock

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TaskStateAccessor):
            return NotImplemented
        return self._ti_id == other._ti_id

    def __hash__(self) -> int:
        return hash(self._ti_id)

    def __repr__(self) -> str:
        return f"<TaskStateAccessor ti_id={self._ti_id}>"

    @override
    def set(
        self,
        key: str,
        value: JsonValue,
        *,
        retention: timedelta | None = None,
        if_revision: int | None = None,
    ) -> int | None:
        """Create or overwrite a key, its expiry included; return its new revision.

        Args:
            retention: For how long it is kept from now on; ``NEVER_EXPIRE`` = until it is deleted or cleared;
                None = the accessor's default.

        Raises:
            ValueError: The value is None, or the retention ends after the year 9999.
            InvalidInputError: The key or the value is not acceptable.
            PreconditionFailedError: It is not at that revision.
            ScopeFullError: There would be too many keys, or too much in them.
            WriteOutcomeUnknownError: It may or may not have been written.
        """
        check_value(value)
        return self._write(key, value, self._expiry(retention), if_revision)

    @override
    def update(
        self,
        key: str,
        change: Callable[[JsonValue], JsonValue],
        *,
        default: JsonValue = None,
        retention: timedelta | None = None,
        attempts: int = ATTEMPTS,
    ) -> JsonValue:
        """Do what ``update`` of every accessor does, with a retention as of ``set``."""
        return self._update(key, change, default, lambda: self._expiry(retention), attempts)

    @override
    def clear(self, *, all_map_indices: bool = False, if_revision: int | None = None) -> None:
        """Remove every key. The server's entries go first, then what the backend keeps.

        Args:
            all_map_indices: Of every map index of the task, not of this one alone.
            if_revision: Of the task instance, 0 = it was never written; not with ``all_map_indices``.
        """
        self.server.clear(all_map_indices=all_map_indices, if_revision=if_revision)
        self._kept.clear(all_map_indices=all_map_indices)

    def claim(self, key: str, *, ttl: timedelta | float, wait: float = 0.0, holder: JsonValue = None) -> Claim:
        """Return a claim of a key: a lease, which one holder has at a time. It is taken by ``with`` or ``take``.

        What stands under the key says who holds it, and is on the server whatever worker-side backend there is.

        Args:
            ttl: For how long it is taken: a duration, or seconds. The server ends it by its own clock.
            wait: Seconds for which to wait for somebody else's to end; 0 = it is refused at once.
            holder: Who takes it, for people who look; None = host and process.

        Raises:
            ValueError: The time is not positive, or the wait negative.
        """
        return self.server.claim(key, ttl=ttl, wait=wait, holder=holder, now=self._now)

    def clear_backend(self) -> None:
        """Remove what the worker-side backend keeps, and send nothing to the server.

        For a server that clears the task's state by itself when the task succeeds (``clear_on_success``).
        """
        self._kept.clear()

    @override
    async def aset(
        self,
        key: str,
        value: JsonValue,
        *,
        retention: timedelta | None = None,
        if_revision: int | None = None,
    ) -> int | None:
        """Do what ``set`` does."""
        check_value(value)
        return await self._awrite(key, value, self._expiry(retention), if_revision)

    @override
    async def aupdate(
        self,
        key: str,
        change: Callable[[JsonValue], JsonValue],
        *,
        default: JsonValue = None,
        retention: timedelta | None = None,
        attempts: int = ATTEMPTS,
    ) -> JsonValue:
        """Do what ``update`` does."""
        return await self._aupdate(key, change, default, lambda: self._expiry(retention), attempts)

    @override
    async def aclear(self, *, all_map_indices: bool = False, if_revision: int | None = None) -> None:
        """Do what ``clear`` does."""
        await self.aserver.clear(all_map_indices=all_map_indices, if_revision=if_revision)
        await self._kept.aclear(all_map_indices=all_map_indices)

    def aclaim(self, key: str, *, ttl: timedelta | float, wait: float = 0.0, holder: JsonValue = None) -> AsyncClaim:
        """Do what ``claim`` does, for an ``async with`` block."""
        return self.aserver.claim(key, ttl=ttl, wait=wait, holder=holder, now=self._now)

    async def aclear_backend(self) -> None:
        """Do what ``clear_backend`` does."""
        await self._kept.aclear()

    @property
    @override
    def server(self) -> WorkerTaskState:
        return self._clients.for_threads().task_instance(self._ti_id)

    @property
    @override
    def aserver(self) -> AsyncWorkerTaskState:
        return self._clients.for_loop().task_instance(self._ti_id)

    @override
    def _put(self, key: str, stored: JsonValue, expires_at: datetime | None, if_revision: int | None) -> int | None:
        return self.server.set(key, stored, expires_at=expires_at, if_revision=if_revision)

    @override
    async def _aput(
        self, key: str, stored: JsonValue, expires_at: datetime | None, if_revision: int | None
    ) -> int | None:
        return await self.aserver.set(key, stored, expires_at=expires_at, if_revision=if_revision)

    def _now(self) -> float:
        return self._clock() / 1_000_000

    def _expiry(self, retention: timedelta | None) -> datetime | None:
        return expiry(retention, self._default_retention, self._clock())
