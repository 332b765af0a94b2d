"""Writes on a condition, and updates, against the real app: on a socket and on the loop, in both contract versions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from statemount.client import ContractVersion, StateClient, UnexpectedAnswerError
from statemount.errors import InvalidInputError, KeyNotFoundError, PreconditionFailedError, WriteOutcomeUnknownError
from tests.client.support import (
    AUTH,
    PERMISSIONS,
    FaultyServer,
    Rest,
    Way,
    World,
    answer,
    client_of,
    closing,
    done,
)

pytestmark = pytest.mark.anyio

CONTRACTS = pytest.mark.parametrize("contract", ["airflow33", "aip103"])
STATES: dict[str, Callable[[Any, World], Any]] = {
    "worker's task": lambda client, world: client.task_instance(world.ti_id),
    "worker's asset": lambda client, world: client.asset(name=world.asset_name),
    "public task": lambda client, world: client.public.task(
        dag_id=world.scope.dag_id, run_id=world.scope.run_id, task_id=world.scope.task_id
    ),
    "public asset": lambda client, world: client.public.asset(world.asset_id),
}


def state_of(kind: str, world: World, **options: Any) -> tuple[Any, Any]:
    """Return a client, and the state of a kind that it reaches."""
    client = world.user(**options) if kind.startswith("public") else world.worker(**options)
    return client, STATES[kind](client, world)


async def entry_of(state: Any, key: str) -> Any:
    """Return what has a value and a revision."""
    return await done(state.get_entry(key) if hasattr(state, "get_entry") else state.get(key))


@pytest.mark.parametrize("kind", STATES)
async def test_a_write_at_a_revision(kind: str, stored_world: World) -> None:
    """A set and a delete go ahead at the revision that was read, and change nothing at any other."""
    client, state = state_of(kind, stored_world)
    async with closing(client):
        first = await done(state.set("key", 1))
        assert (await entry_of(state, "key")).revision == first
        second = await done(state.set("key", 2, if_revision=first))
        assert second > first
        late: list[Callable[[], Any]] = [
            lambda: state.set("key", 3, if_revision=first),
            lambda: state.delete("key", if_revision=first),
            lambda: state.set("key", 3, if_revision=0),
            lambda: state.set("missing", 3, if_revision=second),
        ]
        for write in late:
            with pytest.raises(PreconditionFailedError) as caught:
                await done(write())
            assert caught.value.revision in (second, None)
        entry = await entry_of(state, "key")
        assert (entry.value, entry.revision) == (2, second)
        with pytest.raises(KeyNotFoundError):
            await entry_of(state, "missing")
        await done(state.delete("key", if_revision=second))
        with pytest.raises(PreconditionFailedError) as caught:
            await done(state.delete("key", if_revision=second))
        assert caught.value.revision is None


@CONTRACTS
@pytest.mark.parametrize("kind", STATES)
async def test_create_only(kind: str, world: World, contract: ContractVersion) -> None:
    """With the revision 0 a key is written that is not there, and no other; a deleted one may be created again."""
    client, state = state_of(kind, world, contract=contract)
    async with closing(client):
        created = await done(state.set("key", 1, if_revision=0))
        with pytest.raises(PreconditionFailedError) as caught:
            await done(state.set("key", 2, if_revision=0))
        assert caught.value.revision == created
        await done(state.delete("missing", if_revision=0))
        with pytest.raises(PreconditionFailedError):
            await done(state.delete("key", if_revision=0))
        await done(state.delete("key"))
        assert await done(state.set("key", 3, if_revision=0)) > created


async def test_an_expired_entry_is_not_there(world: World) -> None:
    """A key whose time is over may be created."""
    async with closing(world.worker()) as client:
        state = client.task_instance(world.ti_id)
        await done(state.set("key", 1, expires_at=datetime.now(timezone.utc) - timedelta(seconds=1)))
        await done(state.set("key", 2, if_revision=0))
        assert await done(state.get("key")) == 2


@pytest.mark.parametrize("kind", ["public task", "public asset"])
async def test_a_patch_at_a_revision(kind: str, world: World) -> None:
    """A patch goes ahead at the revision that was read, and changes nothing at any other."""
    client, state = state_of(kind, world)
    async with closing(client):
        first = await done(state.set("key", 1))
        second = await done(state.patch("key", 2, if_revision=first))
        with pytest.raises(PreconditionFailedError) as caught:
            await done(state.patch("key", 3, if_revision=first))
        assert caught.value.revision == second
        assert (await done(state.get("key"))).value == 2


@CONTRACTS
@pytest.mark.parametrize("kind", STATES)
async def test_a_clear_at_a_revision(kind: str, world: World, contract: ContractVersion) -> None:
    """A clear goes ahead at the revision that the whole scope has, which a list tells; 0 = it was never written."""
    client, state = state_of(kind, world, contract=contract)
    public = state_of(kind.replace("worker's", "public"), world, contract=contract)
    async with closing(client), closing(public[0]):
        assert (await done(public[1].list())).revision == 0
        await done(state.clear(if_revision=0))
        await done(state.set("a", 1))
        page = await done(public[1].list())
        await done(state.set("b", 1))
        for revision in (page.revision, 0):
            with pytest.raises(PreconditionFailedError):
                await done(state.clear(if_revision=revision))
        page = await done(public[1].list())
        assert [entry.revision for entry in page.entries] == [page.revision - 1, page.revision]
        await done(state.clear(if_revision=page.revision))
        assert (await done(public[1].list())).total == 0


async def test_conditions_that_are_none(world: World) -> None:
    """A negative revision, and a revision of all map indices together, are refused."""
    async with closing(world.worker()) as client:
        state = client.task_instance(world.ti_id)
        wrong: list[Callable[[], Any]] = [
            lambda: state.set("key", 1, if_revision=-1),
            lambda: state.delete("key", if_revision=-1),
            lambda: state.clear(if_revision=-1),
            lambda: state.clear(all_map_indices=True, if_revision=7),
        ]
        for write in wrong:
            with pytest.raises(InvalidInputError):
                await done(write())
        with pytest.raises(KeyNotFoundError):
            await done(state.get("key"))


def next_of(value: Any) -> Any:
    """Return the number that follows."""
    return value + 1


@CONTRACTS
@pytest.mark.parametrize("kind", STATES)
async def test_an_update(kind: str, world: World, contract: ContractVersion) -> None:
    """An update makes a value of the one that is there, or of the default, and returns it."""
    client, state = state_of(kind, world, contract=contract)
    async with closing(client):
        assert await done(state.update("count", next_of, default=0)) == 1
        assert await done(state.update("count", next_of, default=0)) == 2
        assert (await entry_of(state, "count")).value == 2


@pytest.mark.parametrize("kind", ["worker's task", "public task"])
async def test_the_expiry_of_an_update(kind: str, world: World) -> None:
    """A worker's update sets the expiry, as its set does; a public one sets that of a new entry alone."""
    moment = datetime(2100, 1, 1, tzinfo=timezone.utc)
    client, state = state_of(kind, world)
    async with closing(client), closing(world.user()) as user:
        seen = STATES["public task"](user, world)
        await done(state.update("key", next_of, default=0, expires_at=moment))
        assert (await done(seen.get("key"))).expires_at == moment
        await done(state.update("key", next_of, expires_at=None))
        assert (await done(seen.get("key"))).expires_at == (None if kind == "worker's task" else moment)


