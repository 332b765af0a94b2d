"""Lists in parts through the client, for workers and for everybody else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from statemount.client import ContractVersion, UnexpectedAnswerError
from statemount.errors import InvalidInputError, PreconditionFailedError
from tests.client.support import FaultyServer, Way, World, answer, client_of, closing, done
from tests.client.test_conditions import CONTRACTS, STATES, state_of

pytestmark = pytest.mark.anyio

KEYS = ["a/\n3", "a/1", "a/2", "a/\u20ac", "b", "c&d=e"]


async def fill(state: Any, keys: list[str]) -> None:
    """Set keys to themselves."""
    batch = state.batch()
    for key in keys:
        batch.set(key, key)
    await done(batch.send())


async def gathered(entries: Any) -> list[Any]:
    """Return all that an iterator gives."""
    if hasattr(entries, "__aiter__"):
        return [entry async for entry in entries]
    return list(entries)


@CONTRACTS
@pytest.mark.parametrize("kind", STATES)
async def test_a_list_in_parts(kind: str, world: World, contract: ContractVersion) -> None:
    """A list is given in parts by cursor, by prefix and without values; each tells where the next one begins."""
    client, state = state_of(kind, world, contract=contract)
    async with closing(client):
        await fill(state, KEYS)
        page = await done(state.list())
        assert [(entry.key, entry.value) for entry in page.entries] == [(key, key) for key in KEYS]
        assert (page.total, page.cursor) == (6, None)
        found, cursor = [], None
        while True:
            page = await done(state.list(limit=2, prefix="a/", cursor=cursor, keys_only=True))
            found += [(entry.key, entry.value) for entry in page.entries]
            assert page.total == 4
            cursor = page.cursor
            if cursor is None:
                break
        assert found == [(key, None) for key in KEYS[:4]]
        page = await done(state.list(limit=2, offset=3))
        assert [entry.key for entry in page.entries] == KEYS[3:5]
        assert page.entries[0].revision <= page.revision
        with pytest.raises(InvalidInputError):
            await done(state.list(cursor="made up"))
        with pytest.raises(InvalidInputError):
            await done(state.list(cursor=page.cursor, offset=1))
        last = await done(state.list(limit=1, if_revision=page.revision))
        await done(state.set("new", 1))
        with pytest.raises(PreconditionFailedError):
            await done(state.list(cursor=last.cursor, if_revision=page.revision))


@pytest.mark.parametrize("kind", STATES)
async def test_all_entries(kind: str, stored_world: World) -> None:
    """All entries are given one after the other, however many parts that takes."""
    keys = [f"key-{number:03}" for number in range(250)]
    client, state = state_of(kind, stored_world)
    async with closing(client):
        assert await gathered(state.entries()) == []
        for start in range(0, 250, 100):
            await fill(state, keys[start : start + 100])
        await fill(state, ["other"])
        found = await gathered(state.entries(prefix="key-", keys_only=True, at_one_revision=True))
        assert [entry.key for entry in found] == keys
        assert [entry.value for entry in await gathered(state.entries())] == [*keys, "other"]


@pytest.mark.parametrize("kind", STATES)
async def test_entries_of_one_moment(kind: str, world: World) -> None:
    """Who wants the entries of one moment is told when somebody writes before the last part was read."""
    keys = [f"key-{number:03}" for number in range(100)]
    client, state = state_of(kind, world)
    async with closing(client):
        await fill(state, keys)
        await fill(state, ["last"])
        for at_one_revision in (False, True):
            entries = state.entries(at_one_revision=at_one_revision)
            first = await entries.__anext__() if hasattr(entries, "__aiter__") else next(entries)
            assert first.key == "key-000"
            await done(state.set("zzz", at_one_revision))
            if at_one_revision:
                with pytest.raises(PreconditionFailedError):
                    await gathered(entries)
            else:
                assert [entry.key for entry in await gathered(entries)][-1] == "zzz"


@pytest.mark.parametrize(
    ("link", "cursor"),
    [
        ('<?limit=1&cursor=abc%3D>; rel="next"', "abc="),
        ('<https://host/x?cursor=a>; rel="prev", <?cursor=b&limit=2>; rel="next"', "b"),
        ('<?cursor=a>;rel="first next"', None),
        ('<?limit=1>; rel="next"', None),
        ("nonsense", None),
        ("", None),
    ],
)
async def test_links(link: str, cursor: str | None, socket_way: Way) -> None:
    """The cursor of the next part is that of its link."""
    body = json.dumps({"asset_state_store": [], "total_entries": 0})
    with FaultyServer(answer(200, body, Link=link, ETag='"7"')) as server:
        async with closing(client_of(socket_way, server.url, token="t")) as client:
            assert (await done(client.public.asset(1).list())).cursor == cursor


async def test_a_server_without_cursors(socket_way: Way) -> None:
    """A server that does not tell where a list goes on, such as Airflow's, is not taken for one with nothing more."""
    body = json.dumps({"asset_state_store": [], "total_entries": 200})
    with FaultyServer(answer(200, body)) as server:
        async with closing(client_of(socket_way, server.url, token="t")) as client:
            with pytest.raises(UnexpectedAnswerError, match="no revision"):
                await gathered(client.public.asset(1).entries())
