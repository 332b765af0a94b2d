"""Random walks: what a store tells of the past of one scope, next to what a model has seen of it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from statemount.interfaces import Store
from statemount.model import AssetScope, Change, Past, Scope, Timestamp, Writer
from statemount.operations import KEEP, Clear, Delete, Operation, Set
from statemount.store.options import StoreOptions
from tests.clock import SECOND, FakeClock
from tests.store.model import Model, Row

KEYS = ("often", "seldom", "once", "never")
_WRITTEN = ["often"] * 12 + ["seldom"] * 3 + ["once"]


class Walk:
    """Writes to one scope at random, and then looks back.

    Args:
        options: Those of the store.
        seed: Of what is done.
    """

    def __init__(self, store: Store, clock: FakeClock, scope: Scope, options: StoreOptions, seed: object) -> None:
        self.told: Counter[str] = Counter()
        self._store = store
        self._clock = clock
        self._scope = scope
        self._options = options
        self._random = random.Random(str(seed))
        self._model: Model | None = None
        self._log: Sequence[Change] = ()

    async def go(self, steps: int) -> None:
        """Do something, and let time pass."""
        for _ in range(steps):
            self._clock.advance(self._random.choice([0, 0, 0.5, 1, 2]))
            chance = self._random.random()
            if chance < 0.85 or self._model is None:
                await self._write([self._operation() for _ in range(self._random.choice([1, 1, 1, 2, 4]))])
            elif chance < 0.97:
                assert await self._store.sweep() == self._model.sweep(self._clock.now)
            else:
                before = self._clock.now - self._random.randrange(6) * SECOND
                assert await self._store.trim(before=before) == self._model.trim(before)

    async def _write(self, operations: Sequence[Operation]) -> None:
        now, writer = self._clock.now, Writer("api", subject=f"user {self._random.randrange(3)}")
        outcome = await self._store.apply(self._scope, operations, writer=writer)
        if self._model is None and any(isinstance(operation, Set) for operation in operations):
            self._model = Model(now, now, self._options)
        if self._model is not None:
            assert [*outcome.results] == self._model.apply(operations, now, writer)

    def _operation(self) -> Operation:
        chance, key = self._random.random(), self._random.choice(_WRITTEN)
        is_purge = self._random.random() < 0.15
        if chance < 0.7:
            seconds = self._random.choice([None, None, KEEP, 0, 1, 2, 4])
            expires_at = self._clock.now + int(seconds) * SECOND if isinstance(seconds, int) else seconds
            return Set(key, str(self._random.randrange(1000)), expires_at)
        return Delete(key, purge=is_purge) if chance < 0.96 else Clear(purge=is_purge)

    async def look_back(self) -> None:
        """Ask for every key as of every revision, and as of every time, and check the answers."""
        model = self._model
        assert model is not None
        first, times = min(model.seen) - 1, sorted({at for at, _ in model.seen.values()})
        self._log = await self._store.changes(self._scope)
        for key in KEYS:
            for revision in [0, *range(first - 1, model.revision + 1)]:
                self._check(await self._store.past(self._scope, key, revision=revision), key, revision)
            for at in [times[0] - 1, *times, *(at + SECOND // 4 for at in times)]:
                revision = max((one for one, (when, _) in model.seen.items() if when <= at), default=0)
                self._check(await self._store.past(self._scope, key, at=at), key, revision, at)

    def _check(self, past: Past, key: str, revision: int, at: Timestamp | None = None) -> None:
        model = self._model
        assert model is not None
        row = model.was(key, revision, at)
        assert past.revision == model.revision
        if past.is_known:
            assert past.entry == (None if row is None else row.entry(key))
            self.told["there" if row else "not there"] += 1
            return
        assert past.entry is None
        if row is None:
            self._check_unknown_absence(key, revision, at)
            self.told["unknown, not there"] += 1
        else:
            self._check_unknown(model, key, row, at)
            self.told["unknown, there"] += 1

    def _check_unknown_absence(self, key: str, revision: int, at: Timestamp | None) -> None:
        """Check that something may have been there, for all that is left."""
        model = self._model
        assert model is not None
        assert model.trimmed > 0
        lines = [line.revision for line in self._log if line.key in (key, None)]
        assert not any(line <= revision for line in lines)
        is_untouched = key not in model.rows and not lines
        has_begun = any(line.revision <= revision for line in self._log) or revision == model.revision
        assert not (is_untouched and has_begun)

    def _check_unknown(self, model: Model, key: str, row: Row, at: Timestamp | None) -> None:
        """Check that the value is not kept, nor the one that is stored now."""
        keeps_values = isinstance(self._scope, AssetScope)
        assert not (keeps_values and model.has_logged(key, row))
        # The row that is stored now may have ended since, and the time of the revision is gone with its line.
        is_stored = model.rows.get(key) == row
        assert not is_stored or (at is None and not row.is_live(model.log[0].at if model.log else model.updated_at))
