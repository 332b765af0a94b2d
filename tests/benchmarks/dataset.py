"""What the databases hold while they are measured, told by numbers alone, so that every process can work it out.

By default, nine of ten task instances have a short list of keys, every tenth a long one; each is registered with one
asset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from random import Random
from uuid import UUID

from statemount.model import TaskScope

ASSET_KEYS = 9
VERSIONS = 10_000
"""How many values there are that a key can have."""

_MARK_BYTES = len('"t0000000k0000')


@dataclass(frozen=True)
class Dataset:
    """Task instances and assets with their entries; 100,000 entries unless said otherwise.

    Args:
        value_bytes: Of the stored text of every value.
        tasks: Task instances.
        assets: Task instance n is registered with asset n modulo this.
        short_list: Keys of a task instance with a short list.
        long_list: Keys of one with a long list.
        long_every: Every so many task instances have a long list.
        active: Task instances that workers ask from, drawn from all; None = all of them. The public API is asked for
            any.
    """

    value_bytes: int = 200
    tasks: int = 10_000
    assets: int = 1000
    short_list: int = 4
    long_list: int = 55
    long_every: int = 10
    active: int | None = None

    @classmethod
    def uniform(cls, tasks: int, keys: int, *, value_bytes: int = 200, active: int | None = None) -> Dataset:
        """Return task instances that all have as many keys, and no assets."""
        return cls(value_bytes, tasks, 0, keys, keys, 1, active)

    @property
    def entries(self) -> int:
        """How many entries there are."""
        return sum(self.keys_of(task) for task in range(self.tasks)) + self.assets * ASSET_KEYS

    @property
    def long_tasks(self) -> range:
        """The task instances with a long list."""
        return range(0, self.tasks, self.long_every)

    def keys_of(self, task: int) -> int:
        """Return how many keys a task instance has."""
        return self.long_list if task % self.long_every == 0 else self.short_list

    @property
    def active_tasks(self) -> int:
        """How many task instances workers ask from."""
        return self.tasks if self.active is None else self.active

    def task_value(self, task: int, key: int) -> str:
        """Return the stored text of a value of a task instance."""
        return f"{task_mark(task)}{key:04}{self.value_end(0)}"

    def asset_value(self, asset: int, key: int) -> str:
        """Return the stored text of a value of an asset."""
        return f"{asset_mark(asset)}{key:04}{self.value_end(0)}"

    def value_end(self, version: int) -> str:
        """Return what a stored text ends with, after its mark and the four digits of its key."""
        return f"v{version:04}".ljust(self.value_bytes - _MARK_BYTES - 1, ".") + '"'


def task_mark(task: int) -> str:
    """Return what every value of a task instance begins with, and nothing else in an answer does."""
    return f'"t{task:07}k'


def asset_mark(asset: int) -> str:
    """Return what every value of an asset begins with, likewise."""
    return f'"a{asset:07}k'


@lru_cache(maxsize=20_000)
def task_instance_id(task: int) -> UUID:
    """Return the id of a task instance: spread over all ids, as random ones are."""
    return UUID(bytes=sha256(b"task instance %d" % task).digest()[:16], version=4)


def task_scope(task: int) -> TaskScope:
    """Return the scope of a task instance."""
    return TaskScope(f"dag-{task % 100:03}", f"scheduled-2026-01-{task // 100 % 28 + 1:02}", f"task-{task:07}")


@lru_cache(maxsize=2)
def active_tasks(dataset: Dataset) -> Sequence[int]:
    """Return the task instances that workers ask from."""
    if dataset.active is None:
        return range(dataset.tasks)
    return Random("active").sample(range(dataset.tasks), dataset.active)


def key_name(key: int) -> str:
    """Return the name of a key."""
    return f"key-{key:04}"


def asset_name(asset: int) -> str:
    """Return the name of an asset."""
    return f"asset-{asset:07}"
