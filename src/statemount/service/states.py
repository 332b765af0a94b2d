"""What task state and asset state have in common: the rules for the entries of one scope."""

from __future__ import annotations

from collections.abc import Collection, Coroutine, Sequence
from dataclasses import replace
from typing import Any, Generic, Literal, TypeVar

from statemount.errors import KeyNotFoundError, PreconditionFailedError, UpdateFailedError
from statemount.interfaces import Store
from statemount.model import (
    AssetScope,
    Columns,
    Entry,
    EntryColumn,
    JsonValue,
    MappedTask,
    Page,
    TaskScope,
    Timestamp,
    Writer,
)
from statemount.operations import (
    KEEP,
    CheckScope,
    Clear,
    Condition,
    Delete,
    Merge,
    Operation,
    Outcome,
    Result,
    Set,
    Update,
)
from statemount.service.batches import check_count, raise_failure
from statemount.service.limits import Loc, ValueLimits
from statemount.service.names import check_key, check_prefix

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

    async def list(
        self,
        scope: _ScopeT,
        *,
        limit: int = 50,
        offset: int = 0,
        prefix: str = "",
        after: str | None = None,
        keys_only: bool = False,
    ) -> Page:
        """Return live entries by key in byte order.

        Args:
            limit: At most so many; 0 = only the count.
            offset: How many to pass over.
            prefix: Look at keys that begin with it alone; the total is theirs.
            after: Begin behind this key.
            keys_only: Without the values, which are empty texts then.

        Raises:
            InvalidInputError: No key can begin with the prefix, or it cannot be stood behind ``after``.
        """
        check_prefix(prefix, "prefix")
        check_prefix(after or "", "after")
        return await self._store.list(
            scope, limit=limit, offset=offset, prefix=prefix, after=after, keys_only=keys_only
        )

    def list_columns(
        self,
        scope: _ScopeT,
        *,
        columns: Collection[EntryColumn],
        limit: int = 50,
        offset: int = 0,
        prefix: str = "",
        after: str | None = None,
    ) -> Coroutine[Any, Any, Columns]:
        """Return what :meth:`list` returns, as columns.

        Args:
            columns: What is wanted besides the keys.

        Raises:
            InvalidInputError: As for :meth:`list`.
        """
        if prefix:
            check_prefix(prefix, "prefix")
        if after:
            check_prefix(after, "after")
        return self._store.list_columns(scope, columns=columns, limit=limit, offset=offset, prefix=prefix, after=after)

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

    async def merge(
        self, scope: _ScopeT, key: str, patch: JsonValue, *, writer: Writer = API, condition: Condition | None = None
    ) -> Result:
        """Change the value of a key that exists by a merge patch (RFC 7396), in one step; its expiry stays.

        Raises:
            KeyNotFoundError: There is no such key.
            PreconditionFailedError: The condition does not hold.
            UpdateFailedError: The value that is there cannot be read: somebody else wrote it.
            InvalidInputError: The key or the patch is refused, or what comes of it is longer than the public API takes.
            TooLargeError: What comes of it is longer than the body limit.
            ScopeFullError: The scope would hold too much.
        """
        check_key(key)
        is_public = writer.kind == "api"
        condition = _EXISTS if condition is None else _of_existing(condition)
        text, max_bytes = self._limits.patch_text(patch), self._limits.max_bytes(is_public=is_public)
        merge = Merge(key, text, condition=condition, max_bytes=max_bytes)
        try:
            return await self._apply(scope, merge, writer)
        except PreconditionFailedError as error:
            if error.revision is None:
                raise KeyNotFoundError(key) from error
            raise
        except UpdateFailedError as error:
            if error.length is not None:
                self._limits.check_length(error.length, patch, ("body",), is_public=is_public)
            raise

    async def batch(
        self,
        scope: _ScopeT,
        operations: Sequence[Operation],
        *,
        writer: Writer = API,
        condition: Condition | None = None,
    ) -> Outcome:
        """Do operations in their order, all or none; each sees what those before it did.

        The texts in them are taken as they are: they must be JSON as :func:`json.dumps` writes it. What an update
        makes is held to the limits for the writer, as what a set writes.

        Args:
            operations: 1 to 100.
            condition: On the revision of the whole state, before the first of them.

        Raises:
            PreconditionFailedError: A condition does not hold; the error says whose.
            UpdateFailedError: An update cannot be done to the value that is there, or what comes of it is too long.
            InvalidInputError: Their number, a key or a text is refused.
            TooLargeError: A text is longer than the body limit.
            ScopeFullError: The scope would hold too much.
        """
        check_count(operations)
        todo: Sequence[Operation] = [
            self._checked(operation, ("body", "operations", index), is_public=writer.kind == "api")
            for index, operation in enumerate(operations)
        ]
        if condition is None:
            outcome = await self._store.apply(scope, todo, writer=writer)
        else:
            outcome = await self._store.apply(scope, [CheckScope(condition), *todo], writer=writer)
            if outcome.results[0].status == "failed":
                raise PreconditionFailedError(outcome.results[0].revision)
            outcome = replace(outcome, results=outcome.results[1:])
        raise_failure(outcome, operations)
        return outcome

    def _checked(self, operation: Operation, loc: Loc, *, is_public: bool) -> Operation:
        """Return an operation of a batch with its limit, if it needs one.

        Raises:
            InvalidInputError: The key or the text is refused.
            TooLargeError: The text is longer than the body limit.
        """
        if isinstance(operation, (Clear, CheckScope)):
            return operation
        check_key(operation.key, (*loc, "key"))
        if isinstance(operation, Set):
            self._limits.check_length(len(operation.value), operation.value, (*loc, "value"), is_public=is_public)
        elif isinstance(operation, Update) and operation.max_bytes is None:
            return replace(operation, max_bytes=self._limits.max_bytes(is_public=is_public))
        return operation

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
            UpdateFailedError: It cannot be done to the value that is there.
        """
        outcome = await self._store.apply(target, [operation], writer=writer)
        result = outcome.results[0]
        if result.status == "failed":
            is_there = isinstance(operation, Clear) or result.revision
            revision = result.revision if is_there else None
            if result.reason is None:
                raise PreconditionFailedError(revision)
            raise UpdateFailedError(result.reason, revision, length=result.length)
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
