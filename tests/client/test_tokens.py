"""The client's token: given, asked for, read from a file, or renewed by the server; and never shown."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from statemount.auth.jwt import JWTAuth
from statemount.client import StateClient, token_file
from statemount.directory.claims import ClaimsDirectory
from statemount.directory.memory import MemoryDirectory
from statemount.errors import ConfigurationError, KeyNotFoundError, StateMountError
from statemount.mount import StateMount
from tests.client.support import SECRET, FaultyServer, Way, answer, client_of, closing, done, running, serving

pytestmark = pytest.mark.anyio

VALUE = '{"value": 1}'


def authorizations(server: FaultyServer) -> list[str | None]:
    """Return what each request was sent with."""
    return [one.headers.get("authorization") for one in server.asked]


async def test_a_renewed_token_is_used(way: Way) -> None:
    """A worker outlives its token: each answer, a refusal as well, may bring the next one."""
    now = 1_780_000_000_000_000

    def clock() -> int:
        return now

    auth = JWTAuth(secret=SECRET, clock=clock)
    async with (
        running(StateMount("memory://", auth=auth, clock=clock), way) as world,
        closing(world.client(auth.tokens.worker(world.ti_id, lifetime=600))) as client,
    ):
        state = client.task_instance(world.ti_id)
        for _ in range(10):
            now += 580_000_000
            with pytest.raises(KeyNotFoundError):
                await done(state.get("key"))
        now += 580_000_000
        await done(state.set("key", 1))
        now += 580_000_000
        assert await done(state.get("key")) == 1


@pytest.mark.parametrize("status", [200, 404, 422, 503])
async def test_a_renewal_comes_with_any_answer(status: int, socket_way: Way) -> None:
    """The header is heard on every status, the repetition of the same call included."""
    renewed = answer(status, VALUE, Refreshed_API_Token="second")
    with FaultyServer(renewed, answer(200, VALUE)) as server:
        async with closing(client_of(socket_way, server.url, token="first")) as client:
            for _ in range(2):
                try:
                    await done(client.task_instance(uuid4()).get("key"))
                except StateMountError:
                    assert status in (404, 422)
    assert authorizations(server)[:2] == ["Bearer first", "Bearer second"]


async def test_a_renewal_that_cannot_be_sent(socket_way: Way) -> None:
    """A renewed token with characters that no token has is left alone."""
    with FaultyServer(answer(200, VALUE, Refreshed_API_Token="a b")) as server:
        async with closing(client_of(socket_way, server.url, token="first")) as client:
            for _ in range(2):
                await done(client.task_instance(uuid4()).get("key"))
    assert authorizations(server) == ["Bearer first"] * 2


async def test_a_token_that_is_asked_for(socket_way: Way) -> None:
    """A callable is asked for each request; a renewal counts until it gives another token than before."""
    given = ["first", "first", "other", "other"]
    reactions = [answer(200, VALUE, Refreshed_API_Token="renewed"), answer(200, VALUE)]
    with FaultyServer(*reactions) as server:
        async with closing(client_of(socket_way, server.url, token=lambda: given.pop(0))) as client:
            for _ in range(4):
                await done(client.task_instance(uuid4()).get("key"))
    assert authorizations(server) == ["Bearer first", "Bearer renewed", "Bearer other", "Bearer other"]


async def test_a_token_in_a_file(socket_way: Way, tmp_path: Path) -> None:
    """A file is read anew for each request, without the white space around the token."""
    file = tmp_path / "token"
    with FaultyServer(answer(200, VALUE)) as server:
        async with closing(client_of(socket_way, server.url, token=token_file(file))) as client:
            for text in ("first\n", " second"):
                file.write_text(text)
                await done(client.task_instance(uuid4()).get("key"))
    assert authorizations(server) == ["Bearer first", "Bearer second"]


async def test_no_token(socket_way: Way) -> None:
    """Without a token none is sent, and none is taken over."""
    with FaultyServer(answer(200, VALUE, Refreshed_API_Token="renewed")) as server:
        async with closing(client_of(socket_way, server.url)) as client:
            for _ in range(2):
                await done(client.task_instance(uuid4()).get("key"))
    assert authorizations(server) == [None, None]


@pytest.mark.parametrize("token", ["", " ", "a b", "secret\r\nx: y", "ä"])
async def test_a_token_that_cannot_be_sent(token: str, socket_way: Way) -> None:
    """A token that no header can have is refused, and not shown."""
    with pytest.raises(ConfigurationError, match="the token is empty, or has characters that no header can have"):
        client_of(socket_way, "http://host", token=token)
    async with closing(client_of(socket_way, "http://host", token=lambda: token)) as client:
        with pytest.raises(ConfigurationError, match="the token is empty") as caught:
            await done(client.task_instance(uuid4()).get("key"))
    assert "secret" not in str(caught.value)


async def test_a_token_is_not_shown(socket_way: Way) -> None:
    """Neither the client nor what it gives shows the token, nor the errors."""
    async with closing(client_of(socket_way, "http://127.0.0.1:1/state/", token="s3cret")) as client:
        assert repr(client) == f"{type(client).__name__}('http://127.0.0.1:1/state')"
        shown = [client, client.public, client.directory, client.task_instance(uuid4()), vars(client)]
        assert "s3cret" not in repr(shown)


def test_threads_share_a_client() -> None:
    """Threads use one client at once while the server renews its token with every answer."""
    now = 1_780_000_000_000_000
    auth = JWTAuth(secret=SECRET, clock=lambda: now)
    claims = {"dag_id": "dag", "run_id": "run", "task_id": "task"}
    ti_id = UUID(int=1)
    read: dict[int, list[Any]] = {number: [] for number in range(8)}
    state = StateMount("memory://", auth=auth, clock=lambda: now, directory=ClaimsDirectory(MemoryDirectory()))
    with (
        serving(state) as url,
        StateClient(url, token=auth.tokens.worker(ti_id, lifetime=10, claims=claims)) as client,
    ):

        def work(number: int) -> None:
            own = client.task_instance(ti_id)
            for value in range(20):
                own.set(f"key {number}", value)
                read[number].append(own.get(f"key {number}"))

        threads = [threading.Thread(target=work, args=(number,)) for number in read]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert read == {number: list(range(20)) for number in read}
