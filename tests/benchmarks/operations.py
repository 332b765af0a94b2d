"""The operations that are measured, by name. One more is one more :class:`Operation` in :data:`OPERATIONS`."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Literal

from tests.benchmarks.dataset import (
    ASSET_KEYS,
    VERSIONS,
    Dataset,
    active_tasks,
    asset_mark,
    asset_name,
    key_name,
    task_instance_id,
    task_mark,
    task_scope,
)
from tests.benchmarks.tokens import Issuer

TOKENS = 10_000
"""How many tokens are used again and again, of each audience."""

PAGE = 50


@dataclass(frozen=True)
class Target:
    """Where one request goes.

    Args:
        path: With the query.
        caller: The number of the task instance, or of the user, whose token it carries.
        mark: What the value begins with that is read or written.
    """

    path: str
    caller: int
    mark: bytes


Pick = Callable[[Dataset, random.Random], Target]


@dataclass(frozen=True)
class Operation:
    """One kind of request.

    Args:
        method: Of HTTP.
        caller: Whose tokens it carries.
        pick: Returns one target of many.
        status: Of every answer.
        is_list: Whether an answer has every entry of a page, and not one.
        writes: Whether it has a body with a value.
    """

    name: str
    title: str
    method: Literal["GET", "PUT", "POST"]
    caller: Literal["worker", "user"]
    pick: Pick
    status: int = 200
    is_list: bool = False
    writes: bool = False

    @property
    def answer_start(self) -> bytes:
        """What every answer begins with."""
        return b"HTTP/1.1 %d " % self.status

    def marks(self, dataset: Dataset) -> int:
        """Return how often an answer has what it must have."""
        return min(PAGE, dataset.keys_of(0)) if self.is_list else 1

    def heads(self, dataset: Dataset, issuer: Issuer, seed: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield requests for ever, each with what its answer must have; with the tokens that are used again.

        One that writes lacks the end of its body: see :meth:`tails`.
        """
        tokens: dict[tuple[int, int], str] = {}
        each = max(1, TOKENS // dataset.active_tasks) if self.caller == "worker" else 1
        for number, target in enumerate(self._targets(dataset, seed)):
            holder = target.caller, number % each
            if holder not in tokens:
                tokens[holder] = self._token(issuer, target.caller, f"again-{holder[0]}-{holder[1]}")
            yield self._head(dataset, target, tokens[holder])

    def fresh_heads(self, dataset: Dataset, issuer: Issuer, seed: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield the like of :meth:`heads`, with a token of its own each."""
        for number, target in enumerate(self._targets(dataset, seed)):
            yield self._head(dataset, target, self._token(issuer, target.caller, f"{seed}-{number}"))

    def tails(self, dataset: Dataset, seed: int) -> list[bytes]:
        """Return what requests that write end with, one after the other and over again; none for others."""
        if not self.writes:
            return []
        versions = range(seed * 1000 % VERSIONS, VERSIONS)
        return [dataset.value_end(version).encode() + b"}" for version in versions[:500]]

    def _targets(self, dataset: Dataset, seed: int) -> Iterator[Target]:
        choices = random.Random(f"{self.name} {seed}")
        while True:
            yield self.pick(dataset, choices)

    def _token(self, issuer: Issuer, caller: int, number: str) -> str:
        return issuer.worker(caller, number) if self.caller == "worker" else issuer.user(caller, number)

    def _head(self, dataset: Dataset, target: Target, token: str) -> tuple[bytes, bytes]:
        head = f"{self.method} {target.path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n"
        if not self.writes:
            return f"{head}\r\n".encode(), target.mark
        start = '{"value": '
        length = len(start) + dataset.value_bytes + len("}")
        head += f"content-type: application/json\r\ncontent-length: {length}\r\n\r\n{start}"
        return head.encode() + target.mark, self.answer_start


def _entry(dataset: Dataset, choices: random.Random) -> tuple[int, int]:
    """Return the numbers of a task and of a key, every entry being as likely as the others."""
    long = len(dataset.long_tasks) * dataset.keys_of(0)
    number = choices.randrange(long + (dataset.tasks - len(dataset.long_tasks)) * dataset.keys_of(1))
    if number < long:
        task, key = divmod(number, dataset.keys_of(0))
        return dataset.long_tasks[task], key
    task, key = divmod(number - long, dataset.keys_of(1))
    every = dataset.long_tasks.step
    return task // (every - 1) * every + task % (every - 1) + 1, key


def _worker_entry(dataset: Dataset, choices: random.Random) -> Target:
    if dataset.active is None:
        task, key = _entry(dataset, choices)
    else:
        task = choices.choice(active_tasks(dataset))
        key = choices.randrange(dataset.keys_of(task))
    return Target(f"/execution/store/ti/{task_instance_id(task)}/{key_name(key)}", task, _mark(task, key))


def _asset_entry(dataset: Dataset, choices: random.Random) -> Target:
    task, key = choices.randrange(dataset.tasks), choices.randrange(ASSET_KEYS)
    asset = task % dataset.assets
    path = f"/execution/store/asset/by-name/value?name={asset_name(asset)}&key={key_name(key)}"
    return Target(path, task, f"{asset_mark(asset)}{key:04}".encode())


def _public_entry(dataset: Dataset, choices: random.Random) -> Target:
    task, key = _entry(dataset, choices)
    path = f"{_public_path(task)}/{key_name(key)}"
    return Target(path, choices.randrange(TOKENS), _mark(task, key))


def _public_list(dataset: Dataset, choices: random.Random) -> Target:
    task = choices.choice(dataset.long_tasks)
    return Target(f"{_public_path(task)}?limit={PAGE}", choices.randrange(TOKENS), task_mark(task).encode())


def _public_path(task: int) -> str:
    scope = task_scope(task)
    return f"/api/v2/dags/{scope.dag_id}/dagRuns/{scope.run_id}/taskInstances/{scope.task_id}/state-store"


def _mark(task: int, key: int) -> bytes:
    return f"{task_mark(task)}{key:04}".encode()


OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation("get", "worker get", "GET", "worker", _worker_entry),
        Operation("put", "worker put", "PUT", "worker", _worker_entry, status=204, writes=True),
        Operation("asset-get", "asset get by name", "GET", "worker", _asset_entry),
        Operation("public-get", "public get", "GET", "user", _public_entry),
        Operation("public-put", "public put", "PUT", "user", _public_entry, status=204, writes=True),
        Operation("list", "public list of 50", "GET", "user", _public_list, is_list=True),
    )
}
"""Every operation, in the order of the report."""


@dataclass(frozen=True)
class Mixture(Operation):
    """Worker gets and puts in turn. Requests are whole, the puts too: their values come again."""

    @property
    def answer_start(self) -> bytes:
        return b"HTTP/1.1 20"

    def heads(self, dataset: Dataset, issuer: Issuer, seed: int) -> Iterator[tuple[bytes, bytes]]:
        gets, puts = (OPERATIONS[name].heads(dataset, issuer, seed) for name in ("get", "put"))
        return self._mixed(gets, puts, dataset, seed)

    def fresh_heads(self, dataset: Dataset, issuer: Issuer, seed: int) -> Iterator[tuple[bytes, bytes]]:
        gets, puts = (OPERATIONS[name].fresh_heads(dataset, issuer, seed) for name in ("get", "put"))
        return self._mixed(gets, puts, dataset, seed)

    @staticmethod
    def _mixed(
        gets: Iterator[tuple[bytes, bytes]], puts: Iterator[tuple[bytes, bytes]], dataset: Dataset, seed: int
    ) -> Iterator[tuple[bytes, bytes]]:
        ends = cycle(OPERATIONS["put"].tails(dataset, seed))
        for get, (head, mark), end in zip(gets, puts, ends, strict=False):
            yield get
            yield head + end, mark


MIXED = Mixture("mixed", "worker get and put in turn", "GET", "worker", _worker_entry)


def operation_named(name: str) -> Operation:
    """Return an operation of :data:`OPERATIONS`, or :data:`MIXED`."""
    return MIXED if name == MIXED.name else OPERATIONS[name]
