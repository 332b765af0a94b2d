"""Calls for the state of one scope: what is the same for workers and for the public, for tasks and for assets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from statemount.client import answers
from statemount.client.bodies import encode
from statemount.client.calls import Call
from statemount.client.conditions import on_entry
from statemount.client.paths import Target


class ScopeCalls(ABC):
    """Calls for a scope, which derived classes know how to address."""

    @abstractmethod
    def one(self, key: str) -> Target:
        """Return the address of a key.

        Raises:
            InvalidInputError: The key is empty, or cannot be encoded.
        """

    def delete(self, key: str, if_revision: int | None) -> Call[None]:
        """Remove a key."""
        condition = on_entry(if_revision)
        return Call("DELETE", str(self.one(key)), answers.nothing, None, key, condition, condition is None)

    def write(self, method: str, key: str, document: Any, if_revision: int | None) -> Call[int | None]:
        """Write a key, and get its new revision."""
        condition = on_entry(if_revision)
        read = answers.written if condition is None else answers.written_on_condition
        return Call(method, str(self.one(key)), read, encode(document), key, condition, condition is None)
