"""How a client is made, what it sends with every call, and how it ends."""

from __future__ import annotations

import asyncio
import inspect
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

import statemount.client
from statemount.client import AsyncStateClient, StateClient, correlation_id
from statemount.errors import ConfigurationError, InvalidInputError, UnavailableError
from tests.client.support import (
    PATIENCE,
    FaultyServer,
    Way,
    World,
    answer,
    client_of,
    closing,
    done,
)

pytestmark = pytest.mark.anyio

VALUE = answer(200, '{"value": 1}')


def test_an_import_is_light() -> None:
    """The client loads nothing of the server, and neither pydantic."""
    code = """
import sys
import statemount.client
heavy = {"alembic", "databases", "granian", "jwt", "pydantic", "sqlalchemy", "starlette", "uvicorn"}
print(*sorted(heavy & sys.modules.keys()))
print(*sorted(name for name in sys.modules if name.startswith("statemount.") and "client" not in name))
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "\nstatemount.errors statemount.model\n"), result.stderr


def test_every_public_name_is_there() -> None:
    """Each public name of the client exists, and each sync class has an async twin with the same methods."""
    names = set(statemount.client.__all__)
    assert names <= set(vars(statemount.client))
    twins = [name for name in names if f"Async{name}" in names]
    assert len(twins) == 10
    for name in twins:
        sync, twin = (getattr(statemount.client, one) for one in (name, f"Async{name}"))
        names = {one for one in dir(sync) if one[0] != "_"}
        assert names == {one for one in dir(twin) if one[0] != "_"}
        for one in names:
            methods = getattr(sync, one), getattr(twin, one)
            if inspect.isfunction(methods[0]):
                parameters = [list(inspect.signature(method).parameters.values()) for method in methods]
                sync_names, twin_names = ([(p.name, p.kind, p.default) for p in found] for found in parameters)
                assert sync_names == twin_names, f"{name}.{one}"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host",
        "host:8080/state",
        "ftp://host",
        "http://",
        "http:///path",
        "http://user:pass@host",
        "http://h/?a=1",
        "http://h/#a",
        "http://h:port",
        "http://h/\n",
    ],
)
def test_a_url_that_cannot_be(url: str) -> None:
    """A URL that nothing can be sent below is refused at once, without what might be a password."""
    for kind in (StateClient, AsyncStateClient):
        with pytest.raises(ConfigurationError, match="the server's URL") as caught:
            kind(url)
        assert "pass@" not in str(caught.value)


def test_options_that_cannot_be() -> None:
    """An unknown contract version, and two ways to connect, are refused."""
    with pytest.raises(ConfigurationError, match="'airflow34' is no contract version: airflow33 or aip103"):
        StateClient("http://host", contract="airflow34")  # type: ignore[arg-type]
    with httpx.Client() as http, pytest.raises(ConfigurationError, match="not used together"):
        StateClient("http://host", http=http, transport=httpx.HTTPTransport())


@pytest.mark.parametrize("prefix", ["", "/", "/state", "/a b/%2F/"])
async def test_a_prefix(prefix: str, socket_way: Way) -> None:
    """The base URL may have a path of its own, which stays as it is given."""
    with FaultyServer(VALUE) as server:
        async with closing(client_of(socket_way, server.url + prefix)) as client:
            await done(client.task_instance(UUID(int=1)).get("."))
    (asked,) = server.asked
    written = prefix.rstrip("/").replace(" ", "%20")
    assert asked.target == f"{written}/execution/store/ti/{UUID(int=1)}/%2E"


async def test_headers(socket_way: Way) -> None:
    """A request asks for JSON, says what it sends, and has an id; connections are used again."""
    with FaultyServer(answer(204)) as server:
        async with closing(client_of(socket_way, server.url, token="t")) as client:
            await done(client.task_instance(uuid4()).set("key", "ä"))
            await done(client.task_instance(uuid4()).delete("key"))
    put, delete = server.asked
    assert put.body == b'{"value": "\\u00e4"}'
    assert (put.headers["content-type"], put.headers["accept"]) == ("application/json", "application/json")
    assert "content-type" not in delete.headers
    assert put.headers["correlation-id"] != delete.headers["correlation-id"]
    assert server.connections == 1


async def test_a_correlation_id_of_the_callers(socket_way: Way) -> None:
    """A caller's own id goes out with every call of the block, and of this task or thread alone."""
    with FaultyServer(VALUE) as server:
        async with closing(client_of(socket_way, server.url)) as client:
            state = client.task_instance(uuid4())
            with correlation_id("run 1"):
                with correlation_id("inner"):
                    await done(state.get("key"))
                await done(state.get("key"))
            await done(state.get("key"))
    first, second, third = (one.headers["correlation-id"] for one in server.asked)
    assert (first, second) == ("inner", "run 1")
    assert UUID(third).version == 4


@pytest.mark.parametrize("value", ["", "x" * 257, "a\nb", "ä", " a"])
def test_a_correlation_id_that_cannot_be(value: str) -> None:
    """An id that no header can have, or that the server would not give back, is refused."""
    with pytest.raises(InvalidInputError, match="printable ASCII"), correlation_id(value):
        raise AssertionError


