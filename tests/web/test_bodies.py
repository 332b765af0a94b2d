"""Reading a body: no more of it than needed, from nobody who is not known, and nothing left behind by who goes away."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from collections.abc import Iterable, MutableMapping
from typing import Any

import pytest

from statemount.mount import StateMount
from statemount.web.bodies import is_json_type
from tests.contract.transports import scope_of
from tests.contract.world import Place

pytestmark = pytest.mark.anyio

_LIMIT = 4 * 1024 * 1024


class Client:
    """A client that sends its messages one by one, and counts how many were asked for."""

    def __init__(self, messages: Iterable[dict[str, Any]] = ()) -> None:
        self.messages = list(messages)
        self.received = 0
        self.sent: list[MutableMapping[str, Any]] = []
        self.waits = asyncio.Event()

    async def receive(self) -> MutableMapping[str, Any]:
        if self.received == len(self.messages):
            self.waits.set()
            await asyncio.Event().wait()
        self.received += 1
        return self.messages[self.received - 1]

    async def send(self, message: MutableMapping[str, Any]) -> None:
        self.sent.append(message)

    async def ask(self, place: Place, method: str = "PUT", **headers: str) -> int | None:
        """Ask for the key ``k``; return the status, or None if nothing is answered."""
        sent = {"authorization": place.fill("Bearer <own>"), "content-type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        scope = scope_of(method, place.fill("/execution/store/ti/<ti>/k"), sent)
        await place.state(scope, self.receive, self.send)
        return self.sent[0]["status"] if self.sent else None


def _parts(*bodies: bytes, more: bool = False) -> list[dict[str, Any]]:
    return [
        {"type": "http.request", "body": body, "more_body": more or number < len(bodies)}
        for number, body in enumerate(bodies, 1)
    ]


_GONE = {"type": "http.disconnect"}


async def test_body_in_parts(place: Place) -> None:
    """A body that comes in parts is put together."""
    client = Client(_parts(b'{"val', b"", b'ue": "\xc3', b'\xa4"}'))
    assert await client.ask(place) == 204
    assert await place.values(place.scope) == {"k": "ä"}


async def test_message_without_a_body(place: Place) -> None:
    """A message may leave out what is empty."""
    client = Client([{"type": "http.request", "more_body": True}, {"type": "http.request"}])
    assert await client.ask(place) == 422


@pytest.mark.parametrize("credentials", ["", "Bearer garbage", "Basic x"])
async def test_body_of_an_unknown_caller_is_not_read(place: Place, credentials: str) -> None:
    """Nothing is read from a caller who is not authenticated."""
    client = Client(_parts(b'{"value": 1}'))
    assert await client.ask(place, authorization=credentials) in (401, 403)
    assert client.received == 0


async def test_body_for_another_task_instance_is_not_read(place: Place) -> None:
    """Nothing is read from a worker that asks for another's state."""
    place.words["<ti>"], place.words["<other>"] = place.words["<other>"], place.words["<ti>"]
    client = Client(_parts(b'{"value": 1}'))
    assert await client.ask(place) == 403
    assert client.received == 0


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
async def test_body_that_is_not_wanted_is_not_read(place: Place, method: str) -> None:
    """Only a write reads a body."""
    client = Client(_parts(b"{"))
    assert await client.ask(place, method) in (204, 404, 405)
    assert client.received == 0


@pytest.mark.parametrize("length", [str(_LIMIT + 1), "9" * 18, "9" * 19, "9" * 5000, "0" * 30 + "1"])
async def test_announced_length_above_the_limit(place: Place, length: str) -> None:
    """A body that is announced as too large is refused before any of it is read."""
    client = Client(_parts(b"x"))
    assert await client.ask(place, content_length=length) == 413
    assert client.received == 0


@pytest.mark.parametrize("length", ["12", "0", "", "-1", "1e3", "+5", "x", "²", str(_LIMIT)])
async def test_announced_length_that_says_nothing(place: Place, length: str) -> None:
    """Any other announcement is the server's affair: what counts is what comes."""
    client = Client(_parts(b'{"value": 1}'))
    assert await client.ask(place, content_length=length) == 204


async def test_stream_above_the_limit(place: Place) -> None:
    """A body is refused as soon as it passes the limit; the rest is not read."""
    client = Client(_parts(*[b" " * (1024 * 1024)] * 4, b"x", b"x", b"x"))
    assert await client.ask(place) == 413
    assert client.received == 5


async def test_body_as_long_as_the_limit(place: Place) -> None:
    """A body may be as long as the limit."""
    client = Client(_parts(b'{"value": 1}' + b" " * (_LIMIT - 12)))
    assert await client.ask(place) == 204


@pytest.mark.parametrize("messages", [[_GONE], [*_parts(b'{"value": 1}', more=True), _GONE]])
async def test_client_goes_away(place: Place, messages: list[dict[str, Any]]) -> None:
    """A client that goes away before its body is complete is not answered, and changes nothing."""
    client = Client(messages)
    assert await client.ask(place) is None
    assert await place.values(place.scope) == {}


async def test_cancelled_while_the_body_is_read(place: Place) -> None:
    """A request that is cancelled ends as cancelled, and changes nothing."""
    client = Client(_parts(b'{"value": 1}', more=True))
    task = asyncio.create_task(client.ask(place))
    await client.waits.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert client.sent == []
    assert await place.values(place.scope) == {}
    assert await Client(_parts(b'{"value": 2}')).ask(place) == 204


