"""Asset state: the rules for the entries of one asset."""

from __future__ import annotations

from statemount.model import AssetScope, JsonValue, Writer
from statemount.operations import Clear, Condition, Result
from statemount.service.states import API, States


class AssetStates(States[AssetScope]):
    """Reads and writes asset state. Its entries never expire."""

    async def set(
        self, scope: AssetScope, key: str, value: JsonValue, *, writer: Writer = API, condition: Condition | None = None
    ) -> Result:
        """Create or overwrite one key.

        Raises:
            PreconditionFailedError: The condition does not hold.
            InvalidInputError: The key or the value is refused.
            TooLargeError: The stored text is longer than the body limit.
            ScopeFullError: The scope would hold too much.
        """
        operation = self._set(key, value, None, writer, condition)
        return await self._apply(scope, operation, writer)

    async def clear(
        self, scope: AssetScope, *, writer: Writer = API, condition: Condition | None = None, purge: bool = False
    ) -> None:
        """Remove every key of the asset.

        Args:
            condition: On the revision of the asset's state.
            purge: Remove all values from the history, too.

        Raises:
            PreconditionFailedError: The condition does not hold.
        """
        await self._apply(scope, Clear(condition, purge), writer)