@pytest.mark.parametrize("kind", STATES)
async def test_updates_at_once(kind: str, stored_world: World) -> None:
    """Of many updates at once none is lost."""
    client, state = state_of(kind, stored_world)
    async with closing(client):
        if stored_world.way == "threads":
            updates = [asyncio.to_thread(state.update, "count", next_of, default=0) for _ in range(8)]
        else:
            updates = [state.update("count", next_of, default=0) for _ in range(8)]
        assert sorted(await asyncio.gather(*updates)) == list(range(1, 9))
        assert (await entry_of(state, "count")).value == 8


@contextmanager
def rival_of(kind: str, world: World) -> Iterator[Any]:
    """Give the state as another client reaches it, which blocks while it does so."""
    token = AUTH.tokens.worker(world.ti_id)
    if kind.startswith("public"):
        token = AUTH.tokens.public("somebody", PERMISSIONS)
    with StateClient(f"{world.url}/state", token=token) as client:
        yield STATES[kind](client, world)


@pytest.mark.parametrize("kind", STATES)
async def test_an_update_that_others_win(kind: str, socket_world: World) -> None:
    """Where somebody else is faster each time, the update ends and changes nothing; its default stays as it is."""
    rest = Rest()
    client, state = state_of(kind, socket_world, **rest.options(socket_world.way))
    given: list[Any] = []
    default: list[int] = []
    with rival_of(kind, socket_world) as rival:

        def lose(value: list[int]) -> list[int]:
            given.append(list(value))
            rival.set("key", [len(given)])
            value.append(100)
            return value

        async with closing(client):
            with pytest.raises(ValueError, match="at least 1 attempt"):
                await done(state.update("key", lose, attempts=0))
            with pytest.raises(PreconditionFailedError):
                await done(state.update("key", lose, default=default, attempts=4))
            assert (await entry_of(state, "key")).value == [4]
    assert given == [[], [1], [2], [3]]
    assert default == []
    assert rest.slept == [0.01, 0.02, 0.04]


