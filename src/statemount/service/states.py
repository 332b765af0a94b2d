"""What task state and asset state have in common: the rules for the entries of one scope."""

from __future__ import annotations

from dataclasses import replace
from typing import Generic, Literal, TypeVar

from statemount.errors import KeyNotFoundError, PreconditionFailedError
from statemount.interfaces import Store
from statemount.model import AssetScope, Entry, JsonValue, MappedTask, Page, TaskScope, Timestamp, Writer
from statemount.operations import KEEP, Clear, Condition, Delete, Operation, Result, Set
from statemount.service.limits import ValueLimits
from statemount.service.names import check_key

API = Writer("api")

_EXISTS = Condition(exists=True)
_ScopeT = TypeVar("_ScopeT", TaskScope, AssetScope)


class States(Generic[_ScopeT]):
    """Reads and writes state. Whether the scope's owner exists, and who may reach it, is the caller's question."""

    def __init__(self, store: Store, limits: ValueLimits) -> None:
        self._store = store
        self._limits = limits

    async def get(self, scope: _ScopeT, key: str) -> Entry:
        """Return the live entry.

        Raises:
            KeyNotFoundError: There is none.
            InvalidInputError: No entry can have this key.
        """
        check_key(key)
        entry = await self._store.read(scope, key)
        if entry is None:
            raise KeyNotFoundError(key)
        return entry

    async def list(self, scope: _ScopeT, *, limit: int = 50, offset: int = 0) -> Page:
        """Return live entries by key in byte order.

        Args:
            limit: At most so many; 0 = only the count.
            offset: How many to pass over.
        """
        return await self._store.list(scope, limit=limit, offset=offset)

    async def patch(
        self, scope: _ScopeT, key: str, value: JsonValue, *, writer: Writer = API, condition: Condition | None = None
    ) -> Result:
        """Overwrite the value of a key that exists; its expiry stays.

        Raises:
            KeyNotFoundError: There is no such key.
            PreconditionFailedError: The condition does not hold.
            InvalidInputError: The key or the value is refused.
            TooLargeError: The stored text is longer than the body limit.
            ScopeFullError: The scope would hold too much.
        """
        operation = self._set(key, value, KEEP, writer, _EXISTS if condition is None else _of_existing(condition))
        try:
            return await self._apply(scope, operation, writer)
        except PreconditionFailedError as error:
            if error.revision is None:
                raise KeyNotFoundError(key) from error
            raise

    async def delete(
        self,
        scope: _ScopeT,
        key: str,
        *,
        writer: Writer = API,
        condition: Condition | None = None,
        purge: bool = False,
    ) -> Result:
        """Remove one key; a no-op if it is missing.

        Args:
            purge: Remove its values from the history, too, missing or not.

        Raises:
            PreconditionFailedError: The condition does not hold.
        """
        check_key(key)
        return await self._apply(scope, Delete(key, condition, purge), writer)

    async def _apply(self, target: _ScopeT | MappedTask, operation: Operation, writer: Writer) -> Result:
        """Do one operation.

        Raises:
            PreconditionFailedError: Its condition does not hold.
        """
        outcome = await self._store.apply(target, [operation], writer=writer)
        result = outcome.results[0]
        if result.status == "failed":
            is_there = isinstance(operation, Clear) or result.revision
            raise PreconditionFailedError(result.revision if is_there else None)
        return result

    def _set(
        self,
        key: str,
        value: JsonValue,
        expires_at: Timestamp | None | Literal["keep"],
        writer: Writer,
        condition: Condition | None = None,
    ) -> Set:
        check_key(key)
        text = self._limits.text_of(value, is_public=writer.kind == "api")
        return Set(key, text, expires_at, condition)


def _of_existing(condition: Condition) -> Condition:
    """Return a condition that fails besides where there is no entry."""
    if condition.exists is False:
        return Condition(exists=True, revisions=frozenset())
    return replace(condition, exists=True)
