"""Published keys: fetched when they are needed, kept, and fetched again when they change."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest

from statemount.auth import JWKS, JWTAuth
from statemount.errors import ConfigurationError, InvalidTokenError, UnavailableError
from tests.auth.support import (
    NOW,
    SECRET,
    TASK,
    Clock,
    accepts,
    identify,
    private_key,
    private_pem,
    public_jwk,
    segment,
    signed,
    worker_claims,
)

pytestmark = pytest.mark.anyio


class KeyServer:
    """An HTTP server on a loopback address that answers every request with :attr:`body`."""

    def __init__(self) -> None:
        self.status = "200 OK"
        self.headers = ""
        self.body = b""
        self.requests: list[str] = []
        self.arrived = asyncio.Event()
        self.proceed = asyncio.Event()
        self.proceed.set()
        self.url = ""

    def publish(self, *serials: int, **members: Any) -> None:
        """Publish the elliptic keys with these serial numbers; the kid is the number."""
        keys = [public_jwk(private_key("P-256", serial), **{"kid": str(serial), **members}) for serial in serials]
        self.body = json.dumps({"keys": keys}).encode()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close the connection."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(head.decode())
            self.arrived.set()
            await self.proceed.wait()
            writer.write(f"HTTP/1.1 {self.status}\r\nconnection: close\r\n{self.headers}\r\n".encode() + self.body)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):  # a client that gave up, perhaps before it has asked
            return
        finally:
            writer.close()


@asynccontextmanager
async def key_server() -> AsyncIterator[KeyServer]:
    """Run a key server for as long as it is needed."""
    keys = KeyServer()
    server = await asyncio.start_server(keys.answer, "127.0.0.1", 0)
    keys.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys?secret=hush"
    try:
        yield keys
    finally:
        keys.proceed.set()
        server.close()
        await server.wait_closed()


@pytest.fixture
async def server() -> AsyncIterator[KeyServer]:
    """Return a key server that publishes key 1."""
    async with key_server() as keys:
        keys.publish(1)
        yield keys


def token_of(serial: int, **header: Any) -> str:
    """Return a worker's token signed with the elliptic key of this serial number."""
    pem = private_pem(private_key("P-256", serial))
    return jwt.encode(worker_claims(exp=NOW + 100_000), pem, "ES256", headers={"kid": str(serial), **header})


async def test_fetched_once(server: KeyServer) -> None:
    """The keys are fetched when they are first needed, and used from then on."""
    auth = JWTAuth(jwks=server.url, clock=Clock())
    for _ in range(3):
        assert (await identify(auth, token_of(1))).task_instance_id == TASK
        assert (await identify(auth, token_of(1, x=1))).task_instance_id == TASK
    assert len(server.requests) == 1
    assert server.requests[0].startswith("GET /keys?secret=hush HTTP/1.1\r\n")


async def test_rotation(server: KeyServer) -> None:
    """A token with a new kid makes the keys be fetched again; a key that is gone is refused, remembered or not."""
    clock = Clock()
    auth = JWTAuth(jwks=server.url, clock=clock)
    await identify(auth, token_of(1))
    server.publish(2)
    clock.seconds += 61
    assert (await identify(auth, token_of(2))).task_instance_id == TASK
    with pytest.raises(InvalidTokenError):
        await identify(auth, token_of(1))
    assert len(server.requests) == 2


async def test_at_most_once_a_minute(server: KeyServer) -> None:
    """Unknown keys make the keys be fetched at most once a minute."""
    clock = Clock()
    auth = JWTAuth(jwks=server.url, clock=clock)
    await identify(auth, token_of(1))
    for seconds, requests in ((0, 1), (59.999, 1), (60, 2), (60, 2), (119, 2), (121, 3)):
        clock.seconds = NOW + seconds
        for serial in (7, 8):
            with pytest.raises(InvalidTokenError):
                await identify(auth, token_of(serial))
        assert len(server.requests) == requests
    assert await accepts(auth, token_of(1))


@pytest.mark.parametrize(
    "token",
    [
        "x.y.z",
        signed(worker_claims()),
        signed(worker_claims(), header={"alg": "none"}),
        signed(worker_claims(), header={"alg": "ES256", "kid": "1"}),
    ],
    ids=["garbage", "secret", "none", "signature"],
)
async def test_no_fetch_for_nothing(server: KeyServer, token: str) -> None:
    """A token that no new key could make good does not cause another fetch."""
    clock = Clock()
    auth = JWTAuth(jwks=server.url, algorithms=["ES256"], clock=clock)
    await identify(auth, token_of(1))
    clock.seconds += 3599
    with pytest.raises(InvalidTokenError):
        await identify(auth, token)
    assert len(server.requests) == 1