@pytest.mark.parametrize("kind", STATES)
async def test_an_update_of_what_goes_away(kind: str, socket_world: World) -> None:
    """An entry that is deleted between its read and its write is created from the default."""
    client, state = state_of(kind, socket_world)
    with rival_of(kind, socket_world) as rival:

        def lose_once(value: int) -> int:
            if value == 10:
                rival.delete("key")
            return value + 1

        async with closing(client):
            await done(state.set("key", 10))
            assert await done(state.update("key", lose_once, default=0)) == 1
            assert (await entry_of(state, "key")).value == 1


ENTRY = json.dumps({"key": "key", "value": 1, "updated_at": "2026-01-01T00:00:00Z", "expires_at": None})


async def test_a_server_that_heeds_no_conditions(socket_way: Way) -> None:
    """A server without revisions, such as Airflow's, is told apart: no condition counts as fulfilled there."""
    with FaultyServer(answer(200, '{"value": 1}'), answer(204), answer(204), answer(200, ENTRY)) as server:
        async with closing(client_of(socket_way, server.url, token="t")) as client:
            state = client.task_instance("00000000-0000-0000-0000-000000000001")
            with pytest.raises(UnexpectedAnswerError, match="no revision"):
                await done(state.get_entry("key"))
            assert await done(state.set("key", 1)) is None
            with pytest.raises(UnexpectedAnswerError, match="no revision"):
                await done(state.set("key", 1, if_revision=0))
            asset = client.public.asset(1)
            assert (await done(asset.get("key"))).revision is None
            with pytest.raises(UnexpectedAnswerError, match="no revision"):
                await done(asset.update("key", next_of))


async def test_a_revision_that_a_proxy_has_weakened(socket_way: Way) -> None:
    """A proxy that compresses weakens the tag; the revision in it is still the revision."""
    answers = [answer(200, '{"value": 1}', ETag='W/"17"'), answer(412, "{}", ETag="x"), answer(204, ETag='"18"')]
    with FaultyServer(*answers) as server:
        async with closing(client_of(socket_way, server.url, token="t")) as client:
            state = client.task_instance("00000000-0000-0000-0000-000000000001")
            entry = await done(state.get_entry("key"))
            assert entry.revision == 17
            with pytest.raises(UnexpectedAnswerError):
                await done(state.set("key", 1, if_revision=entry.revision))
            assert await done(state.set("key", 1, if_revision=entry.revision)) == 18
    assert [one.headers.get("if-match") for one in server.asked] == [None, '"17"', '"17"']


async def test_an_update_of_unknown_outcome(socket_way: Way) -> None:
    """An update whose write may have been done is not tried again: its change would be made twice."""
    rest = Rest()
    with FaultyServer(answer(200, '{"value": 1}', ETag='"17"'), answer(504)) as server:
        async with closing(client_of(socket_way, server.url, token="t", **rest.options(socket_way))) as client:
            with pytest.raises(WriteOutcomeUnknownError):
                await done(client.task_instance("00000000-0000-0000-0000-000000000001").update("key", next_of))
    assert (len(server.asked), rest.slept) == (2, [])
