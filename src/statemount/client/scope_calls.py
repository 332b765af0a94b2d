"""Calls for the state of one scope: what is the same for workers and for the public, for tasks and for assets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from statemount.client import answers
from statemount.client.batches import Operations
from statemount.client.bodies import encode
from statemount.client.calls import Answer, Call
from statemount.client.conditions import on_entry, on_scope
from statemount.client.parts import Part
from statemount.client.paths import Target
from statemount.client.values import BatchOutcome, StatePage
from statemount.model import JsonValue

MERGE_PATCH = "application/merge-patch+json"


class ScopeCalls(ABC):
    """Calls for a scope, which derived classes know how to address.

    Args:
        entries: The name of a list of its entries.
    """

    _listing: ClassVar[Mapping[str, bool]] = {}
    """What a list is asked for with, besides."""

    def __init__(self, entries: str) -> None:
        self._read_page: Callable[[Answer], StatePage] = answers.page(entries)

    @abstractmethod
    def all(self) -> Target:
        """Return the address of all keys: where they are listed, changed together, and watched."""

    @abstractmethod
    def one(self, key: str) -> Target:
        """Return the address of a key.

        Raises:
            InvalidInputError: The key is empty, or cannot be encoded.
        """

    def list(self, part: Part) -> Call[StatePage]:
        """Ask for a part of the entries."""
        target = self.all().also(**self._listing, **part.parameters)
        return Call("GET", target, self._read_page, headers=on_scope(part.if_revision))

    def watch(self, key: str | None, headers: Mapping[str, str]) -> Call[None]:
        """Ask to be told the changes of a key; of all of them, if it is None."""
        target = str(self.all() if key is None else self.one(key))
        return Call("GET", target, answers.nothing, None, key, headers)

    def delete(self, key: str, if_revision: int | None) -> Call[None]:
        """Remove a key."""
        condition = on_entry(if_revision)
        return Call("DELETE", str(self.one(key)), answers.nothing, None, key, condition, condition is None)

    def merge(self, key: str, patch: JsonValue, if_revision: int | None) -> Call[int | None]:
        """Change the value of a key that exists by a merge patch."""
        call = self.write("PATCH", key, patch, if_revision)
        return replace(call, headers={**(call.headers or {}), "content-type": MERGE_PATCH})

    def batch(self, operations: Operations, if_revision: int | None) -> Call[BatchOutcome]:
        """Do all operations, or none."""
        condition = on_scope(if_revision)
        is_repeatable = condition is None and operations.is_repeatable
        body = encode(operations.document, "operations")
        return Call("POST", str(self.all()), answers.batch, body, None, condition, is_repeatable)

    def write(self, method: str, key: str, document: Any, if_revision: int | None) -> Call[int | None]:
        """Write a key, and get its new revision."""
        condition = on_entry(if_revision)
        read = answers.written if condition is None else answers.written_on_condition
        return Call(method, str(self.one(key)), read, encode(document), key, condition, condition is None)