async def test_nameless_key_is_rotated(server: KeyServer) -> None:
    """A key without a kid is fetched again when a signature does not fit it."""
    clock = Clock()
    auth = JWTAuth(jwks=server.url, clock=clock)
    server.publish(1, kid=None)
    await identify(auth, token_of(1))
    server.publish(2, kid=None)
    clock.seconds += 60
    assert (await identify(auth, token_of(2))).task_instance_id == TASK


async def test_fetched_again_with_age(server: KeyServer) -> None:
    """After an hour the keys are fetched again in the background, so that a withdrawn key ends."""
    clock = Clock()
    auth = JWTAuth(jwks=server.url, clock=clock)
    await identify(auth, token_of(1))
    server.publish(2)
    clock.seconds += 3600
    assert await accepts(auth, token_of(1))  # the old keys serve while the new ones are fetched
    await server.arrived.wait()
    await asyncio.sleep(0)
    while auth._jwks is not None and auth._jwks._fetches:
        await asyncio.wait(auth._jwks._fetches.values())
    with pytest.raises(InvalidTokenError):
        await identify(auth, token_of(1))
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("status", "headers", "body", "reason"),
    [
        ("500 Oops", "", b"", "the answer is 500"),
        ("302 Found", "location: /elsewhere\r\n", b"", "redirects are not followed"),
        ("200 OK", "", b"<html>", "no JSON"),
        ("200 OK", "", b"[" * 100_000, "no JSON"),
        ("200 OK", "", b"\xff", "no JSON"),
        ("200 OK", "", b"[]", "no JSON Web Key Set"),
        ("200 OK", "", b'{"keys": {}}', "no JSON Web Key Set"),
        ("200 OK", "", b'{"keys": []}', "no usable key"),
        (
            "200 OK",
            "",
            b'{"keys": [7, {"kty": "EC"}, {"kty": "oct", "k": "c2VjcmV0IHNlY3JldCBzZWNyZXQ"}]}',
            "no usable key",
        ),
        ("200 OK", "", b" " * (1024 * 1024 + 1), "larger than 1048576 bytes"),
        ("200 OK", "content-length: 99999999\r\n", b" " * (1024 * 1024 + 1), "larger than 1048576 bytes"),
        ("200 OK", "content-length: 9\r\n", b"{", "RemoteProtocolError"),
        ("200 OK", "content-encoding: gzip\r\n", b"{}", "compressed"),
        ("nonsense", "", b"", "RemoteProtocolError"),
    ],
)
async def test_failed_fetch(
    server: KeyServer, caplog: pytest.LogCaptureFixture, status: str, headers: str, body: bytes, reason: str
) -> None:
    """A first fetch that fails is UnavailableError; a later one leaves the known keys in use, and is logged.

    No log has what is secret in the URL, not even httpx's own, which has the URLs of others.
    """
    caplog.set_level(logging.DEBUG)
    clock = Clock()
    good = server.body
    auth = JWTAuth(jwks=server.url, clock=clock)
    server.status, server.headers, server.body = status, headers, body
    with pytest.raises(UnavailableError):
        await identify(auth, token_of(1))
    server.status, server.headers, server.body = "200 OK", "", good
    clock.seconds += 1
    assert await accepts(auth, token_of(1))
    server.status, server.headers, server.body = status, headers, body
    clock.seconds += 60
    with pytest.raises(InvalidTokenError):
        await identify(auth, token_of(2))
    assert await accepts(auth, token_of(1))
    assert await accepts(auth, token_of(1, x=1))
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert [reason in message for message in errors] == [True, True]
    assert ["1 known keys stay" in message for message in errors] == [False, True]
    assert "hush" not in caplog.text
    logging.getLogger("httpx").info("GET of somebody else")
    assert "GET of somebody else" in caplog.text
    assert len(server.requests) == 3


async def test_first_fetch_is_not_hammered(server: KeyServer) -> None:
    """While the keys were never fetched, a failing source is asked at most once a second."""
    clock = Clock()
    auth = JWTAuth(jwks=server.url, clock=clock)
    server.status = "503 Down"
    for seconds, requests in ((0, 1), (0.9, 1), (1, 2), (1.5, 2)):
        clock.seconds = NOW + seconds
        with pytest.raises(UnavailableError):
            await identify(auth, token_of(1))
        assert len(server.requests) == requests


async def test_nobody_listens() -> None:
    """A source that cannot be reached is UnavailableError."""
    async with key_server() as gone:
        url = gone.url
    with pytest.raises(UnavailableError):
        await identify(JWTAuth(jwks=url), token_of(1))


