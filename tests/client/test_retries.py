"""What is repeated, when, and what never is: against a server with faults, in no time."""

from __future__ import annotations

import logging
from email.utils import formatdate
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from statemount.client import Retries
from statemount.errors import (
    ConfigurationError,
    OverloadedError,
    StateMountError,
    UnavailableError,
    WriteOutcomeUnknownError,
)
from tests.client.support import FaultyServer, Reaction, Rest, Way, answer, client_of, closing, done
from tests.servers import free_port

pytestmark = pytest.mark.anyio

VALUE = answer(200, '{"value": 1}')
DONE = answer(204)
UNKNOWN = answer(503, '{"detail": {"reason": "write_outcome_unknown", "message": "lost"}}', Retry_After="1")

READS: dict[str, Any] = {
    "get": lambda client: client.task_instance(uuid4()).get("key"),
}
WRITES: dict[str, Any] = {
    "set": lambda client: client.task_instance(uuid4()).set("key", 1),
    "patch": lambda client: client.public.asset(1).patch("key", 1),
    "delete": lambda client: client.task_instance(uuid4()).delete("key"),
    "clear": lambda client: client.asset(name="a").clear(),
    "post": lambda client: client.directory.succeeded(UUID(int=1)),
}
CONDITIONAL: dict[str, Any] = {
    "set": lambda client: client.task_instance(uuid4()).set("key", 1, if_revision=7),
    "create": lambda client: client.asset(name="a").set("key", 1, if_revision=0),
    "delete": lambda client: client.task_instance(uuid4()).delete("key", if_revision=7),
    "clear": lambda client: client.asset(name="a").clear(if_revision=7),
}
CALLS = {**READS, **WRITES}


def end_of(name: str) -> bytes:
    """Return the answer that ends a call well."""
    return VALUE if name in READS else DONE


@pytest.mark.parametrize("status", [429, 502, 503, 504])
@pytest.mark.parametrize("name", CALLS)
async def test_statuses_that_are_repeated(name: str, status: int, socket_way: Way) -> None:
    """What cannot be done now is asked again after a pause that grows, on the same connection."""
    rest = Rest()
    with FaultyServer(answer(status), answer(status, "<html>"), end_of(name)) as server:
        async with closing(client_of(socket_way, server.url, token="t", **rest.options(socket_way))) as client:
            assert await done(CALLS[name](client)) in (1, None)
    assert rest.slept == [0.1, 0.2]
    assert len(server.asked) == 3
    assert len({(one.method, one.target, one.body) for one in server.asked}) == 1
    assert server.connections == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 412, 413, 422, 500, 501])
@pytest.mark.parametrize("name", CALLS)
async def test_statuses_that_are_not_repeated(name: str, status: int, socket_way: Way) -> None:
    """Any other refusal is told at once."""
    rest = Rest()
    with FaultyServer(answer(status, "{}"), end_of(name)) as server:
        async with closing(client_of(socket_way, server.url, token="t", **rest.options(socket_way))) as client:
            with pytest.raises(StateMountError) as caught:
                await done(CALLS[name](client))
    assert not isinstance(caught.value, UnavailableError)
    assert (len(server.asked), rest.slept) == (1, [])


@pytest.mark.parametrize("reaction", ["cut", "reset", "silence", "half", b"no HTTP at all\r\n\r\n"])
@pytest.mark.parametrize("name", READS)
async def test_a_read_without_an_answer_is_repeated(name: str, reaction: Reaction, socket_way: Way) -> None:
    """A read whose answer does not come, or not whole, is asked again."""
    rest = Rest()
    timeout = httpx.Timeout(30, read=0.1 if reaction == "silence" else 30)
    with FaultyServer(reaction, VALUE) as server:
        options = {"token": "t", "timeout": timeout, **rest.options(socket_way)}
        async with closing(client_of(socket_way, server.url, **options)) as client:
            assert await done(CALLS[name](client)) == 1
    assert (len(server.asked), rest.slept) == (2, [0.1])


