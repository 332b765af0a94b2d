"""Histories through the client: who changed what, what it was, and back to it; in both contract versions."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from statemount.client import ContractVersion
from statemount.errors import (
    ForbiddenError,
    HistoryGoneError,
    InvalidInputError,
    KeyNotFoundError,
    PreconditionFailedError,
)
from statemount.model import Writer
from statemount.mount import StateMount
from statemount.settings import Settings
from tests.client.support import AUTH, Way, World, closing, done, running
from tests.client.test_conditions import CONTRACTS, STATES, state_of
from tests.client.test_lists import gathered

pytestmark = pytest.mark.anyio

PUBLIC = ("public task", "public asset")
FAR = datetime(2100, 1, 1, tzinfo=timezone.utc)


def versions_of(entries: Any) -> list[tuple[Any, Any]]:
    """Return operations and values of changes."""
    return [(one.operation, one.value) for one in entries]


@CONTRACTS
@pytest.mark.parametrize("kind", PUBLIC)
async def test_a_history(kind: str, world: World, contract: ContractVersion) -> None:
    """A history tells each change, newest first: what was done, when, by whom, and how long the value was."""
    client, state = state_of(kind, world, contract=contract)
    worker_client, worker = state_of(kind.replace("public", "worker's"), world, contract=contract)
    is_task = kind == "public task"
    async with closing(client), closing(worker_client):
        first = await done(worker.set("a", {"x": 1}))
        await done(state.set("b", 2))
        await done(state.delete("b"))
        await done(state.clear())
        page = await done(state.history())
        assert [(one.operation, one.key) for one in page.changes] == [
            ("clear", None),
            ("delete", "b"),
            ("set", "b"),
            ("set", "a"),
        ]
        assert (page.revision, page.is_complete, page.before) == (first + 3, True, None)
        oldest, later = page.changes[-1], page.changes[-2]
        assert (oldest.revision, oldest.size, oldest.expires_at) == (first, 8, None)
        assert oldest.writer == Writer.of_task(world.scope)
        assert later.writer == Writer("api", subject="somebody")
        assert (later.expires_at is not None) == is_task
        assert abs(oldest.at - datetime.now(timezone.utc)) < timedelta(minutes=1)
        assert (oldest.has_value, oldest.value) == ((False, None) if is_task else (True, {"x": 1}))
        page = await done(state.history("b", limit=2))
        assert [(one.operation, one.key) for one in page.changes] == [("clear", None), ("delete", "b")]
        page = await done(state.history("b", limit=2, before=page.before))
        assert ([one.operation for one in page.changes], page.before) == (["set"], None)


@pytest.mark.parametrize("kind", PUBLIC)
async def test_all_changes(kind: str, stored_world: World) -> None:
    """All changes are given one after the other, however many parts that takes."""
    client, state = state_of(kind, stored_world)
    async with closing(client):
        revisions: list[int] = []
        for start in (0, 80, 160):
            batch = state.batch()
            for number in range(start, start + 80):
                batch.set(f"key-{number % 2}", number)
            revisions += [one.revision for one in (await done(batch.send())).results]
        assert [one.revision for one in await gathered(state.changes())] == revisions[::-1]
        found = [one.key for one in await gathered(state.changes("key-1"))]
        assert found == ["key-1"] * 120


@CONTRACTS
async def test_what_an_entry_was(world: World, contract: ContractVersion) -> None:
    """An entry is known as of a revision and as of a time; where it was not there, that is an error."""
    client, state = state_of("public asset", world, contract=contract)
    async with closing(client):
        first = await done(state.set("a/b", 1))
        second = await done(state.set("a/b", 2))
        entry = await done(state.value_at("a/b", revision=first))
        assert (entry.key, entry.value, entry.revision) == ("a/b", 1, first)
        assert entry.last_updated_by == Writer("api", subject="somebody")
        (newest, _) = (await done(state.history())).changes
        entry = await done(state.value_at("a/b", at=newest.at.astimezone(timezone(timedelta(hours=5)))))
        assert (entry.value, entry.revision) == (2, second)
        with pytest.raises(KeyNotFoundError):
            await done(state.value_at("other", revision=second))
        with pytest.raises(InvalidInputError):
            await done(state.value_at("a/b", at=FAR))
        wrong: list[dict[str, Any]] = [{}, {"revision": 1, "at": FAR}]
        for moment in wrong:
            with pytest.raises(ValueError, match="exactly one"):
                await done(state.value_at("a/b", **moment))


async def test_going_back(world: World) -> None:
    """An entry becomes what it was as a new change, on a condition or not; one that was not there goes away."""
    client, state = state_of("public asset", world)
    async with closing(client):
        await done(state.set("other", 0))
        before = (await done(state.list())).revision
        first = await done(state.set("key", "right"))
        second = await done(state.set("key", "wrong"))
        with pytest.raises(PreconditionFailedError):
            await done(state.revert("key", first, if_revision=first))
        third = await done(state.revert("key", first, if_revision=second))
        assert third > second
        assert (await done(state.get("key"))).value == "right"
        assert await done(state.revert("key", before)) is None
        with pytest.raises(KeyNotFoundError):
            await done(state.get("key"))


@pytest.mark.parametrize("is_whole", [False, True])
async def test_values_that_are_purged(is_whole: bool, world: World) -> None:
    """A purge takes the values out of the history, of a key or of all, and leaves its lines."""
    client, state = state_of("public asset", world)
    async with closing(client):
        revision = await done(state.set("secret", "x"))
        await done(state.set("other", "y"))
        with pytest.raises(PreconditionFailedError):
            await done(state.delete("secret", purge=True, if_revision=revision + 7))
        await done(state.clear(purge=True) if is_whole else state.delete("secret", purge=True))
        changes = (await done(state.history())).changes
        assert [one.has_value for one in changes] == [False, not is_whole, False]
        with pytest.raises(HistoryGoneError) as caught:
            await done(state.value_at("secret", revision=revision))
        assert caught.value.key == "secret"
        with pytest.raises(HistoryGoneError):
            await done(state.revert("secret", revision))


async def test_a_task_that_is_purged(way: Way) -> None:
    """A purge of a task's state takes its old values, of all map indices as well."""
    settings = Settings(history_values="all")
    async with running(StateMount("memory://", auth=AUTH, settings=settings), way) as world:
        client, state = state_of("public task", world)
        async with closing(client):
            await done(state.set("a", 1))
            assert versions_of((await done(state.history())).changes) == [("set", 1)]
            await done(state.clear(all_map_indices=True, purge=True))
            assert versions_of((await done(state.history())).changes) == [("clear", None), ("set", None)]


async def test_who_may_not(world: World) -> None:
    """Whoever may not read sees no history, and whoever may not write goes nowhere back."""
    async with closing(world.user(["state:write"])) as client:
        with pytest.raises(ForbiddenError):
            await done(STATES["public asset"](client, world).history())
    async with closing(world.user(["state:read"])) as client:
        with pytest.raises(ForbiddenError):
            await done(STATES["public asset"](client, world).revert("key", 1))