async def test_timeout(server: KeyServer) -> None:
    """A source that does not answer in time is UnavailableError."""
    server.proceed.clear()
    with pytest.raises(UnavailableError):
        await identify(JWTAuth(jwks=JWKS(server.url, timeout=0.05)), token_of(1))


async def test_own_keys_while_the_source_is_down(server: KeyServer) -> None:
    """A token that a key of our own verifies does not wait for the published ones."""
    server.status = "500 Oops"
    auth = JWTAuth(secret=SECRET, jwks=server.url, clock=Clock())
    assert (await identify(auth, signed(worker_claims()))).task_instance_id == TASK
    assert not server.requests


async def test_shared_fetch(server: KeyServer) -> None:
    """Requests that wait at once share one fetch, and one that is cancelled does not end it for the others."""
    server.proceed.clear()
    auth = JWTAuth(jwks=server.url, clock=Clock())
    waiting = [asyncio.create_task(identify(auth, token_of(1, x=number))) for number in range(5)]
    await server.arrived.wait()
    waiting[0].cancel()
    waiting[3].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    server.proceed.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [isinstance(result, BaseException) for result in results] == [True, False, False, True, False]
    assert len(server.requests) == 1


async def test_only_waiter_cancelled(server: KeyServer) -> None:
    """A fetch whose only waiter was cancelled goes on, and its keys serve the next request."""
    server.proceed.clear()
    auth = JWTAuth(jwks=server.url, clock=Clock())
    waiting = asyncio.create_task(identify(auth, token_of(1)))
    await server.arrived.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    server.proceed.set()
    assert await accepts(auth, token_of(1))
    assert len(server.requests) == 1


async def test_closed_while_fetching(server: KeyServer) -> None:
    """Closing ends the fetch; who waits for it gets UnavailableError, and no task is left."""
    server.proceed.clear()
    auth = JWTAuth(jwks=server.url, clock=Clock())
    await auth.open()
    before = asyncio.all_tasks()
    waiting = asyncio.create_task(identify(auth, token_of(1)))
    await server.arrived.wait()
    await auth.close()
    with pytest.raises(UnavailableError):
        await waiting
    assert len([task for task in asyncio.all_tasks() if task in before and "_refetch" in repr(task)]) == 0


async def test_open_does_not_wait(server: KeyServer) -> None:
    """Opening begins to fetch and does not wait, so that the app starts while the source is down."""
    server.proceed.clear()
    auth = JWTAuth(jwks=server.url, clock=Clock())
    await auth.open()
    await server.arrived.wait()
    server.proceed.set()
    assert await accepts(auth, token_of(1))
    await auth.close()
    await auth.close()
    assert len(server.requests) == 1


def test_several_event_loops() -> None:
    """Keys outlive the event loop that fetched them, and every loop can fetch anew."""
    clock = Clock()
    auths: list[JWTAuth] = []

    async def use(serial: int, requests: int) -> None:
        async with key_server() as server:
            server.publish(serial)
            if not auths:
                auths.append(JWTAuth(jwks=server.url, clock=clock))
            auth = auths[0]
            assert auth._jwks is not None
            auth._jwks._url = server.url
            await auth.open()
            assert await accepts(auth, token_of(serial))
            await auth.close()
            assert len(server.requests) == requests

    asyncio.run(use(1, 1))
    asyncio.run(use(1, 0))
    clock.seconds += 60
    asyncio.run(use(2, 1))

    async def leave() -> None:
        auth = auths[0]
        async with key_server() as server:
            server.proceed.clear()
            assert auth._jwks is not None
            auth._jwks._url = server.url
            clock.seconds += 60
            task = asyncio.create_task(identify(auth, token_of(3)))
            await server.arrived.wait()
            task.cancel()

    asyncio.run(leave())
    asyncio.run(use(4, 1))


def test_event_loop_that_ends_during_the_first_fetch() -> None:
    """A first fetch that ended with its event loop does not count: the next loop fetches at once."""
    auths: list[JWTAuth] = []

    async def use(*, leaves: bool) -> None:
        async with key_server() as server:
            server.publish(1)
            if not auths:
                auths.append(JWTAuth(jwks=server.url, clock=Clock()))
            auth = auths[0]
            assert auth._jwks is not None
            auth._jwks._url = server.url
            if leaves:
                await auth.open()
                await auth.close()
            else:
                assert await accepts(auth, token_of(1))

    asyncio.run(use(leaves=True))
    asyncio.run(use(leaves=False))