@pytest.mark.parametrize("reaction", ["cut", "reset", "silence", "half", b"no HTTP at all\r\n\r\n", UNKNOWN])
@pytest.mark.parametrize("name", WRITES)
async def test_a_write_without_an_answer_is_not_repeated(name: str, reaction: Reaction, socket_way: Way) -> None:
    """A write that was sent, and of which nobody can tell whether it was done, is never sent again."""
    rest = Rest()
    timeout = httpx.Timeout(30, read=0.1 if reaction == "silence" else 30)
    with FaultyServer(reaction, DONE) as server:
        options = {"token": "t", "timeout": timeout, **rest.options(socket_way)}
        async with closing(client_of(socket_way, server.url, **options)) as client:
            with pytest.raises(WriteOutcomeUnknownError):
                await done(CALLS[name](client))
    assert (len(server.asked), rest.slept) == (1, [])


@pytest.mark.parametrize("name", CALLS)
async def test_a_server_that_is_not_there(name: str, socket_way: Way) -> None:
    """Nothing was sent where nobody listens: reads and writes alike are tried again, and nothing is unknown."""
    rest = Rest()
    url = f"http://127.0.0.1:{free_port()}"
    async with closing(client_of(socket_way, url, token="t", **rest.options(socket_way))) as client:
        with pytest.raises(UnavailableError, match="the server does not answer") as caught:
            await done(CALLS[name](client))
    assert type(caught.value) is UnavailableError
    assert isinstance(caught.value.__cause__, httpx.ConnectError)
    assert rest.slept == [0.1, 0.2, 0.4, 0.8]


async def test_the_number_of_attempts_is_bounded(socket_way: Way) -> None:
    """After the last attempt the last refusal is told, with the time that the server asks for."""
    rest = Rest()
    with FaultyServer(answer(503), answer(429, Retry_After="3")) as server:
        options = rest.options(socket_way, attempts=3)
        async with closing(client_of(socket_way, server.url, token="t", **options)) as client:
            with pytest.raises(OverloadedError) as caught:
                await done(client.task_instance(uuid4()).get("key"))
    assert caught.value.retry_after == 3
    assert (len(server.asked), rest.slept) == (3, [0.1, 3.2])


async def test_the_pauses_are_bounded(socket_way: Way) -> None:
    """A pause does not grow beyond its longest, and no attempt begins after the total time."""
    rest = Rest()
    with FaultyServer(answer(503)) as server:
        options = rest.options(socket_way, attempts=100, total=10, first=1, longest=3)
        async with closing(client_of(socket_way, server.url, token="t", **options)) as client:
            with pytest.raises(UnavailableError):
                await done(client.task_instance(uuid4()).set("key", 1))
    assert rest.slept == [1, 2, 3, 3]
    assert len(server.asked) == 5


async def test_retry_after(socket_way: Way) -> None:
    """The server's wish comes before the jitter, in seconds or as a date; one that is no wish is not heard."""
    rest = Rest(now=1_780_000_000.0)
    wishes = ["2", formatdate(rest.now + 10, usegmt=True), formatdate(0, usegmt=True), "soon", "-1", "0"]
    with FaultyServer(*(answer(503, Retry_After=wish) for wish in wishes), VALUE) as server:
        options = rest.options(socket_way, attempts=10, random=lambda: 0.0)
        async with closing(client_of(socket_way, server.url, token="t", **options)) as client:
            assert await done(client.task_instance(uuid4()).get("key")) == 1
    assert rest.slept == [2, 8, 0, 0, 0, 0]


