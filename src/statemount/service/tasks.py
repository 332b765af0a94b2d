"""Task state: the rules for the entries of one task instance."""

from __future__ import annotations

from statemount.interfaces import Clock, Store
from statemount.model import JsonValue, MappedTask, TaskScope, Timestamp, Writer
from statemount.operations import Clear, Condition, Result
from statemount.service.expiry import DEFAULT, Expiry, Retention
from statemount.service.limits import ValueLimits
from statemount.service.states import API, States


class TaskStates(States[TaskScope]):
    """Reads and writes task state."""

    def __init__(self, store: Store, limits: ValueLimits, retention: Retention, clock: Clock) -> None:
        super().__init__(store, limits)
        self._retention = retention
        self._clock = clock

    def end_of(self, expiry: Expiry) -> Timestamp | None:
        """Return from when on an entry is gone that is written now with this expiry; None = never."""
        return self._retention.resolve(expiry, self._clock())

    async def set(
        self,
        scope: TaskScope,
        key: str,
        value: JsonValue,
        *,
        expires_at: Expiry = DEFAULT,
        writer: Writer = API,
        condition: Condition | None = None,
    ) -> Result:
        """Create or overwrite one key, its expiry included.

        Args:
            expires_at: A timestamp, None = never, or ``"default"`` = now plus the configured retention.

        Raises:
            PreconditionFailedError: The condition does not hold.
            InvalidInputError: The key or the value is refused.
            TooLargeError: The stored text is longer than the body limit.
            ScopeFullError: The scope would hold too much.
        """
        operation = self._set(key, value, self.end_of(expires_at), writer, condition)
        return await self._apply(scope, operation, writer)

    async def clear(
        self,
        target: TaskScope | MappedTask,
        *,
        writer: Writer = API,
        condition: Condition | None = None,
        purge: bool = False,
    ) -> None:
        """Remove every key of a task instance, or of every map index of a task.

        Args:
            condition: On the revision of the task instance's state; there is none of all map indices together.
            purge: Remove all values from the history, too.

        Raises:
            PreconditionFailedError: The condition does not hold.
            ValueError: There is a condition on all map indices.
        """
        await self._apply(target, Clear(condition, purge), writer)