async def test_file(tmp_path: Path) -> None:
    """Keys are read from a file, shared secrets included, and again when a token has an unknown kid."""
    clock = Clock()
    file = tmp_path / "keys.json"
    secret = {"kty": "oct", "k": segment(SECRET.encode()), "kid": "s"}
    file.write_text(json.dumps({"keys": [secret, public_jwk(private_key("P-256", 1), kid="1")]}))
    for source in (file, str(file)):
        auth = JWTAuth(jwks=source, clock=clock)
        await auth.open()
        assert await accepts(auth, token_of(1))
        assert await accepts(auth, signed(worker_claims(), header={"alg": "HS512", "kid": "s"}))
    file.write_text(json.dumps({"keys": [public_jwk(private_key("P-256", 2), kid="2")]}))
    clock.seconds += 60
    assert await accepts(auth, token_of(2))
    file.unlink()
    clock.seconds += 60
    with pytest.raises(InvalidTokenError):
        await identify(auth, token_of(3))
    assert await accepts(auth, token_of(2, x=1))


async def test_unusable_file(tmp_path: Path) -> None:
    """A file that is missing, too large or holds no keys is refused when the app starts."""
    large = tmp_path / "large.json"
    large.write_bytes(b" " * (1024 * 1024 + 1))
    empty = tmp_path / "empty.json"
    empty.write_text('{"keys": []}')
    for file in (tmp_path / "missing.json", tmp_path, large, empty):
        auth = JWTAuth(jwks=file, clock=Clock())
        with pytest.raises(ConfigurationError):
            await auth.open()
        with pytest.raises(UnavailableError):
            await identify(auth, token_of(1))


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/keys",
        "http://10.0.0.1/keys",
        "http://127.0.0.1.example.com/",
        "ftp://localhost/keys",
        "https://",
        "https:///keys",
        "file:///etc/keys",
        "http://[::2]/",
        "http://[::1/",
        "https://host:port/",
        "http://localhost.example.com/",
        "http://user@example.com@/",
    ],
)
def test_unacceptable_url(url: str) -> None:
    """A URL must be https, or http on a loopback address."""
    with pytest.raises(ConfigurationError, match="URL of the key set"):
        JWKS(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:hush@example.com/keys?token=hush#hush", "https://example.com/keys"),
        ("https://example.com:8443", "https://example.com:8443"),
        ("http://localhost:8080/keys", "http://localhost:8080/keys"),
        ("http://127.0.0.2/keys", "http://127.0.0.2/keys"),
        ("http://[::1]:80/keys", "http://[::1]:80/keys"),
        ("HTTPS://EXAMPLE.com/keys", "https://example.com/keys"),
    ],
)
def test_shown_url(url: str, shown: str) -> None:
    """What is printed of a URL leaves out what may be secret."""
    assert repr(JWKS(url)) == f"JWKS({shown!r})"
    assert "hush" not in repr(JWTAuth(jwks=url))


async def test_algorithms_of_published_keys(server: KeyServer) -> None:
    """A published RSA key without alg verifies what is accepted of its kind; one with alg that one only."""
    private = private_key("RSA-2048")
    token = jwt.encode(worker_claims(), private_pem(private), "PS256", headers={"kid": "r"})
    for members, algorithms, accepted in (
        ({}, ["PS256", "ES256"], True),
        ({}, None, False),
        ({"alg": "PS256"}, None, True),
        ({"alg": "RS256"}, ["RS256", "PS256"], False),
        ({"use": "enc", "alg": "PS256"}, None, False),
    ):
        keys = [public_jwk(private, kid="r", **members), public_jwk(private_key("P-256"), kid="e")]
        server.body = json.dumps({"keys": keys}).encode()
        auth = JWTAuth(jwks=server.url, algorithms=algorithms, clock=Clock())
        if accepted:
            assert await accepts(auth, token)
        else:
            with pytest.raises(InvalidTokenError):
                await identify(auth, token)


async def test_bad_key_beside_a_good_one(server: KeyServer, caplog: pytest.LogCaptureFixture) -> None:
    """A published key that cannot be used is passed over with a warning, without its text."""
    keys = [
        {"kty": "RSA", "n": "hush", "e": "hush", "kid": "bad"},
        "hush",
        public_jwk(private_key("P-256", 1), kid="1"),
    ]
    server.body = json.dumps({"keys": keys}).encode()
    with caplog.at_level(logging.WARNING):
        assert await accepts(JWTAuth(jwks=server.url, clock=Clock()), token_of(1))
    assert len(caplog.records) == 2
    assert "hush" not in caplog.text