@pytest.mark.parametrize("wish", ["60", "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
async def test_a_wait_that_is_too_long(wish: str, socket_way: Way) -> None:
    """Where the server asks for more time than there is, the call fails at once and tells for how long."""
    rest = Rest()
    with FaultyServer(answer(503, Retry_After=wish)) as server:
        async with closing(client_of(socket_way, server.url, token="t", **rest.options(socket_way))) as client:
            with pytest.raises(UnavailableError) as caught:
                await done(client.task_instance(uuid4()).get("key"))
    assert caught.value.retry_after >= 60
    assert (len(server.asked), rest.slept) == (1, [])


async def test_a_gateway_that_does_not_know(socket_way: Way) -> None:
    """A write that a gateway lost track of may have been done, whatever the attempts after it say."""
    for later in ([], [answer(503)]):
        rest = Rest()
        with FaultyServer(answer(504), *later) as server:
            async with closing(client_of(socket_way, server.url, token="t", **rest.options(socket_way))) as client:
                with pytest.raises(WriteOutcomeUnknownError):
                    await done(client.task_instance(uuid4()).set("key", 1))
                with pytest.raises(UnavailableError) as caught:
                    await done(client.task_instance(uuid4()).get("key"))
                assert type(caught.value) is UnavailableError
        assert len(server.asked) == 10


@pytest.mark.parametrize(
    "first", [answer(502), answer(504, "<html>"), answer(503, "<html>upstream reset"), "cut", UNKNOWN]
)
@pytest.mark.parametrize("name", CONDITIONAL)
async def test_a_conditional_write_that_may_be_done(name: str, first: Reaction, socket_way: Way) -> None:
    """A write on a condition that may have been done is not repeated: it would meet its own revision."""
    rest = Rest()
    with FaultyServer(first, answer(204, ETag='"8"')) as server:
        async with closing(client_of(socket_way, server.url, token="t", **rest.options(socket_way))) as client:
            with pytest.raises(WriteOutcomeUnknownError):
                await done(CONDITIONAL[name](client))
    assert (len(server.asked), rest.slept) == (1, [])


REFUSED = (
    '{"detail": "Service unavailable"}',
    '{"detail": "Too many requests are waiting already"}',
)


@pytest.mark.parametrize("first", [*(answer(503, body) for body in REFUSED), answer(429, "<html>")])
@pytest.mark.parametrize("name", CONDITIONAL)
async def test_a_conditional_write_that_is_not_done(name: str, first: Reaction, socket_way: Way) -> None:
    """Where the server says that nothing was changed, a write on a condition is repeated as any other."""
    rest = Rest()
    with FaultyServer(first, answer(204, ETag='"8"')) as server:
        async with closing(client_of(socket_way, server.url, token="t", **rest.options(socket_way))) as client:
            assert await done(CONDITIONAL[name](client)) in (8, None)
    assert (len(server.asked), rest.slept) == (2, [0.1])
    assert len({(one.headers.get("if-match"), one.headers.get("if-none-match")) for one in server.asked}) == 1


@pytest.mark.parametrize("name", CONDITIONAL)
async def test_a_conditional_write_that_is_not_sent(name: str, socket_way: Way) -> None:
    """A write on a condition is tried again where nobody listens, and nothing is unknown."""
    rest = Rest()
    url = f"http://127.0.0.1:{free_port()}"
    async with closing(client_of(socket_way, url, token="t", **rest.options(socket_way))) as client:
        with pytest.raises(UnavailableError) as caught:
            await done(CONDITIONAL[name](client))
    assert type(caught.value) is UnavailableError
    assert rest.slept == [0.1, 0.2, 0.4, 0.8]


async def test_one_id_for_all_attempts(socket_way: Way, caplog: pytest.LogCaptureFixture) -> None:
    """The attempts of a call have one correlation id, the next call another; the log names it, and no token."""
    caplog.set_level(logging.INFO, "statemount.client")
    rest = Rest()
    with FaultyServer(answer(503), VALUE) as server:
        async with closing(client_of(socket_way, server.url, token="t0ken", **rest.options(socket_way))) as client:
            for _ in range(2):
                await done(client.task_instance(uuid4()).get("key"))
    first, second, third = (UUID(one.headers["correlation-id"]) for one in server.asked)
    assert first == second != third
    (line,) = [record.getMessage() for record in caplog.records if record.name == "statemount.client"]
    assert line == (
        "attempt 1 failed (the server answers 503); the next one follows in 0.10 s "
        f"[correlation-id {server.asked[0].headers['correlation-id']}]"
    )


async def test_no_repetitions(socket_way: Way) -> None:
    """One attempt means one."""
    with FaultyServer(answer(503)) as server:
        async with closing(client_of(socket_way, server.url, token="t", retries=Retries(attempts=1))) as client:
            with pytest.raises(UnavailableError):
                await done(client.task_instance(uuid4()).get("key"))
    assert len(server.asked) == 1


async def test_without_a_clock_of_the_test(socket_way: Way) -> None:
    """By default it is the real time that passes, and a random part of it."""
    with FaultyServer(answer(503), VALUE) as server:
        async with closing(client_of(socket_way, server.url, token="t", retries=Retries(first=0.001))) as client:
            assert await done(client.task_instance(uuid4()).get("key")) == 1


def test_retries_that_cannot_be() -> None:
    """No attempt at all, and negative times, are refused."""
    for wrong in ({"attempts": 0}, {"total": -1}, {"first": -1}, {"longest": -1}):
        with pytest.raises(ConfigurationError):
            Retries(**wrong)  # type: ignore[arg-type]
