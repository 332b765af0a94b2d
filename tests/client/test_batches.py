"""Batches, merge patches and atomic updates through the client, in both contract versions and on every database."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from statemount.client import BatchOutcome, ContractVersion, OperationResult
from statemount.errors import (
    ForbiddenError,
    InvalidInputError,
    KeyNotFoundError,
    PreconditionFailedError,
    UpdateFailedError,
    WriteOutcomeUnknownError,
)
from tests.client.support import FaultyServer, Rest, Way, World, answer, client_of, closing, done
from tests.client.test_conditions import CONTRACTS, STATES, entry_of, state_of

pytestmark = pytest.mark.anyio

FAR = datetime(2100, 1, 2, 3, tzinfo=timezone.utc)


@CONTRACTS
@pytest.mark.parametrize("kind", STATES)
async def test_a_batch(kind: str, world: World, contract: ContractVersion) -> None:
    """A batch does every operation in order, and tells what came of each."""
    client, state = state_of(kind, world, contract=contract)
    async with closing(client):
        before = await done(state.set("old", 1))
        batch = state.batch().get("old").get("missing").set("a", {"x": 1}).merge("a", {"x": None, "y": 2})
        batch.increment("n").increment("n", 2.5).maximum("high", 7).minimum("low", -7).maximum("high", 3)
        batch.check("old", if_revision=before).check("missing", exists=False).delete("old").delete("missing")
        assert len(batch) == 13
        outcome = await done(batch.send())
        assert isinstance(outcome, BatchOutcome)
        revision = outcome.revision
        assert [(one.op, one.key, one.status, one.value) for one in outcome.results] == [
            ("get", "old", "unchanged", 1),
            ("get", "missing", "unchanged", None),
            ("set", "a", "changed", None),
            ("merge", "a", "changed", {"y": 2}),
            ("increment", "n", "changed", 1),
            ("increment", "n", "changed", 3.5),
            ("max", "high", "changed", 7),
            ("min", "low", "changed", -7),
            ("max", "high", "unchanged", 7),
            ("check", "old", "unchanged", None),
            ("check", "missing", "unchanged", None),
            ("delete", "old", "changed", None),
            ("delete", "missing", "unchanged", None),
        ]
        assert [outcome.results[0].revision, *(one.revision for one in outcome.results[-2:])] == [before, None, None]
        assert (await entry_of(state, "a")).value == {"y": 2}
        assert (await done(state.batch().get("n").send())).revision == revision


@pytest.mark.parametrize("kind", STATES)
async def test_a_batch_that_fails(kind: str, stored_world: World) -> None:
    """Where a condition does not hold, or an update does not fit, nothing is changed, and the error says which one."""
    client, state = state_of(kind, stored_world)
    async with closing(client):
        revision = await done(state.set("key", "text"))
        with pytest.raises(PreconditionFailedError, match=r"^operation 1 \(check 'key'\): .* revision is") as caught:
            await done(state.batch().set("other", 1).check("key", if_revision=7).send())
        failed = caught.value.operation
        assert failed is not None
        assert (caught.value.revision, failed.index, failed.op, failed.key) == (revision, 1, "check", "key")
        assert failed.scope_revision == revision
        with pytest.raises(PreconditionFailedError, match="there is no such entry") as caught:
            await done(state.batch().set("other", 1, if_revision=5).send())
        assert caught.value.revision is None
        with pytest.raises(UpdateFailedError, match=r"^operation 1 \(increment 'key'\): the stored value") as update:
            await done(state.batch().set("other", 1).increment("key").send())
        assert update.value.revision == revision
        assert update.value.operation is not None
        assert update.value.operation.index == 1
        for scope_revision in (0, revision - 1):
            with pytest.raises(PreconditionFailedError) as caught:
                await done(state.batch().set("other", 1).send(if_revision=scope_revision))
            assert (caught.value.revision, caught.value.operation) == (revision, None)
        with pytest.raises(KeyNotFoundError):
            await entry_of(state, "other")
        assert (await done(state.batch().set("other", 1).send(if_revision=revision))).revision == revision + 1


async def test_batches_that_cannot_be(world: World) -> None:
    """A batch of nothing, of too much or of nonsense is refused, and says what is wrong with it."""
    async with closing(world.worker()) as client:
        state = client.task_instance(world.ti_id)
        wrong = [
            state.batch(),
            state.batch().check("key"),
            state.batch().set("", 1),
            state.batch().set("key", None),
            state.batch().set("key", float("nan")),
            state.batch().maximum("key", "yesterday"),
            state.batch().increment("key", if_revision=-1),
        ]
        big = state.batch()
        for number in range(101):
            big.set(f"key-{number}", 1)
        for batch in (*wrong, big):
            with pytest.raises(InvalidInputError) as caught:
                await done(batch.send())
            assert caught.value.problems[0].loc[:2] == ("body", "operations")
        asset = client.asset(name=world.asset_name)
        with pytest.raises(InvalidInputError):
            await done(asset.batch().set("key", 1, expires_at=FAR).send())


@pytest.mark.parametrize("kind", ["worker's task", "public task"])
async def test_expiries_in_a_batch(kind: str, world: World) -> None:
    """A set takes an expiry, an update leaves it unless told otherwise; without one it is that of the route set."""
    client, state = state_of(kind, world)
    is_public = kind == "public task"
    async with closing(client):
        batch = state.batch().set("a", 1, expires_at=FAR).increment("a").increment("a", expires_at=None)
        batch.maximum("a", 9, expires_at=FAR).set("b", 1, expires_at=None).increment("c").get("b").set("d", 1).get("d")
        results = (await done(batch.send())).results
        assert [one.expires_at for one in results[1:4]] == [FAR, None, FAR]
        assert results[6].expires_at is None
        for index in (5, 8):
            assert (results[index].expires_at is not None) == is_public


@pytest.mark.parametrize("kind", STATES)
async def test_updates_in_one_step(kind: str, stored_world: World) -> None:
    """An increment, a maximum and a minimum give what is there then; of many at once none is lost."""
    client, state = state_of(kind, stored_world)
    async with closing(client):
        if stored_world.way == "threads":
            sums = await asyncio.gather(*(asyncio.to_thread(state.increment, "n", 2) for _ in range(10)))
        else:
            sums = await asyncio.gather(*(state.increment("n", 2) for _ in range(10)))
        assert sorted(sums) == list(range(2, 22, 2))
        assert await done(state.increment("n")) == 21
        assert await done(state.maximum("high", 5)) == 5
        assert await done(state.maximum("high", 4)) == 5
        assert await done(state.minimum("high", 4)) == 4
        late, early = FAR, FAR - timedelta(days=1)
        assert await done(state.maximum("time", early)) == early.isoformat()
        assert await done(state.maximum("time", late)) == late.isoformat()
        assert await done(state.maximum("time", "2026-01-01T00:00:00Z")) == late.isoformat()
        with pytest.raises(UpdateFailedError, match="does not compare"):
            await done(state.maximum("time", 7))


@CONTRACTS
@pytest.mark.parametrize("kind", STATES)
async def test_a_merge_patch(kind: str, world: World, contract: ContractVersion) -> None:
    """A merge patch changes a part of a value that is there, on a condition or not."""
    client, state = state_of(kind, world, contract=contract)
    async with closing(client):
        with pytest.raises(KeyNotFoundError):
            await done(state.merge("key", {"a": 1}))
        await done(state.set("key", {"a": 1, "b": {"c": 2, "d": 3}}))
        revision = await done(state.merge("key", {"a": None, "b": {"c": [4]}}))
        entry = await entry_of(state, "key")
        assert (entry.value, entry.revision) == ({"b": {"c": [4], "d": 3}}, revision)
        again = await done(state.merge("key", {"e": 5}, if_revision=revision))
        with pytest.raises(PreconditionFailedError) as caught:
            await done(state.merge("key", {"e": 6}, if_revision=revision))
        assert caught.value.revision == again
        with pytest.raises(InvalidInputError):
            await done(state.merge("key", None))


async def test_what_a_caller_may_not_read(world: World) -> None:
    """Who may write and not read is not told what updates have left; a get is refused."""
    async with closing(world.user(["state:write"])) as client:
        state = STATES["public asset"](client, world)
        assert await done(state.increment("n")) is None
        (result,) = (await done(state.batch().increment("n").send())).results
        assert result == OperationResult("increment", "n", "changed", result.revision)
        with pytest.raises(ForbiddenError):
            await done(state.batch().get("n").send())
        with pytest.raises(ForbiddenError):
            await done(state.batch().delete("n").send())


DONE = answer(200, '{"revision": 8, "results": [{"op": "set", "key": "k", "status": "changed", "revision": 8}]}')
REPEATED: dict[str, Any] = {
    "set": lambda state: state.batch().set("k", 1).send(),
    "maximum": lambda state: state.batch().maximum("k", 1).send(),
    "merge": lambda state: state.batch().merge("k", {}).delete("k").get("k").send(),
}
NOT_REPEATED: dict[str, Any] = {
    "increment": lambda state: state.batch().increment("k").send(),
    "revision": lambda state: state.batch().set("k", 1, if_revision=7).set("l", 1).send(),
    "exists": lambda state: state.batch().set("k", 1).delete("l", exists=True).send(),
    "scope": lambda state: state.batch().set("k", 1).send(if_revision=7),
    "alone": lambda state: state.increment("k"),
}


@pytest.mark.parametrize("name", [*REPEATED, *NOT_REPEATED])
async def test_batches_that_may_be_done(name: str, socket_way: Way) -> None:
    """A batch that may have been done is repeated only if that leaves the same."""
    rest = Rest()
    with FaultyServer(answer(504), DONE) as server:
        async with closing(client_of(socket_way, server.url, token="t", **rest.options(socket_way))) as client:
            state = client.task_instance("00000000-0000-0000-0000-000000000001")
            if name in REPEATED:
                assert (await done(REPEATED[name](state))).revision == 8
            else:
                with pytest.raises(WriteOutcomeUnknownError):
                    await done(NOT_REPEATED[name](state))
    assert len(server.asked) == (2 if name in REPEATED else 1)