async def test_an_http_client_of_the_callers(socket_way: Way) -> None:
    """The caller's own HTTP client is used with its headers, not with its base URL, redirects or authentication."""
    kind = httpx.Client if socket_way == "threads" else httpx.AsyncClient
    http: Any = kind(headers={"x-own": "1"}, base_url="http://other/", follow_redirects=True, auth=("user", "pass"))
    with FaultyServer(VALUE) as server:
        async with closing(client_of(socket_way, server.url, token="t", http=http)) as client:
            assert await done(client.task_instance(uuid4()).get("key")) == 1
        assert not http.is_closed
        async with closing(client_of(socket_way, server.url, http=http)) as client:
            assert await done(client.task_instance(uuid4()).get("key")) == 1
        await done(http.close() if socket_way == "threads" else http.aclose())
    assert server.asked[0].headers["x-own"] == "1"
    schemes = [one.headers["authorization"].partition(" ")[0] for one in server.asked]
    assert schemes == ["Bearer", "Basic"]


async def test_a_request_that_cannot_be_sent(socket_way: Way) -> None:
    """A caller's HTTP client that cannot send what it adds is a wrong configuration, and nothing is repeated."""
    kind = httpx.Client if socket_way == "threads" else httpx.AsyncClient
    http: Any = kind(headers={"x-own": "a\nb"})
    with FaultyServer(VALUE) as server:
        async with closing(client_of(socket_way, server.url, http=http)) as client:
            with pytest.raises(ConfigurationError, match="GET cannot be sent"):
                await done(client.task_instance(uuid4()).get("key"))
        await done(http.close() if socket_way == "threads" else http.aclose())
    assert server.asked == []


async def test_an_answer_that_cannot_be_decoded(socket_way: Way) -> None:
    """An answer whose content encoding is broken is not understood."""
    with FaultyServer(answer(200, "no gzip", Content_Encoding="gzip")) as server:
        async with closing(client_of(socket_way, server.url)) as client:
            with pytest.raises(statemount.client.UnexpectedAnswerError, match="cannot be read"):
                await done(client.task_instance(uuid4()).get("key"))
    assert len(server.asked) == 1


async def test_a_client_is_a_context_manager() -> None:
    """A block closes the connections of its client."""
    with StateClient("http://host") as client:
        pass
    with pytest.raises(RuntimeError, match="closed"):
        client.task_instance(uuid4()).get("key")
    async with AsyncStateClient("http://host") as other:
        pass
    with pytest.raises(RuntimeError, match="closed"):
        await other.task_instance(uuid4()).get("key")


async def test_the_environment(socket_way: Way, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The URL and the token come from the environment, the token perhaps from a file; a missing URL is named."""
    kind: Any = StateClient if socket_way == "threads" else AsyncStateClient
    file = tmp_path / "token"
    file.write_text("filed\n")
    for name in ("STATEMOUNT_URL", "STATEMOUNT_TOKEN", "STATEMOUNT_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigurationError, match="STATEMOUNT_URL is not set"):
        kind.from_environment()
    with FaultyServer(VALUE) as server:
        monkeypatch.setenv("STATEMOUNT_URL", server.url)
        monkeypatch.setenv("STATEMOUNT_TOKEN", "given")
        async with closing(kind.from_environment(contract="aip103")) as client:
            await done(client.task_instance(uuid4()).get("key"))
        monkeypatch.setenv("STATEMOUNT_TOKEN_FILE", os.fspath(file))
        with pytest.raises(ConfigurationError, match="not used together"):
            kind.from_environment()
        monkeypatch.setenv("STATEMOUNT_TOKEN", "")
        async with closing(kind.from_environment()) as client:
            await done(client.task_instance(uuid4()).get("key"))
    assert [one.headers["authorization"] for one in server.asked] == ["Bearer given", "Bearer filed"]
    assert server.asked[0].target.startswith("/execution/state/")


async def test_timeouts(socket_way: Way) -> None:
    """A server that says nothing is given up after the time that is set."""
    with FaultyServer("silence") as server:
        options = {"timeout": 0.05, "retries": statemount.client.Retries(attempts=1)}
        async with closing(client_of(socket_way, server.url, **options)) as client:
            began = time.monotonic()
            with pytest.raises(UnavailableError, match="ReadTimeout"):
                await done(client.task_instance(uuid4()).get("key"))
    assert time.monotonic() - began < 5


async def test_tasks_share_a_client(world: World) -> None:
    """Calls run at once, from tasks or from threads, through one client."""
    async with closing(world.worker()) as client:
        state = client.task_instance(world.ti_id)
        if world.way == "threads":
            threads = [threading.Thread(target=state.set, args=(f"key {number}", number)) for number in range(30)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        else:
            await asyncio.gather(*(state.set(f"key {number}", number) for number in range(30)))
        assert [await done(state.get(f"key {number}")) for number in range(30)] == list(range(30))


async def test_a_cancelled_call_leaves_a_client_that_works() -> None:
    """A task that is cancelled while it waits for an answer is cancelled at once; the next call is answered."""
    with FaultyServer("silence", VALUE) as server:
        async with AsyncStateClient(server.url) as client:
            state = client.task_instance(uuid4())
            task = asyncio.ensure_future(state.get("key"))
            assert await asyncio.to_thread(server.has_asked.wait, PATIENCE)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await state.get("key") == 1
