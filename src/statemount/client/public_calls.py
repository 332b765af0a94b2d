"""Calls of the public route set: what people and services ask."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Literal

from typing_extensions import override

from statemount.client import answers
from statemount.client.bodies import encode
from statemount.client.calls import Call
from statemount.client.conditions import clearance, on_entry
from statemount.client.contracts import PUBLIC, Contract
from statemount.client.paths import Target, query, segment
from statemount.client.scope_calls import ScopeCalls
from statemount.client.values import HistoryPage, StateEntry
from statemount.model import JsonValue, TaskScope

_HISTORY = "state-history"  # in both versions of the contract


class PublicCalls(ScopeCalls):
    """Calls for a scope, by people and services.

    Args:
        owner: Whose state it is.
        name: What the state is called below its owner.
        entries: The name of a list of them.
    """

    def __init__(self, owner: Target, name: str, entries: str) -> None:
        super().__init__(entries)
        self._whole = Target(f"{owner.path}/{name}", owner.query)
        self._history = Target(f"{owner.path}/{_HISTORY}", owner.query)

    @override
    def all(self) -> Target:
        return self._whole

    @override
    def one(self, key: str) -> Target:
        return Target(f"{self._whole.path}/{segment('key', key)}", self._whole.query)

    def get(self, key: str) -> Call[StateEntry]:
        """Ask for an entry."""
        return Call("GET", str(self.one(key)), answers.entry, key=key)

    def history(self, key: str | None, limit: int, before: int | None) -> Call[HistoryPage]:
        """Ask for a part of the history of a key; of everything, if it is None."""
        target = self._history if key is None else self._past(key)
        parameters = {"limit": limit} if before is None else {"limit": limit, "before": before}
        return Call("GET", target.also(**parameters), answers.history, key=key)

    def entry_at(self, key: str, revision: int | None, at: datetime | None) -> Call[StateEntry]:
        """Ask for an entry as it was.

        Raises:
            ValueError: Not exactly one of revision and time is given.
        """
        if (revision is None) == (at is None):
            raise ValueError("an entry is wanted as of a revision or as of a time: exactly one of them")
        parameters = {"revision": str(revision)} if at is None else {"at": at.isoformat()}
        return Call("GET", self._past(key).also(**parameters), answers.past_entry, key=key)

    def revert(self, key: str, revision: int, if_revision: int | None) -> Call[int | None]:
        """Make an entry what it was."""
        condition = on_entry(if_revision)
        body = encode({"revision": revision}, "revision")
        return Call("POST", str(self._past(key)), answers.written, body, key, condition, condition is None)

    def purge(self, key: str, if_revision: int | None) -> Call[None]:
        """Remove a key, and what the history has kept of its values."""
        return replace(self.delete(key, if_revision), target=self.one(key).also(purge=True))

    def _cleared(self, **flags: bool) -> str:
        asked = {name: True for name, is_set in flags.items() if is_set}
        return self._whole.also(**asked) if asked else str(self._whole)

    def _past(self, key: str) -> Target:
        return Target(f"{self._history.path}/{segment('key', key)}", self._history.query)

    def patch(self, key: str, value: JsonValue, if_revision: int | None) -> Call[int | None]:
        """Set the value of a key that exists."""
        return self.write("PATCH", key, {"value": value}, if_revision)


class PublicTaskCalls(PublicCalls):
    """Calls for a task instance, by its ids."""

    def __init__(self, contract: Contract, scope: TaskScope) -> None:
        dag, run, task = (segment(name, getattr(scope, name)) for name in ("dag_id", "run_id", "task_id"))
        path = f"{PUBLIC}/dags/{dag}/dagRuns/{run}/taskInstances/{task}"
        owner = Target(path, query(map_index=scope.map_index))
        super().__init__(owner, contract.public, contract.task_entries)

    def set(
        self, key: str, value: JsonValue, expires_at: datetime | Literal["default"] | None, if_revision: int | None
    ) -> Call[int | None]:
        """Set a key."""
        moment = expires_at.isoformat() if isinstance(expires_at, datetime) else expires_at
        return self.write("PUT", key, {"value": value, "expires_at": moment}, if_revision)

    def clear(self, *, all_map_indices: bool, if_revision: int | None, purge: bool) -> Call[None]:
        """Remove every key."""
        return clearance(self._cleared(purge=purge, all_map_indices=all_map_indices), if_revision)


class PublicAssetCalls(PublicCalls):
    """Calls for an asset, by its id."""

    def __init__(self, contract: Contract, asset_id: int) -> None:
        super().__init__(Target(f"{PUBLIC}/assets/{asset_id:d}"), contract.public, contract.asset_entries)

    def set(self, key: str, value: JsonValue, if_revision: int | None) -> Call[int | None]:
        """Set a key."""
        return self.write("PUT", key, {"value": value}, if_revision)

    def clear(self, if_revision: int | None, *, purge: bool) -> Call[None]:
        """Remove every key."""
        return clearance(self._cleared(purge=purge), if_revision)