_JSON = (b"content-type", b"application/json")
_TWELVE = (b"content-length", b"12")


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ([_JSON, (b"content-type", b"text/plain")], "Content-Type"),
        ([(b"content-type", b"text/plain"), _JSON], "Content-Type"),
        ([_JSON, (b"content-type", b"")], "Content-Type"),
        ([_JSON, (b"content-type", b"application/merge-patch+json")], "Content-Type"),
        ([_JSON, _TWELVE, (b"content-length", b"13")], "Content-Length"),
        ([_JSON, (b"content-length", b"99999999999"), _TWELVE], "Content-Length"),
        ([_JSON, _TWELVE, (b"content-length", b"")], "Content-Length"),
    ],
)
async def test_two_things_about_a_body(place: Place, headers: list[tuple[bytes, bytes]], name: str) -> None:
    """A body of which two things are said is refused, and not read; one that is described twice alike is taken."""
    scope = scope_of("PUT", place.fill("/execution/store/ti/<ti>/k"), {"authorization": place.fill("Bearer <own>")})
    client = Client(_parts(b'{"value": 1}'))
    await place.state({**scope, "headers": [*scope["headers"], *headers]}, client.receive, client.send)
    assert client.sent[0]["status"] == 400
    assert json.loads(client.sent[1]["body"]) == {"detail": f"{name} is given more than once"}
    assert client.received == 0
    client = Client(_parts(b'{"value": 1}'))
    await place.state({**scope, "headers": [*scope["headers"], *[_JSON, _TWELVE] * 2]}, client.receive, client.send)
    assert client.sent[0]["status"] == 204


async def test_smaller_limit(place: Place) -> None:
    """The limit is a setting, for the body and for what is stored of it alike."""
    state = StateMount("memory://", auth=place.state._auth, clock=place.clock, max_body_bytes=20)
    small = await Place.make(state, place.clock)
    async with state.lifespan():
        assert await Client(_parts(b'{"value": "0123456"}')).ask(small) == 204
        assert await Client(_parts(b'{"value": "01234567"}')).ask(small) == 413
        assert await Client(_parts('{"value": "ääää"}'.encode())).ask(small) == 413


@pytest.mark.parametrize(
    ("content_type", "is_json"),
    [
        (None, False),
        (b"", False),
        (b"application/json", True),
        (b" Application/JSON ; charset=utf-8", True),
        (b"application/a+json", True),
        (b"application/+json", True),
        (b"application/json+x", False),
        (b"application/a+json/b", False),
        (b"text/json", False),
        (b"application", False),
        (b"\xff/json", False),
        (b"application/json,application/json", False),
    ],
)
def test_json_types(content_type: bytes | None, is_json: bool) -> None:
    """JSON is ``application/json`` or ``application/...+json``, with any parameters."""
    assert is_json_type(content_type) is is_json


async def test_body_that_is_late(place: Place) -> None:
    """A body that does not arrive in time is answered with 408, which closes the connection, and changes nothing."""
    state = StateMount("memory://", auth=place.state._auth, clock=place.clock, body_timeout_seconds=0.01)
    hasty = await Place.make(state, place.clock)
    async with state.lifespan():
        for messages in ([], _parts(b'{"value": 1}', more=True)):
            client = Client(messages)
            assert await client.ask(hasty) == 408
            assert (b"connection", b"close") in client.sent[0]["headers"]
            assert json.loads(client.sent[1]["body"]) == {"detail": "The body has not arrived within 0.01 seconds"}
        client = Client()
        assert await client.ask(hasty, accept="application/problem+json") == 408
        assert json.loads(client.sent[1]["body"])["type"] == "urn:statemount:problem:late-body"
        scope = scope_of("PUT", hasty.fill("/execution/store/ti/<ti>/k"), {"authorization": hasty.fill("Bearer <own>")})
        client = Client()
        await state({**scope, "http_version": "2"}, client.receive, client.send)
        assert client.sent[0]["status"] == 408
        assert b"connection" not in dict(client.sent[0]["headers"])
        assert await hasty.values(hasty.scope) == {}
        assert await Client(_parts(b'{"value": 2}')).ask(hasty) == 204


@pytest.mark.parametrize("messages", [[], _parts(b"{}"), _parts(b" " * (_LIMIT + 1))])
async def test_a_refusal_lets_go_of_the_request(place: Place, messages: list[dict[str, Any]]) -> None:
    """Once a refusal is sent nothing holds what the server gave us: granian would wait for that to send it."""
    state = StateMount("memory://", auth=place.state._auth, clock=place.clock, body_timeout_seconds=0.01)
    hasty = await Place.make(state, place.clock)
    async with state.lifespan():
        client = Client(messages)
        held = weakref.ref(client)
        gc.collect()
        gc.disable()
        try:
            assert await client.ask(hasty) in (408, 413, 422)
            del client
            await asyncio.sleep(0)  # a step of a task holds the cancellation that it began with
            assert held() is None
        finally:
            gc.enable()


async def test_body_without_a_limit(place: Place) -> None:
    """Without a limit a body is waited for until it is there."""
    state = StateMount("memory://", auth=place.state._auth, clock=place.clock, body_timeout_seconds=0)
    patient = await Place.make(state, place.clock)
    async with state.lifespan():
        client = Client()
        task = asyncio.create_task(client.ask(patient))
        await client.waits.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await Client(_parts(b'{"value": 2}')).ask(patient) == 204
