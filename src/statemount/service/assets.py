"""Asset state: the rules for the entries of one asset."""

from __future__ import annotations

from statemount.model import AssetScope, JsonValue, Writer
from statemount.operations import Clear, Result
from statemount.service.states import API, States


class AssetStates(States[AssetScope]):
    """Reads and writes asset state. Its entries never expire."""

    async def set(self, scope: AssetScope, key: str, value: JsonValue, *, writer: Writer = API) -> Result:
        """Create or overwrite one key.

        Raises:
            InvalidInputError: The key or the value is refused.
            TooLargeError: The stored text is longer than the body limit.
            ScopeFullError: The scope would hold too much.
        """
        operation = self._set(key, value, None, writer)
        outcome = await self._store.apply(scope, [operation], writer=writer)
        return outcome.results[0]

    async def clear(self, scope: AssetScope, *, writer: Writer = API) -> None:
        """Remove every key of the asset."""
        await self._store.apply(scope, [Clear()], writer=writer)
