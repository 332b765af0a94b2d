"""The history of state: who wrote what when, how an entry was, and the way back."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from statemount.errors import HistoryGoneError, InvalidInputError, KeyNotFoundError, Problem
from statemount.interfaces import Clock, Store
from statemount.json_values import load_json
from statemount.model import Entry, History, JsonValue, Scope, TaskScope, Timestamp, Writer, to_datetime
from statemount.operations import Condition, Result
from statemount.service.assets import AssetStates
from statemount.service.expiry import DEFAULT, Expiry
from statemount.service.names import check_key
from statemount.service.states import API
from statemount.service.tasks import TaskStates


class Histories:
    """Reads histories, and brings entries back.

    Whether the scope's owner exists, and who may reach it, is the caller's question. How far a history reaches back,
    and whose values it keeps, is the store's.
    """

    def __init__(self, store: Store, tasks: TaskStates, assets: AssetStates, clock: Clock) -> None:
        self._store = store
        self._tasks = tasks
        self._assets = assets
        self._clock = clock

    async def changes(
        self, scope: Scope, *, key: str | None = None, before: int | None = None, limit: int = 50
    ) -> History:
        """Return changes, newest first.

        Args:
            key: Of this key alone, and clears; None = all.
            before: Those with a smaller revision alone; None = from the newest on.
            limit: At most so many.

        Raises:
            InvalidInputError: No entry can have this key.
        """
        if key is not None:
            check_key(key)
        return await self._store.history(scope, key=key, before=before, limit=limit)

    async def get(self, scope: Scope, key: str, *, revision: int | None = None, at: Timestamp | None = None) -> Entry:
        """Return an entry as it was right after the change with a revision, or at a time: one of the two.

        Raises:
            KeyNotFoundError: There was none.
            HistoryGoneError: It is not known any more.
            InvalidInputError: The revision, or the time, is yet to come; or no entry can have this key.
        """
        entry = await self.find(scope, key, revision=revision, at=at)
        if entry is None:
            raise KeyNotFoundError(key)
        return entry

    async def find(
        self,
        scope: Scope,
        key: str,
        *,
        revision: int | None = None,
        at: Timestamp | None = None,
        place: Literal["query", "body"] = "query",
    ) -> Entry | None:
        """As :meth:`get`, but None where there was none.

        Args:
            place: Where the revision stood in the request.
        """
        check_key(key)
        if at is not None and at > self._clock():
            raise _refused(("query", "at"), "the time is yet to come", to_datetime(at).isoformat())
        past = await self._store.past(scope, key, revision=revision, at=at)
        if revision is not None and 0 < past.revision < revision:
            raise _refused((place, "revision"), f"the revision is yet to come: it is {past.revision} now", revision)
        if not past.is_known:
            raise HistoryGoneError(key)
        return past.entry

    async def restore(
        self,
        scope: Scope,
        key: str,
        entry: Entry | None,
        *,
        writer: Writer = API,
        condition: Condition | None = None,
    ) -> Result:
        """Write what an entry was, as a change of its own.

        A task's entry ends when it did then; where that is over, it is kept for the default retention.

        Args:
            entry: None = there was none: the key is deleted.
            condition: On the entry as it is now.

        Raises:
            PreconditionFailedError: The condition does not hold.
            HistoryGoneError: The text that was kept is no JSON: somebody else wrote it.
            InvalidInputError: The value is longer than is taken now.
            TooLargeError: It is longer than the body limit.
            ScopeFullError: The scope would hold too much.
        """
        if entry is None:
            if isinstance(scope, TaskScope):
                return await self._tasks.delete(scope, key, writer=writer, condition=condition)
            return await self._assets.delete(scope, key, writer=writer, condition=condition)
        try:
            value: JsonValue = load_json(entry.value)
        except ValueError as error:
            raise HistoryGoneError(key) from error
        try:
            if isinstance(scope, TaskScope):
                is_over = entry.expires_at is not None and entry.expires_at <= self._clock()
                expires_at: Expiry = DEFAULT if is_over else entry.expires_at
                return await self._tasks.set(
                    scope, key, value, expires_at=expires_at, writer=writer, condition=condition
                )
            return await self._assets.set(scope, key, value, writer=writer, condition=condition)
        except InvalidInputError as error:
            problems = [replace(one, loc=("body", "revision"), input=entry.revision) for one in error.problems]
            raise InvalidInputError(problems) from error

    async def revert(
        self,
        scope: Scope,
        key: str,
        revision: int,
        *,
        writer: Writer = API,
        condition: Condition | None = None,
    ) -> Result:
        """Bring back an entry as it was right after the change with a revision; delete it if there was none.

        Raises:
            HistoryGoneError: It is not known any more how it was.
            InvalidInputError: The revision is yet to come; no entry can have this key; the value is too long now.
            PreconditionFailedError: The condition on the entry as it is now does not hold.
            TooLargeError: See :meth:`restore`.
            ScopeFullError: See :meth:`restore`.
        """
        entry = await self.find(scope, key, revision=revision, place="body")
        return await self.restore(scope, key, entry, writer=writer, condition=condition)


def _refused(loc: tuple[str, str], message: str, given: object) -> InvalidInputError:
    return InvalidInputError([Problem("value_error", loc, f"Value error, {message}", given, {"error": {}})])
